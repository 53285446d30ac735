//! Lines out of bytes that come in pieces: files, bodies as they are received, TCP connections.
//!
//! For any cutting of the same bytes the same lines come out, and the same as from [`lines`](super::lines).
//! Lines that lie within one piece are given as they stand there; only one that is cut by a piece's end is
//! copied, and of that never more than a line may have: a 300 MB line costs its bound, is one
//! [`Defect::TooLong`], and the next line is read as if nothing had been.

use super::Line;
use super::octets::Octets;
use super::splitter::{Begin, Splitter};
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
            Kind::Octets(framer) => framer.finish(&mut each),
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
                    Begin::Line(line) => input = line,
                    Begin::Unknown(undecided) => return self.held.extend_from_slice(undecided),
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
        let room = self.max_line_bytes.saturating_add(1) - self.held.len();
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parser::lines;

    /// Lines, owned; a defect for one that cannot be had.
    type Cut = Vec<Result<Vec<u8>, Defect>>;

    fn owned(line: Line<'_>) -> Result<Vec<u8>, Defect> {
        line.map(<[u8]>::to_vec).map_err(|malformed| malformed.defect)
    }

    fn framed<'p>(
        framing: Framing,
        max: usize,
        pieces: impl IntoIterator<Item = &'p [u8]>,
        policy: TruncatedPolicy,
    ) -> Cut {
        let mut framer = Framer::new(framing, max);
        let mut cut = Vec::new();
        for piece in pieces {
            framer.push(piece, |line| cut.push(owned(line)));
        }
        framer.finish(policy, |line| cut.push(owned(line)));
        cut
    }

    /// What a body may be made of, in all its bad orders.
    fn body() -> impl Strategy<Value = Vec<u8>> {
        let token = prop::sample::select(vec![
            "\n",
            "\r\n",
            "\r",
            " ",
            "[",
            "]",
            ",",
            "{",
            "}",
            "\"",
            "\\",
            "a",
            "1",
            "true",
            "nul",
            "{\"a\":1}",
            "[{},",
            "0123456789012345678901234567890",
            "\u{e9}",
        ]);
        prop::collection::vec(token, 0..30).prop_map(|tokens| tokens.concat().into_bytes())
    }

    /// Cuts of a body into pieces, some of them empty.
    fn pieces(body: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|window| body[window[0]..window[1]].to_vec()).collect()
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same_lines(
            body in body(),
            cuts in prop::collection::vec(any::<usize>(), 0..20),
            max in 1..40usize,
        ) {
            let whole: Cut = lines(&body, max).map(owned).collect();
            let pieces = pieces(&body, &cuts);
            let in_pieces = || pieces.iter().map(Vec::as_slice);
            prop_assert_eq!(&framed(Framing::Body, max, in_pieces(), TruncatedPolicy::Line), &whole);
            let bytes = body.chunks(1);
            prop_assert_eq!(&framed(Framing::Body, max, bytes, TruncatedPolicy::Line), &whole);
        }

        #[test]
        fn newline_framing_is_what_split_gives(body in body(), cuts in prop::collection::vec(any::<usize>(), 0..20)) {
            let expected: Cut = body
                .split(|byte| *byte == b'\n')
                .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
                .filter(|line| !line.is_empty())
                .map(|line| if line.len() > 20 { Err(Defect::TooLong) } else { Ok(line.to_vec()) })
                .collect();
            let pieces = pieces(&body, &cuts);
            let cut = framed(Framing::Newline, 20, pieces.iter().map(Vec::as_slice), TruncatedPolicy::Line);
            prop_assert_eq!(cut, expected);
        }

        #[test]
        fn a_closed_connection_costs_at_most_its_last_line(body in body()) {
            let as_file = framed(Framing::Newline, 20, [body.as_slice()], TruncatedPolicy::Line);
            let as_connection = framed(Framing::Newline, 20, [body.as_slice()], TruncatedPolicy::Truncated);
            let mut expected = as_file;
            let last = body.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            if !matches!(last, b"" | b"\r") && let Some(line) = expected.last_mut().filter(|line| line.is_ok()) {
                *line = Err(Defect::Truncated);
            }
            prop_assert_eq!(as_connection, expected);
        }
    }

    #[test]
    fn the_beginning_of_an_array_may_come_late_but_not_any_late() {
        let spaced = |spaces: usize| format!("{}[{{}},{{}}]", " ".repeat(spaces)).into_bytes();
        for (spaces, expected) in [(0, 2), (1_000, 2), (5_000, 1)] {
            let body = spaced(spaces);
            assert_eq!(lines(&body, 10_000).count(), expected, "{spaces}");
            let cut = framed(Framing::Body, 10_000, body.chunks(7), TruncatedPolicy::Line);
            assert_eq!(cut.len(), expected, "{spaces}");
        }
    }

    #[test]
    fn a_huge_line_costs_no_more_than_its_bound() {
        let piece = vec![b'x'; 1 << 16];
        let mut framer = Framer::new(Framing::Body, 1 << 14);
        let mut cut = Vec::new();
        framer.push(b"first\n", |line| cut.push(owned(line)));
        for _ in 0..300 {
            framer.push(&piece, |line| cut.push(owned(line)));
        }
        let Kind::Lines(inner) = &framer.kind else { panic!("not by lines") };
        assert!(inner.held.capacity() <= 2 << 14, "{}", inner.held.capacity());
        framer.push(b"end\nlast\n", |line| cut.push(owned(line)));
        framer.finish(TruncatedPolicy::Truncated, |line| cut.push(owned(line)));
        assert_eq!(cut, [Ok(b"first".to_vec()), Err(Defect::TooLong), Ok(b"last".to_vec())]);
    }
}
