//! Where lines begin and end, for whole bodies and for pieces alike.
//!
//! The one place that knows what a line is; [`Lines`](super::Lines) and [`Framer`](super::Framer) only hold
//! the bytes. Used in turns: `begin` where a line begins, `end` until it ends, `line` for what it is.

use memchr::memchr;

use super::Line;
use super::array::{self, Scanner, Start};
use crate::event::Defect;

#[derive(Clone, Debug)]
pub(super) enum Splitter {
    /// The body may yet be an array.
    Undecided,
    Lines,
    Array(Scanner),
    /// White space until the next array or line.
    BetweenArrays,
}

/// What stands where a line may begin.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin<'a> {
    /// A line, in this; or nothing more.
    Line(&'a [u8]),
    /// This, and what comes after it must be seen first.
    Unknown(&'a [u8]),
}

/// Where a line ends, and where what follows it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) line: usize,
    pub(super) next: usize,
}

impl End {
    /// By a byte that belongs to no line.
    pub(super) fn at(line: usize) -> Self {
        Self { line, next: line + 1 }
    }

    /// Because another line begins.
    pub(super) fn before(next: usize) -> Self {
        Self { line: next, next }
    }
}

impl Splitter {
    /// For a body, which may be an array.
    pub(super) fn for_body() -> Self {
        Self::Undecided
    }

    /// Passes over what stands before a line. Of input that is `complete` it can always tell what comes.
    #[inline]
    pub(super) fn begin<'a>(&mut self, input: &'a [u8], complete: bool) -> Begin<'a> {
        match self {
            Self::Lines => Begin::Line(input),
            _ => self.begin_other(input, complete),
        }
    }

    fn begin_other<'a>(&mut self, mut input: &'a [u8], complete: bool) -> Begin<'a> {
        loop {
            match self {
                Self::Lines => return Begin::Line(input),
                Self::Array(scanner) if scanner.ended => *self = Self::BetweenArrays,
                Self::Array(_) => return Begin::Line(input.trim_ascii_start()),
                Self::BetweenArrays => {
                    input = input.trim_ascii_start();
                    if input.is_empty() {
                        return Begin::Line(input);
                    }
                    *self = Self::Undecided;
                }
                Self::Undecided => match array::start(input, complete) {
                    Start::Unknown => return Begin::Unknown(input),
                    Start::Lines => *self = Self::Lines,
                    Start::Array(elements) => {
                        *self = Self::Array(Scanner::default());
                        input = elements;
                    }
                },
            }
        }
    }

    /// Where the line that was begun ends in `input`.
    #[inline]
    pub(super) fn end(&mut self, input: &[u8]) -> Option<End> {
        match self {
            Self::Array(scanner) => scanner.end(input),
            _ => memchr(b'\n', input).map(End::at),
        }
    }

    /// The line that `bytes`, from `begin` to `end`, are; `None` where they are none.
    #[inline]
    pub(super) fn line<'a>(&self, bytes: &'a [u8], max_bytes: usize) -> Option<Line<'a>> {
        let (line, length) = match self {
            Self::Array(_) => (bytes.trim_ascii_end(), bytes.len()),
            _ => {
                let line = bytes.strip_suffix(b"\r").unwrap_or(bytes);
                (line, line.len())
            }
        };
        if length > max_bytes {
            Some(Err(Defect::TooLong.into()))
        } else {
            (!line.is_empty()).then_some(Ok(line))
        }
    }
}
