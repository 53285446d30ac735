//! A format string, cut into literal text and directives.
//!
//! Apache's syntax as Fastly has it: `%h`, `%>s`, `%{User-Agent}i`, `%{vcl expression}V`, `%%` for a percent
//! sign. Within `%{…}` a brace of the expression itself is written `\}`. Terraform's `%%{…}V` is read as
//! `%{…}V`. Conditions (`%400,501{…}i`) are passed over: where one is not met, `-` stands in the line.

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag};
use nom::character::complete::{char, digit1, one_of, satisfy};
use nom::combinator::{map, opt, recognize, value};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::FormatError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'f> {
    Literal(&'f str),
    Directive(Directive<'f>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive<'f> {
    /// What stands between the braces.
    pub(super) argument: Option<&'f str>,
    pub(super) letter: char,
    /// All of it, as it stands in the format.
    pub(super) source: &'f str,
    /// Its byte position in the format.
    pub(super) at: usize,
}

/// Cuts a format string into its pieces.
pub(super) fn pieces(format: &str) -> Result<Vec<Piece<'_>>, FormatError> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while !rest.is_empty() {
        let at = format.len() - rest.len();
        let (after, piece) = alt((literal, percent, directive)).parse(rest).map_err(|_| {
            let problem = if rest.contains('{') && !rest.contains('}') {
                "a directive's { that no } closes"
            } else {
                "a % that begins no directive (write %% for a percent sign)"
            };
            FormatError::Syntax { at, problem }
        })?;
        pieces.push(match piece {
            Piece::Directive(directive) => {
                Piece::Directive(Directive { source: &rest[..rest.len() - after.len()], at, ..directive })
            }
            literal @ Piece::Literal(_) => literal,
        });
        rest = after;
    }
    Ok(pieces)
}

fn literal(input: &str) -> IResult<&str, Piece<'_>> {
    map(is_not("%"), Piece::Literal).parse(input)
}

fn percent(input: &str) -> IResult<&str, Piece<'_>> {
    let (rest, _) = tag("%%").parse(input)?;
    if rest.starts_with('{') {
        return Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Tag)));
    }
    Ok((rest, Piece::Literal("%")))
}

fn directive(input: &str) -> IResult<&str, Piece<'_>> {
    let condition = recognize((opt(char('!')), separated_list1(char(','), digit1)));
    let start = (
        alt((terminated(tag("%"), nom::combinator::peek(nom::combinator::not(tag("%")))), tag("%%"))),
        opt(condition),
        opt(one_of("<>")),
    );
    let name = (opt(delimited(char('{'), argument, char('}'))), letter);
    map(preceded(start, name), |(argument, letter)| {
        Piece::Directive(Directive { argument, letter, source: "", at: 0 })
    })
    .parse(input)
}

/// Up to the brace that closes it: the first that is neither escaped nor within quotes; where quotes do not
/// pair up, the first that is not escaped.
fn argument(input: &str) -> IResult<&str, &str> {
    let closing = |mind_quotes: bool| {
        let (mut quoted, mut escaped) = (false, false);
        input.bytes().position(|byte| {
            let found = byte == b'}' && !escaped && !(quoted && mind_quotes);
            quoted ^= byte == b'"';
            escaped = byte == b'\\' && !escaped;
            found
        })
    };
    let end = closing(true)
        .or_else(|| closing(false))
        .ok_or_else(|| nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Eof)))?;
    Ok((&input[end..], &input[..end]))
}

/// The letter that says what a directive is; trailers (`%{X}^ti`) count as `^`.
fn letter(input: &str) -> IResult<&str, char> {
    alt((value('^', alt((tag("^ti"), tag("^to")))), satisfy(|letter| letter.is_ascii_alphabetic())))
        .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Literals as they are, directives as `<letter argument>`.
    fn shown(format: &str) -> String {
        let pieces = pieces(format).unwrap();
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => (*text).to_owned(),
                Piece::Directive(Directive { argument, letter, source, at }) => {
                    assert_eq!(&format[*at..at + source.len()], *source);
                    format!("<{letter} {}>", argument.unwrap_or("none"))
                }
            })
            .collect()
    }

    #[test]
    fn directives_and_literals() {
        for (format, expected) in [
            ("", ""),
            ("no directive", "no directive"),
            (r#"%h %l "%r" %>s %b"#, r#"<h none> <l none> "<r none>" <s none> <b none>"#),
            ("100%% of %U%q", "100% of <U none><q none>"),
            ("%{User-Agent}i|%{begin:%Y-%m-%d}t", "<i User-Agent>|<t begin:%Y-%m-%d>"),
            ("%!200,304{Referer}i %<s %400T", "<i Referer> <s none> <T none>"),
            ("%%{req.url}V", "<V req.url>"),
            (r#"%{strftime(\{"%Y"\}, time.start)}V,"#, r#"<V strftime(\{"%Y"\}, time.start)>,"#),
            (r#"%{if(req.url ~ "}", "a", "b")}V"#, r#"<V if(req.url ~ "}", "a", "b")>"#),
            (r#"%{"%Y-%m-%dT%T%z"}t"#, r#"<t "%Y-%m-%dT%T%z">"#),
            (r#"%{a"b}i"#, "<i a\"b>"),
            ("%{X}^ti", "<^ X>"),
        ] {
            assert_eq!(shown(format), expected, "{format}");
        }
    }

    #[test]
    fn what_is_no_directive_is_named_with_its_place() {
        for (format, at, word) in [
            ("%h %", 3, "percent sign"),
            ("%h %{User-Agent i", 3, "closes"),
            ("%{x}", 0, "directive"),
            ("%h %1", 3, "percent sign"),
            ("é%?", 2, "percent sign"),
        ] {
            let FormatError::Syntax { at: found, problem } = pieces(format).unwrap_err() else {
                panic!("{format}")
            };
            assert_eq!(found, at, "{format}");
            assert!(problem.contains(word), "{format}: {problem}");
        }
    }
}
