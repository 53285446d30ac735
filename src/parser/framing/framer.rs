//! Lines out of a body that comes in pieces, such as a file.
//!
//! For any cutting of the same bytes the same lines come out, and the same as from [`lines`](super::lines). What does not
//! end in a piece is kept and stands before what is read next, so that lines are always given as they stand in one piece,
//! and can be cut from it elsewhere while the next piece is read. Of a line never more is kept than it may have: a 300 MB
//! line costs its bound, is one [`Defect::TooLong`], and the next line is read as if nothing had been.
//!
//! [`Defect::TooLong`]: crate::event::Defect::TooLong

use memchr::memrchr;

use super::Lines;
use super::splitter::{Begin, End, Splitter};

/// Cuts a body into lines. See the module's head for what always holds.
#[derive(Debug)]
pub struct Framer {
    max_line_bytes: usize,
    /// As of the beginning of what is kept.
    begin: Splitter,
    /// What no line was given of: the beginning of one, or what is yet too little to tell an array from lines.
    kept: Vec<u8>,
    /// As of the end of what was read, where that is within the line that is kept.
    within: Option<Splitter>,
    is_at_end: bool,
}

impl Framer {
    /// A line of more than `max_line_bytes` is too long.
    pub fn new(max_line_bytes: usize) -> Self {
        let (begin, kept) = (Splitter::for_body(), Vec::new());
        Self { max_line_bytes, begin, kept, within: None, is_at_end: false }
    }

    /// Nothing was left to be read: there is no line any more.
    pub fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Reads up to so many bytes, and gives the lines that end in them, which may be none. `read` tells how many bytes it
    /// has read; none are the body's end. What it fails with changes nothing. `piece` holds the lines, and grows to what
    /// that takes.
    pub fn next<'p, E>(
        &mut self,
        piece: &'p mut Vec<u8>,
        piece_bytes: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Lines<'p>, E> {
        let kept = self.kept.len();
        if piece.len() < kept + piece_bytes {
            piece.resize(kept + piece_bytes, 0);
        }
        let count = read(&mut piece[kept..kept + piece_bytes])?;
        self.is_at_end = count == 0;
        piece[..kept].copy_from_slice(&self.kept);
        let (text, splitter) = (&piece[..kept + count], self.begin.clone());
        let rest = if self.is_at_end { text } else { self.cut(text) };
        Ok(Lines { rest, splitter, max_line_bytes: self.max_line_bytes })
    }

    /// Gives the text up to where the last line ends, and keeps what is begun behind that.
    fn cut<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let (mut splitter, mut ended) = (self.begin.clone(), 0);
        if let Some(mut within) = self.within.take() {
            let kept = self.kept.len();
            let Some(end) = within.end(&text[kept..]) else {
                self.within = Some(within);
                self.keep(text);
                return &[];
            };
            (splitter, ended) = (within, kept + end.next);
            if kept > self.max_line_bytes.saturating_add(1) {
                // What is kept of the line is too long by itself, and all that will be given of it.
                self.begin = splitter;
                self.keep(&text[ended..]);
                return &text[..kept];
            }
        }
        loop {
            let begin = splitter.begin(&text[ended..], false);
            self.begin = splitter.clone();
            let (Begin::Line(input) | Begin::Unknown(input)) = begin;
            let end = match (begin, &mut splitter) {
                (Begin::Unknown(_), _) => None,
                (_, Splitter::Lines) => memrchr(b'\n', input).map(End::at),
                _ => splitter.end(input),
            };
            let Some(end) = end else {
                self.within = matches!(begin, Begin::Line([_, ..])).then_some(splitter);
                self.keep(input);
                return &text[..ended];
            };
            ended = text.len() - input.len() + end.next;
        }
    }

    /// Keeps what is not to be given yet; of a line as much as shows that it is too long.
    fn keep(&mut self, text: &[u8]) {
        let most = if self.within.is_some() { self.max_line_bytes.saturating_add(2) } else { text.len() };
        self.kept.clear();
        self.kept.extend_from_slice(&text[..text.len().min(most)]);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::event::Defect;
    use crate::parser::{Line, lines};

    /// Lines, owned; a defect for one that cannot be had.
    type Cut = Vec<Result<Vec<u8>, Defect>>;

    fn owned(line: Line<'_>) -> Result<Vec<u8>, Defect> {
        line.map(<[u8]>::to_vec).map_err(|malformed| malformed.defect)
    }

    fn read(piece: Option<&[u8]>, room: &mut [u8]) -> Result<usize, Infallible> {
        let piece = piece.unwrap_or_default();
        room[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }

    fn framed<'p>(max: usize, pieces: impl IntoIterator<Item = &'p [u8]>) -> Cut {
        let mut framer = Framer::new(max);
        let (mut cut, mut room) = (Vec::new(), Vec::new());
        let mut pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        while !framer.is_at_end() {
            let lines = framer.next(&mut room, 1 << 16, |room| read(pieces.next(), room)).unwrap();
            cut.extend(lines.map(owned));
        }
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
        const BYTES: usize = 1 << 14;
        let (mut framer, mut room, mut cut) = (Framer::new(BYTES), Vec::new(), Vec::new());
        let huge = vec![b'x'; BYTES];
        let pieces = [&b"first\n"[..]].into_iter().chain([&huge[..]; 300]).chain([&b"end\nlast\n"[..], b""]);
        for piece in pieces {
            let lines = framer.next(&mut room, BYTES, |room| read(Some(piece), room)).unwrap();
            cut.extend(lines.map(owned));
            assert!(framer.kept.capacity() <= 2 * BYTES, "{}", framer.kept.capacity());
        }
        assert!(framer.is_at_end() && room.capacity() <= 4 * BYTES, "{}", room.capacity());
        assert_eq!(cut, [Ok(b"first".to_vec()), Err(Defect::TooLong), Ok(b"last".to_vec())]);
    }

    #[test]
    fn a_failure_to_read_loses_nothing() {
        let (mut framer, mut room) = (Framer::new(9), Vec::new());
        let mut next = |piece: Result<&'static [u8], ()>| {
            let lines =
                framer.next(&mut room, 9, |room| piece.map(|piece| read(Some(piece), room).unwrap()))?;
            Ok(lines.map(owned).collect::<Cut>())
        };
        assert_eq!(next(Ok(b"a\nb")), Ok(vec![Ok(b"a".to_vec())]));
        assert_eq!(next(Err(())), Err(()));
        assert_eq!(next(Ok(b"c\n")), Ok(vec![Ok(b"bc".to_vec())]));
    }
}
