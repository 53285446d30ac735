//! The VCL expressions that stand in `%{…}V`, as far as a log format needs them.
//!
//! Strings (`"…"` with `%22` escapes, and the long form, written `\{"…"\}` in a format string), numbers,
//! variables, calls, `+` and plain adjacency for concatenation, `!`, comparisons, `&&` and `||`. What they mean
//! is decided elsewhere.

use nom::branch::alt;
use nom::bytes::complete::{is_a, is_not, tag, take_until, take_while, take_while1};
use nom::character::complete::{char, multispace0, one_of, satisfy};
use nom::combinator::{all_consuming, map, opt, recognize, value};
use nom::multi::{many0, separated_list0};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

/// How deep parentheses may stand in one another.
const MAX_DEPTH: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Text(String),
    Number(String),
    /// Its name, in lower case: header names are of either case.
    Variable(String),
    Call(String, Vec<Expression>),
    Concat(Vec<Expression>),
    Not(Box<Expression>),
    Compare(Box<Expression>, Comparison, Box<Expression>),
    /// Several conditions joined.
    Joined(Vec<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    /// `~` or `!~`
    Matches,
}

type Parsed<'a, T> = IResult<&'a str, T, ()>;

/// Reads an expression; `None` where it is none that is known.
pub(super) fn expression(source: &str) -> Option<Expression> {
    let whole = delimited(multispace0, joined(MAX_DEPTH), multispace0);
    all_consuming(whole).parse(source).ok().map(|(_, expression)| expression)
}

fn joined<'a>(depth: usize) -> impl Parser<&'a str, Output = Expression, Error = ()> {
    move |input: &'a str| {
        let depth = depth.checked_sub(1).ok_or(nom::Err::Error(()))?;
        let (mut rest, first) = compared(depth, input)?;
        let mut all = vec![first];
        while let Ok((after, _)) = token(alt((tag("&&"), tag("||")))).parse(rest) {
            let (after, next) = compared(depth, after)?;
            all.push(next);
            rest = after;
        }
        Ok((rest, single_or(all, Expression::Joined)))
    }
}

fn compared(depth: usize, input: &str) -> Parsed<'_, Expression> {
    let operator = token(alt((
        value(Comparison::Equal, tag("==")),
        value(Comparison::NotEqual, tag("!=")),
        value(Comparison::AtMost, tag("<=")),
        value(Comparison::AtLeast, tag(">=")),
        value(Comparison::Less, tag("<")),
        value(Comparison::Greater, tag(">")),
        value(Comparison::Matches, alt((tag("!~"), tag("~")))),
    )));
    let (rest, left) = concatenated(depth, input)?;
    let (rest, right) = opt((operator, |input| concatenated(depth, input))).parse(rest)?;
    Ok((
        rest,
        match right {
            Some((operator, right)) => Expression::Compare(Box::new(left), operator, Box::new(right)),
            None => left,
        },
    ))
}

fn concatenated(depth: usize, input: &str) -> Parsed<'_, Expression> {
    let (rest, first) = unary(depth, input)?;
    let (rest, mut more) =
        many0(preceded(opt(token(terminated(char('+'), nom::combinator::not(char('+'))))), |input| {
            primary(depth, input)
        }))
        .parse(rest)?;
    more.insert(0, first);
    Ok((rest, single_or(more, Expression::Concat)))
}

fn unary(depth: usize, input: &str) -> Parsed<'_, Expression> {
    let (rest, negations) =
        map(many0(token(terminated(char('!'), nom::combinator::not(one_of("=~"))))), |all| all.len())
            .parse(input)?;
    let (rest, expression) = primary(depth, rest)?;
    let negated = |expression| Expression::Not(Box::new(expression));
    Ok((rest, if negations % 2 == 1 { negated(expression) } else { expression }))
}

fn primary(depth: usize, input: &str) -> Parsed<'_, Expression> {
    let call = map(
        (
            name,
            opt(delimited(
                token(char('(')),
                separated_list0(token(char(',')), joined(depth)),
                token(char(')')),
            )),
        ),
        |(name, arguments)| match arguments {
            Some(arguments) => Expression::Call(name, arguments),
            None => Expression::Variable(name),
        },
    );
    token(alt((
        map(long_string, |text| Expression::Text(text.to_owned())),
        map(short_string, Expression::Text),
        map(number, |text| Expression::Number(text.to_owned())),
        call,
        delimited(token(char('(')), joined(depth), token(char(')'))),
    )))
    .parse(input)
}

/// A token, and white space before it.
fn token<'a, O>(
    parser: impl Parser<&'a str, Output = O, Error = ()>,
) -> impl Parser<&'a str, Output = O, Error = ()> {
    preceded(multispace0, parser)
}

fn single_or(mut all: Vec<Expression>, several: impl FnOnce(Vec<Expression>) -> Expression) -> Expression {
    if all.len() == 1 { all.remove(0) } else { several(all) }
}

/// `{"…"}`, with its braces escaped or not.
fn long_string(input: &str) -> Parsed<'_, &str> {
    let escaped = delimited(tag("\\{\""), take_until("\"\\}"), tag("\"\\}"));
    alt((escaped, delimited(tag("{\""), take_until("\"}"), tag("\"}")))).parse(input)
}

/// `"…"`, where `%22` is a quote.
fn short_string(input: &str) -> Parsed<'_, String> {
    map(delimited(char('"'), opt(is_not("\"")), char('"')), |text: Option<&str>| {
        let mut plain = String::new();
        let mut rest = text.unwrap_or("");
        while let Some(at) = rest.find('%') {
            plain.push_str(&rest[..at]);
            let hex = rest.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
            match hex.filter(u8::is_ascii) {
                Some(byte) => {
                    plain.push(char::from(byte));
                    rest = &rest[at + 3..];
                }
                None => {
                    plain.push('%');
                    rest = &rest[at + 1..];
                }
            }
        }
        plain + rest
    })
    .parse(input)
}

/// A number, with the unit of a duration if it has one.
fn number(input: &str) -> Parsed<'_, &str> {
    let digits = |input| take_while1(|c: char| c.is_ascii_digit() || c == '.').parse(input);
    recognize((opt(char('-')), digits, opt(is_a("smhdy")))).parse(input)
}

/// `req.http.User-Agent`, `std.tolower`; also `req.http.Cookie:name`.
fn name(input: &str) -> Parsed<'_, String> {
    let first = satisfy(|c| c.is_ascii_alphabetic() || c == '_');
    let more = take_while(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | ':'));
    map(recognize((first, more)), str::to_ascii_lowercase).parse(input)
}

#[cfg(test)]
mod tests {
    use super::Expression::*;
    use super::*;

    fn variable(name: &str) -> Expression {
        Variable(name.to_owned())
    }

    fn text(text: &str) -> Expression {
        Text(text.to_owned())
    }

    #[test]
    fn expressions() {
        let url = || variable("req.url");
        for (source, expected) in [
            ("req.url", url()),
            (" req.http.User-Agent ", variable("req.http.user-agent")),
            ("json.escape( req.url )", Call("json.escape".into(), vec![url()])),
            (r#""a%22b%zz%""#, text("a\"b%zz%")),
            (r#"\{"a "quoted" %22"\}"#, text("a \"quoted\" %22")),
            (r#"{"plain"}"#, text("plain")),
            (r#""""#, text("")),
            (r#""" + req.url"#, Concat(vec![text(""), url()])),
            (r#"req.url " " -1"#, Concat(vec![url(), text(" "), Number("-1".into())])),
            ("(req.url)", url()),
            ("!req.url", Not(Box::new(url()))),
            ("!!req.url", url()),
            (r#"regsub(req.url, "\?.*$", "")"#, Call("regsub".into(), vec![url(), text(r"\?.*$"), text("")])),
            (
                r#"if(fastly.ff.visits_this_service == 0, "true","false")"#,
                Call(
                    "if".into(),
                    vec![
                        Compare(
                            Box::new(variable("fastly.ff.visits_this_service")),
                            Comparison::Equal,
                            Box::new(Number("0".into())),
                        ),
                        text("true"),
                        text("false"),
                    ],
                ),
            ),
            (
                "req.url !~ \"x\" && !req.url",
                Joined(vec![
                    Compare(Box::new(url()), Comparison::Matches, Box::new(text("x"))),
                    Not(Box::new(url())),
                ]),
            ),
            ("now()", Call("now".into(), vec![])),
            ("5m", Number("5m".into())),
        ] {
            assert_eq!(expression(source), Some(expected), "{source}");
        }
    }

    #[test]
    fn what_is_no_expression() {
        for source in ["", "req.url)", "if(", "\"open", "{\"open", "a b ==", "$x", "a = b"] {
            assert_eq!(expression(source), None, "{source}");
        }
        let deep = |depth| format!("{}req.url{}", "(".repeat(depth), ")".repeat(depth));
        assert!(expression(&deep(20)).is_some());
        assert!(expression(&deep(1_000_000)).is_none());
    }
}
