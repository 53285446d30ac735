//! Lines out of bytes that come in pieces: files, bodies as they are received, TCP connections.
//!
//! For any cutting of the same bytes the same lines come out, and the same as from [`lines`](super::lines).
//! Lines that lie within one piece are given as they stand there; only one that is cut by a piece's end is
//! copied, and of that never more than a line may have: a 300 MB line costs its bound, is one
//! [`Defect::TooLong`], and the next line is read as if nothing had been.

use super::Line;
use super::octets::Octets;
use super::splitter::Splitter;
use crate::event::Defect;

/// How a stream is cut into lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Newlines, or one JSON array: files and HTTP bodies.
    Body,
    /// Newlines: syslog over TCP as Fastly sends it.
    Newline,
    /// `LENGTH SP MESSAGE` (RFC 6587).
    OctetCounted,
}

/// What a last line without its end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TruncatedPolicy {
    /// A line like any other: the end of a file.
    Line,
    /// Cut short: a connection that closed.
    Truncated,
}

/// Cuts a stream into lines. See the module's head for what always holds.
#[derive(Debug)]
pub struct Framer {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Lines(LineFramer),
    Octets(Octets),
}

impl Framer {
    /// A line of more than `max_line_bytes` is [`Defect::TooLong`].
    pub fn new(framing: Framing, max_line_bytes: usize) -> Self {
        let by_lines = |splitter| {
            Kind::Lines(LineFramer {
                splitter,
                max_line_bytes,
                held: Vec::new(),
                within: false,
                too_long: false,
            })
        };
        let kind = match framing {
            Framing::Body => by_lines(Splitter::for_body()),
            Framing::Newline => by_lines(Splitter::for_stream()),
            Framing::OctetCounted => Kind::Octets(Octets::new(max_line_bytes)),
        };
        Self { kind }
    }

    /// Takes the next piece and gives each line that ends in it to `each`.
    pub fn push(&mut self, piece: &[u8], mut each: impl FnMut(Line<'_>)) {
        match &mut self.kind {
            Kind::Lines(framer) => framer.push(piece, &mut each),
            Kind::Octets(framer) => framer.push(piece, &mut each),
        }
    }

    /// Ends the stream; a line may be left.
    pub fn finish(self, closed_mid_line: TruncatedPolicy, mut each: impl FnMut(Line<'_>)) {
        match self.kind {
            Kind::Lines(framer) => framer.finish(closed_mid_line, &mut each),
            Kind::Octets(framer) => framer.finish(closed_mid_line, &mut each),
        }
    }
}

#[derive(Debug)]
struct LineFramer {
    splitter: Splitter,
    max_line_bytes: usize,
    /// The beginning of the current line, or what is yet too little to tell an array from lines.
    held: Vec<u8>,
    /// A line has begun that has not ended.
    within: bool,
    /// What is held of it is not all of it.
    too_long: bool,
}

impl LineFramer {
    fn push(&mut self, piece: &[u8], each: &mut impl FnMut(Line<'_>)) {
        if self.within || self.held.is_empty() {
            self.cut(piece, false, each);
        } else {
            let mut undecided = std::mem::take(&mut self.held);
            undecided.extend_from_slice(piece);
            self.cut(&undecided, false, each);
        }
    }

    fn finish(mut self, closed_mid_line: TruncatedPolicy, each: &mut impl FnMut(Line<'_>)) {
        if !self.within {
            let undecided = std::mem::take(&mut self.held);
            self.cut(&undecided, true, each);
        }
        if !self.within {
            return;
        }
        match (self.splitter.line(&self.held, self.max_line_bytes), closed_mid_line) {
            _ if self.too_long => each(Err(Defect::TooLong.into())),
            (Some(Ok(_)), TruncatedPolicy::Truncated) => each(Err(Defect::Truncated.into())),
            (Some(line), _) => each(line),
            (None, _) => {}
        }
    }

    fn cut(&mut self, mut input: &[u8], complete: bool, each: &mut impl FnMut(Line<'_>)) {
        loop {
            if !self.within {
                match self.splitter.begin(input, complete) {
                    Some(line) => input = line,
                    None => return self.held.extend_from_slice(input),
                }
            }
            if input.is_empty() {
                return;
            }
            let Some(end) = self.splitter.end(input) else {
                return self.hold(input);
            };
            self.give(&input[..end], each);
            input = &input[end + 1..];
        }
    }

    /// Keeps a line's beginning, as much as a line and a carriage return may have.
    fn hold(&mut self, part: &[u8]) {
        let room = (self.max_line_bytes + 1).saturating_sub(self.held.len());
        self.too_long |= part.len() > room;
        self.held.extend_from_slice(&part[..part.len().min(room)]);
        self.within = true;
    }

    /// Gives the line that ends in `part`.
    fn give(&mut self, part: &[u8], each: &mut impl FnMut(Line<'_>)) {
        if self.within {
            self.hold(part);
        }
        let bytes = if self.within { &self.held } else { part };
        let line = if self.too_long {
            Some(Err(Defect::TooLong.into()))
        } else {
            self.splitter.line(bytes, self.max_line_bytes)
        };
        if let Some(line) = line {
            each(line);
        }
        self.held.clear();
        self.within = false;
        self.too_long = false;
    }
}
