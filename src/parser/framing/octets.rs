//! Octet-counted syslog (RFC 6587 §3.4.1): `LENGTH SP MESSAGE`, as Heroku's logplex drains send it.
//!
//! Used only where it is configured. Newlines between frames are passed over. After anything that is no
//! length the stream has lost its way: that is one [`Defect::BadPrefix`], and the next newline the next chance.

use super::Line;
use super::splitter::Splitter;
use crate::event::Defect;

/// No frame is longer than what ten digits can say.
const MAX_LENGTH_DIGITS: u32 = 10;

/// Cuts a stream of counted frames.
#[derive(Debug)]
pub(super) struct Octets {
    max_line_bytes: usize,
    state: State,
    /// The beginning of the current message; never more than a line and its end.
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Length {
        digits: u32,
        value: u64,
    },
    Message {
        remaining: u64,
        length: u64,
    },
    /// Lost; a defect was reported.
    ToNewline,
}

const BETWEEN: State = State::Length { digits: 0, value: 0 };

impl Octets {
    pub(super) fn new(max_line_bytes: usize) -> Self {
        Self { max_line_bytes, state: BETWEEN, held: Vec::new() }
    }

    /// A line and its end.
    fn max_held(&self) -> usize {
        self.max_line_bytes.saturating_add(2)
    }

    pub(super) fn push(&mut self, mut input: &[u8], each: &mut impl FnMut(Line<'_>)) {
        while !input.is_empty() {
            input = match self.state {
                State::Length { digits, value } => self.length(input, digits, value, each),
                State::Message { remaining, length } => self.message(input, remaining, length, each),
                State::ToNewline => match memchr::memchr(b'\n', input) {
                    Some(end) => {
                        self.state = BETWEEN;
                        &input[end + 1..]
                    }
                    None => &[],
                },
            };
        }
    }

    fn length<'a>(
        &mut self,
        input: &'a [u8],
        digits: u32,
        value: u64,
        each: &mut impl FnMut(Line<'_>),
    ) -> &'a [u8] {
        let (byte, rest) = (input[0], &input[1..]);
        self.state = match byte {
            b'0'..=b'9' if digits < MAX_LENGTH_DIGITS => {
                State::Length { digits: digits + 1, value: value * 10 + u64::from(byte - b'0') }
            }
            b' ' if value > 0 => State::Message { remaining: value, length: value },
            b' ' if digits > 0 => BETWEEN,
            b'\n' | b'\r' if digits == 0 => BETWEEN,
            _ => {
                each(Err(Defect::BadPrefix.into()));
                self.state = State::ToNewline;
                return input;
            }
        };
        rest
    }

    fn message<'a>(
        &mut self,
        input: &'a [u8],
        remaining: u64,
        length: u64,
        each: &mut impl FnMut(Line<'_>),
    ) -> &'a [u8] {
        let take = usize::try_from(remaining).map_or(input.len(), |remaining| remaining.min(input.len()));
        let (part, rest) = input.split_at(take);
        let left = remaining - take as u64;
        let whole = left == 0 && self.held.is_empty() && take as u64 == length;
        if !whole {
            let room = self.max_held() - self.held.len();
            self.held.extend_from_slice(&part[..take.min(room)]);
        }
        self.state = if left > 0 { State::Message { remaining: left, length } } else { BETWEEN };
        if left == 0 {
            let message = if whole { part } else { &self.held };
            let message = message.strip_suffix(b"\n").unwrap_or(message);
            if length > self.max_held() as u64 {
                each(Err(Defect::TooLong.into()));
            } else if let Some(line) = Splitter::for_stream().line(message, self.max_line_bytes) {
                each(line);
            }
            self.held.clear();
        }
        rest
    }

    /// A frame that is not complete is cut short, wherever it ends: its length says so.
    pub(super) fn finish(self, each: &mut impl FnMut(Line<'_>)) {
        match self.state {
            State::Message { length, .. } if length > self.max_held() as u64 => {
                each(Err(Defect::TooLong.into()));
            }
            State::Message { .. } | State::Length { digits: 1.., .. } => each(Err(Defect::Truncated.into())),
            State::Length { .. } | State::ToNewline => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(stream: &str, step: usize) -> Vec<String> {
        let mut octets = Octets::new(8);
        let mut lines = Vec::new();
        let mut each = |line: Line<'_>| {
            lines.push(match line {
                Ok(line) => String::from_utf8_lossy(line).into_owned(),
                Err(malformed) => format!("!{}", malformed.defect.name()),
            });
        };
        for piece in stream.as_bytes().chunks(step) {
            octets.push(piece, &mut each);
        }
        octets.finish(&mut each);
        lines
    }

    #[test]
    fn frames_are_as_long_as_they_say() {
        for (stream, expected) in [
            ("", &[][..]),
            ("3 abc5 12345", &["abc", "12345"]),
            ("4 abc\n5 abc\r\n\n3 a\nb", &["abc", "abc", "a\nb"]),
            ("0 1 x", &["x"]),
            ("8 12345678", &["12345678"]),
            ("9 12345678\n", &["12345678"]),
            ("9 1234567893 abc", &["!too_long", "abc"]),
            ("20 123456789012345678903 abc", &["!too_long", "abc"]),
            ("12 12345678\r\nxx3 abc", &["!too_long", "abc"]),
            ("<134>abc\n3 abc", &["!bad_prefix", "abc"]),
            ("3abc\n3 abc", &["!bad_prefix", "abc"]),
            ("99999999999 x\n1 y", &["!bad_prefix", "y"]),
            ("3 abc\n\n", &["abc"]),
            ("3 ab", &["!truncated"]),
            ("3", &["!truncated"]),
            ("30 ab", &["!too_long"]),
            (" x", &["!bad_prefix"]),
        ] {
            for step in 1..=stream.len().max(1) {
                assert_eq!(cut(stream, step), expected, "{stream:?} by {step}");
            }
        }
    }
}
