//! Finds lines in a stream of bytes, however it is cut into pieces.
//!
//! Two framings (RFC 6587): a newline after each line, or a decimal count and a space before each. Which one is
//! configured, never guessed: a line may begin with digits. Empty lines are none.
//!
//! Of an overlong line only the beginning is kept, and the rest skipped up to its end, so that memory
//! is bounded and the next line is found.

use thiserror::Error;

/// More digits than any line that fits into memory needs.
const MAX_COUNT_DIGITS: u32 = 10;

/// Cuts a stream into lines.
pub(super) struct Framer {
    state: State,
    /// How much of a line is kept.
    keep_bytes: usize,
    /// What is there of a line that has not ended, or that was handed out last.
    partial: Vec<u8>,
    handed_out: bool,
}

enum State {
    /// Lines end in newlines.
    Newline,
    /// Within a count.
    Count { value: usize, digits: u32 },
    /// Within a counted message.
    Message { left: usize },
}

/// Where a count should be, there is none. The stream cannot be read any further.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("a message must begin with its length and a space")]
pub(super) struct BadCount;

impl Framer {
    pub(super) fn new(octet_counting: bool, keep_bytes: usize) -> Self {
        let state = if octet_counting { State::COUNT } else { State::Newline };
        Self { state, keep_bytes, partial: Vec::new(), handed_out: false }
    }

    /// The next line of what came so far, without its end; takes what it needs from `input`. None once all of
    /// the input is taken.
    pub(super) fn next_line<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<&'s [u8]>, BadCount> {
        if std::mem::take(&mut self.handed_out) {
            self.partial.clear();
        }
        match self.state {
            State::Newline => Ok(self.next_ended(input)),
            State::Count { .. } | State::Message { .. } => self.next_counted(input),
        }
    }

    /// What is there of a line that has not ended; for when no more will come.
    pub(super) fn unfinished(&mut self) -> Option<&[u8]> {
        if std::mem::take(&mut self.handed_out) {
            self.partial.clear();
        }
        one_line(&mut self.partial);
        (!self.partial.is_empty()).then_some(&self.partial)
    }

    fn next_ended<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Option<&'s [u8]> {
        loop {
            let Some(end) = memchr::memchr(b'\n', input) else {
                self.keep(input);
                *input = &[];
                return None;
            };
            let line = &input[..end];
            *input = &input[end + 1..];
            if !self.partial.is_empty() {
                self.keep(line);
                self.handed_out = true;
                return Some(&self.partial);
            }
            if !line.is_empty() {
                return Some(&line[..line.len().min(self.keep_bytes)]);
            }
        }
    }

    fn next_counted(&mut self, input: &mut &[u8]) -> Result<Option<&[u8]>, BadCount> {
        loop {
            match self.state {
                State::Newline => unreachable!("the framing does not change"),
                State::Count { value, digits } => {
                    let Some((byte, rest)) = input.split_first() else { return Ok(None) };
                    *input = rest;
                    self.state = match byte {
                        b'0'..=b'9' if digits < MAX_COUNT_DIGITS => {
                            State::Count { value: value * 10 + usize::from(byte - b'0'), digits: digits + 1 }
                        }
                        b' ' if digits > 0 => State::Message { left: value },
                        // Not in the RFC, but some end a message by a newline that is not counted.
                        b'\n' if digits == 0 => State::COUNT,
                        _ => return Err(BadCount),
                    };
                }
                State::Message { left } => {
                    let (message, rest) = input.split_at(left.min(input.len()));
                    self.keep(message);
                    *input = rest;
                    self.state = State::Message { left: left - message.len() };
                    if message.len() < left {
                        return Ok(None);
                    }
                    self.state = State::COUNT;
                    one_line(&mut self.partial);
                    if !self.partial.is_empty() {
                        self.handed_out = true;
                        return Ok(Some(&self.partial));
                    }
                }
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.keep_bytes - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl State {
    const COUNT: Self = Self::Count { value: 0, digits: 0 };
}

/// A counted message may hold newlines: at its end they mean nothing, within it a space means the same.
fn one_line(message: &mut Vec<u8>) {
    while message.last() == Some(&b'\n') {
        message.pop();
    }
    for byte in message.iter_mut().filter(|byte| **byte == b'\n') {
        *byte = b' ';
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEEP_BYTES: usize = 8;

    /// The lines of a stream that comes in these pieces, then what is unfinished, or the error.
    fn lines<'a>(octet_counting: bool, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut framer = Framer::new(octet_counting, KEEP_BYTES);
        let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        let mut found = Vec::new();
        for mut piece in pieces {
            loop {
                match framer.next_line(&mut piece) {
                    Ok(Some(line)) => found.push(text(line)),
                    Ok(None) => break,
                    Err(BadCount) => {
                        found.push("!".to_owned());
                        return found;
                    }
                }
            }
        }
        found.extend(framer.unfinished().map(|rest| format!("…{}", text(rest))));
        found
    }

    const NEWLINES: [(&str, &[&str]); 8] = [
        ("", &[]),
        ("one\ntwo\n", &["one", "two"]),
        ("one\r\ntwo\r\n", &["one\r", "two\r"]),
        ("\n\none\n\n", &["one"]),
        ("one\ntw", &["one", "…tw"]),
        ("12345678\nx\n", &["12345678", "x"]),
        ("1234567890123456789\nx\n", &["12345678", "x"]),
        ("999999999 x\n5 y\n", &["99999999", "5 y"]),
    ];

    const COUNTED: [(&str, &[&str]); 12] = [
        ("", &[]),
        ("3 one3 two", &["one", "two"]),
        ("4 one\n4 two\n", &["one", "two"]),
        ("3 one\n3 two\n", &["one", "two"]),
        ("3 a\nb", &["a b"]),
        ("0 1 \n3 one", &["one"]),
        ("5 tw", &["…tw"]),
        ("12 123456789012\n1 x", &["12345678", "x"]),
        ("999999999 xyz", &["…xyz"]),
        ("3 one<134>x", &["one", "!"]),
        (" 3 one", &["!"]),
        ("99999999999 x", &["!"]),
    ];

    #[test]
    fn lines_are_found_whatever_the_pieces() {
        for (octet_counting, cases) in [(false, &NEWLINES[..]), (true, &COUNTED[..])] {
            for (stream, expected) in cases {
                for size in 1..=stream.len().max(1) {
                    let found = lines(octet_counting, stream.as_bytes().chunks(size));
                    assert_eq!(&found, expected, "{stream:?} in pieces of {size}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_stream_gives_the_same_lines_in_any_pieces(
            stream in "[0-9 a\n]{0,60}",
            cut in 0_usize..60,
            octet_counting: bool,
        ) {
            let bytes = stream.as_bytes();
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let whole = lines(octet_counting, [bytes]);
            prop_assert!(whole.iter().all(|line| line.trim_start_matches('…').len() <= KEEP_BYTES));
            prop_assert_eq!(lines(octet_counting, [head, tail]), whole);
        }
    }
}
