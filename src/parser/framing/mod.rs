//! Bytes into lines, apart from what the lines say.
//!
//! Lines end in `\n` or `\r\n`; one that is empty without its end is no line; one that is too long costs only
//! itself. A body that is a JSON array has its elements as lines. [`lines`] cuts a body that is in memory,
//! [`Framer`] one that is read in pieces; for any cutting into pieces both give the same lines.
//!
//! Framing is provable, never guessed: a digit at the beginning of a line is a digit.

mod array;
mod framer;
mod splitter;

use splitter::{Begin, End, Splitter};

pub use framer::Framer;

use crate::event::Malformed;

/// A line without its end, or why it cannot be had.
pub type Line<'a> = Result<&'a [u8], Malformed>;

/// The lines of `body`, in order; one of more than `max_line_bytes` is [`Defect::TooLong`].
///
/// [`Defect::TooLong`]: crate::event::Defect::TooLong
pub fn lines(body: &[u8], max_line_bytes: usize) -> Lines<'_> {
    Lines { rest: body, splitter: Splitter::for_body(), max_line_bytes }
}

/// See [`lines`].
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: &'a [u8],
    splitter: Splitter,
    max_line_bytes: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    #[inline]
    fn next(&mut self) -> Option<Line<'a>> {
        loop {
            let (Begin::Line(input) | Begin::Unknown(input)) = self.splitter.begin(self.rest, true);
            if input.is_empty() {
                return None;
            }
            let end = self.splitter.end(input).unwrap_or(End::before(input.len()));
            self.rest = &input[end.next..];
            let line = self.splitter.line(&input[..end.line], self.max_line_bytes);
            if line.is_some() {
                return line;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Defect::TooLong;

    const MAX: usize = 20;

    /// Lines as text; a defect as `!name`.
    fn cut(body: &str) -> Vec<String> {
        lines(body.as_bytes(), MAX)
            .map(|line| match line {
                Ok(line) => String::from_utf8_lossy(line).into_owned(),
                Err(malformed) => format!("!{}", malformed.defect.name()),
            })
            .collect()
    }

    #[test]
    fn lines_end_in_newlines() {
        for (body, expected) in [
            ("", &[][..]),
            ("\n\r\n\n", &[]),
            ("a\nb\r\nc", &["a", "b", "c"]),
            ("a\n", &["a"]),
            ("a\r", &["a"]),
            ("a\rb\n", &["a\rb"]),
            ("a\r\r\n", &["a\r"]),
            ("  \n\t", &["  ", "\t"]),
            ("123 456\n", &["123 456"]),
            ("12345678901234567890\r\n", &["12345678901234567890"]),
            ("123456789012345678901\nok\n", &["!too_long", "ok"]),
            ("123456789012345678901", &["!too_long"]),
        ] {
            assert_eq!(cut(body), expected, "{body:?}");
        }
        assert_eq!(lines(b"abc", 2).collect::<Vec<_>>(), [Err(TooLong.into())]);
    }

    #[test]
    fn an_array_is_its_elements() {
        for (body, expected) in [
            ("[]", &[][..]),
            ("[{\"a\":1},{\"b\":2}]", &["{\"a\":1}", "{\"b\":2}"]),
            (" \n[\n {\"a\":\n1} ,\r\n{}\n]\n", &["{\"a\":\n1}", "{}"]),
            ("[{\"a\":[1,{}]},{\"]\":\"\\\"],\"}]", &["{\"a\":[1,{}]}", "{\"]\":\"\\\"],\"}"]),
            ("[1 , null,\"x\",[2]]", &["1", "null", "\"x\"", "[2]"]),
            ("[{},]", &["{}"]),
            ("[{} {}]", &["{} {}"]),
            ("[{}", &["{}"]),
            ("[{\"a\":1", &["{\"a\":1"]),
            ("[{}]{}\n", &["{}", "{}"]),
            ("[{}] \n [1]\n\nrest", &["{}", "1", "rest"]),
            ("[{\"long\":\"123456789012\"},{}]", &["!too_long", "{}"]),
            ("[{\"a\":\"open\n{\"b\":2},{}]", &["{\"a\":\"open", "{\"b\":2}", "{}"]),
            ("[{}}},{}]", &["{}}}", "{}"]),
            ("[{\"a\":[1\n]}\n{}\r\n{}", &["{\"a\":[1\n]}", "{}", "{}"]),
            ("[\"a\"\n\"x\"\n,{}]", &["\"a\"", "\"x\"", "{}"]),
            ("[{}\n\n x{}\n , {}\n]\n{}", &["{}", "x{}", "{}", "{}"]),
        ] {
            assert_eq!(cut(body), expected, "{body:?}");
        }
    }

    #[test]
    fn a_bracket_alone_is_no_array() {
        for body in ["[14/Oct/2023:13] x", "[", "[ 14", "[nil]", "[truly]", "x[{}]", "[-]", "[Fri, 11 Nov]"] {
            assert_eq!(cut(body), [body]);
        }
    }
}
