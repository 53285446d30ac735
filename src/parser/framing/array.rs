//! The elements of a JSON array, found by scanning.
//!
//! Strings and nesting are respected; nothing is checked, for the parser of the lines does that. A raw newline
//! within a string cannot be: there the element was cut off, and the next begins after it. Nor can anything but a comma or
//! the array's end stand on a line behind an element: it is the next one, so that lines of which the first happens to
//! begin as an array does are not all taken for one.

use memchr::memchr3;

use super::splitter::End;

/// How far into a body its first byte and what follows are looked for.
const LOOK_AHEAD: usize = 1024;

/// What the beginning of a body shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start<'a> {
    /// Too little to tell.
    Unknown,
    Lines,
    /// An array; the first element begins in here.
    Array(&'a [u8]),
}

/// Tells an array from lines by a `[` before the beginning of a JSON value.
pub(super) fn start(input: &[u8], complete: bool) -> Start<'_> {
    let seen = &input[..input.len().min(LOOK_AHEAD)];
    let unknown = if complete || seen.len() == LOOK_AHEAD { Start::Lines } else { Start::Unknown };
    let bracket = seen.trim_ascii_start();
    let Some(elements) = bracket.strip_prefix(b"[") else {
        return if bracket.is_empty() { unknown } else { Start::Lines };
    };
    match begins_value(elements.trim_ascii_start()) {
        None => unknown,
        Some(false) => Start::Lines,
        Some(true) => Start::Array(&input[seen.len() - elements.len()..]),
    }
}

/// Whether a JSON value or the array's end begins here; `None` where more must be seen.
fn begins_value(input: &[u8]) -> Option<bool> {
    match input.first()? {
        b'{' | b'[' | b'"' | b']' => Some(true),
        b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
            let end = input
                .iter()
                .position(|byte| !matches!(byte, b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E'))?;
            let after = input[end..].trim_ascii_start().first()?;
            Some(matches!(after, b',' | b']') && is_scalar(&input[..end]))
        }
        _ => Some(false),
    }
}

fn is_scalar(word: &[u8]) -> bool {
    matches!(word, b"true" | b"false" | b"null")
        || (word.iter().any(u8::is_ascii_digit)
            && !word.iter().any(|byte| matches!(byte, b'a'..=b'd' | b'f'..=b'z')))
}

/// Where elements end, over input that comes in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scanner {
    depth: usize,
    in_string: bool,
    /// The last byte was a backslash within a string.
    escaped: bool,
    /// A line ended behind what was seen of the element, but for what is nested in it.
    line_ended: bool,
    /// The array's end was seen.
    pub(super) ended: bool,
}

impl Scanner {
    /// Where the current element ends in `input`.
    pub(super) fn end(&mut self, input: &[u8]) -> Option<End> {
        let mut at = 0;
        while at < input.len() {
            if std::mem::take(&mut self.escaped) {
                at += 1;
            } else if self.in_string {
                at += memchr3(b'"', b'\\', b'\n', &input[at..])?;
                match input[at] {
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {
                        *self = Self::default();
                        return Some(End::at(at));
                    }
                }
                at += 1;
            } else {
                match (input[at], self.depth) {
                    (byte @ (b',' | b']'), 0) => {
                        *self = Self { ended: byte == b']', ..Self::default() };
                        return Some(End::at(at));
                    }
                    (b'\n', 0) => self.line_ended = true,
                    (byte, 0) if self.line_ended && !byte.is_ascii_whitespace() => {
                        *self = Self::default();
                        return Some(End::before(at));
                    }
                    (b'"', _) => self.in_string = true,
                    (b'{' | b'[', _) => self.depth += 1,
                    (b'}' | b']', depth) => self.depth = depth.saturating_sub(1),
                    _ => {}
                }
                at += 1;
            }
        }
        None
    }
}
