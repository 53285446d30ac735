//! Lines out of a body that comes in pieces, such as a file.
//!
//! For any cutting of the same bytes the same lines come out, and the same as from [`lines`](super::lines).
//! Lines that lie within one piece are given as they stand there; only one that is cut by a piece's end is
//! copied, and of that never more than a line may have: a 300 MB line costs its bound, is one
//! [`Defect::TooLong`], and the next line is read as if nothing had been.

use std::mem;

use super::Line;
use super::splitter::{Begin, Splitter};
use crate::event::Defect;

/// Cuts a body into lines. See the module's head for what always holds.
#[derive(Debug)]
pub struct Framer {
    splitter: Splitter,
    max_line_bytes: usize,
    held: Held,
    /// What was held, with what came after it: lines are given of it until the next piece.
    joined: Vec<u8>,
}

/// What came of a line that has not ended.
#[derive(Debug, Default)]
struct Held {
    /// The beginning of the line, or what is yet too little to tell an array from lines.
    bytes: Vec<u8>,
    /// A line has begun.
    within: bool,
    /// What is held of it is not all of it.
    too_long: bool,
}

impl Held {
    /// Keeps a line's beginning, as much as a line and a carriage return may have.
    fn hold(&mut self, part: &[u8], max_line_bytes: usize) {
        let room = max_line_bytes.saturating_add(1) - self.bytes.len();
        self.too_long |= part.len() > room;
        self.bytes.extend_from_slice(&part[..part.len().min(room)]);
        self.within = true;
    }

    /// The line that `joined` holds now, which is all of it.
    fn end<'p>(
        &mut self,
        joined: &'p mut Vec<u8>,
        splitter: &Splitter,
        max_line_bytes: usize,
    ) -> Option<Line<'p>> {
        mem::swap(&mut self.bytes, joined);
        self.bytes.clear();
        self.within = false;
        if mem::take(&mut self.too_long) {
            return Some(Err(Defect::TooLong.into()));
        }
        splitter.line(joined, max_line_bytes)
    }
}

impl Framer {
    /// A line of more than `max_line_bytes` is [`Defect::TooLong`].
    pub fn new(max_line_bytes: usize) -> Self {
        let (splitter, held, joined) = (Splitter::for_body(), Held::default(), Vec::new());
        Self { splitter, max_line_bytes, held, joined }
    }

    /// Takes the next piece and gives each line that ends in it to `each`.
    pub fn push<'p>(&'p mut self, piece: &'p [u8], mut each: impl FnMut(Line<'p>)) {
        let Self { splitter, max_line_bytes, held, joined } = self;
        if held.within {
            let Some(end) = splitter.end(piece) else { return held.hold(piece, *max_line_bytes) };
            held.hold(&piece[..end], *max_line_bytes);
            held.end(joined, splitter, *max_line_bytes).into_iter().for_each(&mut each);
            cut(splitter, &piece[end + 1..], held, *max_line_bytes, false, &mut each);
        } else if held.bytes.is_empty() {
            cut(splitter, piece, held, *max_line_bytes, false, &mut each);
        } else {
            mem::swap(&mut held.bytes, joined);
            held.bytes.clear();
            joined.extend_from_slice(piece);
            cut(splitter, joined, held, *max_line_bytes, false, &mut each);
        }
    }

    /// Ends the body; a line may be left.
    pub fn finish(mut self, mut each: impl FnMut(Line<'_>)) {
        let Self { splitter, max_line_bytes, held, joined } = &mut self;
        if !held.within {
            let undecided = mem::take(&mut held.bytes);
            cut(splitter, &undecided, held, *max_line_bytes, true, &mut each);
        }
        if held.within {
            held.end(joined, splitter, *max_line_bytes).into_iter().for_each(&mut each);
        }
    }
}

/// Gives the lines that end in the input, and holds what remains. Nothing follows input that is `complete`.
fn cut<'p>(
    splitter: &mut Splitter,
    mut input: &'p [u8],
    held: &mut Held,
    max_line_bytes: usize,
    complete: bool,
    each: &mut impl FnMut(Line<'p>),
) {
    loop {
        match splitter.begin(input, complete) {
            Begin::Line(line) => input = line,
            Begin::Unknown(undecided) => return held.bytes.extend_from_slice(undecided),
        }
        if input.is_empty() {
            return;
        }
        let Some(end) = splitter.end(input) else {
            return held.hold(input, max_line_bytes);
        };
        splitter.line(&input[..end], max_line_bytes).into_iter().for_each(&mut *each);
        input = &input[end + 1..];
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

    fn framed<'p>(max: usize, pieces: impl IntoIterator<Item = &'p [u8]>) -> Cut {
        let mut framer = Framer::new(max);
        let mut cut = Vec::new();
        for piece in pieces {
            framer.push(piece, |line| cut.push(owned(line)));
        }
        framer.finish(|line| cut.push(owned(line)));
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
            prop_assert_eq!(&framed(max, in_pieces()), &whole);
            let bytes = body.chunks(1);
            prop_assert_eq!(&framed(max, bytes), &whole);
        }
    }

    #[test]
    fn the_beginning_of_an_array_may_come_late_but_not_any_late() {
        let spaced = |spaces: usize| format!("{}[{{}},{{}}]", " ".repeat(spaces)).into_bytes();
        for (spaces, expected) in [(0, 2), (1_000, 2), (5_000, 1)] {
            let body = spaced(spaces);
            assert_eq!(lines(&body, 10_000).count(), expected, "{spaces}");
            let cut = framed(10_000, body.chunks(7));
            assert_eq!(cut.len(), expected, "{spaces}");
        }
    }

    #[test]
    fn a_huge_line_costs_no_more_than_its_bound() {
        let piece = vec![b'x'; 1 << 16];
        let mut framer = Framer::new(1 << 14);
        let mut cut = Vec::new();
        framer.push(b"first\n", |line| cut.push(owned(line)));
        for _ in 0..300 {
            framer.push(&piece, |line| cut.push(owned(line)));
        }
        assert!(framer.held.bytes.capacity() <= 2 << 14, "{}", framer.held.bytes.capacity());
        framer.push(b"end\nlast\n", |line| cut.push(owned(line)));
        framer.finish(|line| cut.push(owned(line)));
        assert_eq!(cut, [Ok(b"first".to_vec()), Err(Defect::TooLong), Ok(b"last".to_vec())]);
    }
}
