//! Octet-counted syslog (RFC 6587 §3.4.1): `LENGTH SP MESSAGE`, as Heroku's logplex drains send it.
//!
//! Used only where it is configured. Newlines between frames are passed over. After anything that is no
//! length the stream has lost its way: that is one [`Defect::BadPrefix`], and the next newline the next chance.

use super::Line;
use super::framer::TruncatedPolicy;
use super::splitter::Splitter;
use crate::event::Defect;

/// No frame is longer than what ten digits can say.
const MAX_LENGTH_DIGITS: u32 = 10;

/// Cuts a stream of counted frames.
#[derive(Debug)]
pub(super) struct Octets {
    max_line_bytes: usize,
    state: State,
    /// The beginning of the current message; never more than `max_line_bytes`.
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
            let room = (self.max_line_bytes + 2).saturating_sub(self.held.len());
            self.held.extend_from_slice(&part[..take.min(room)]);
        }
        self.state = if left > 0 { State::Message { remaining: left, length } } else { BETWEEN };
        if left == 0 {
            let message = if whole { part } else { &self.held };
            let message = message.strip_suffix(b"\n").unwrap_or(message);
            if let Some(line) = Splitter::for_stream().line(message, self.max_line_bytes) {
                each(line);
            }
            self.held.clear();
        }
        rest
    }

    /// A frame that is not complete is cut short, whatever the policy: its length says so.
    pub(super) fn finish(self, _: TruncatedPolicy, each: &mut impl FnMut(Line<'_>)) {
        match self.state {
            State::Message { length, .. } if length > self.max_line_bytes as u64 + 2 => {
                each(Err(Defect::TooLong.into()));
            }
            State::Message { .. } | State::Length { digits: 1.., .. } => each(Err(Defect::Truncated.into())),
            State::Length { .. } | State::ToNewline => {}
        }
    }
}
