//! One JSON object a line, read in one pass into a [`Draft`].
//!
//! RFC 8259, and what Fastly makes of it besides: an empty value (`"n":,`) is absent, `\xHH` is the byte HH
//! and `\v` a vertical tab (VCL's `cstr_escape`), a lone surrogate is kept apart from others, and raw control
//! bytes and bytes that are not UTF-8 may stand in strings. All else is checked, unknown keys' values included:
//! a line that is not one object and nothing more is [`Defect::BadJson`]. Nested values are skipped to a
//! fixed depth. Strings without escapes are borrowed.

mod keys;
mod string;

use std::borrow::Cow;

use nom::IResult;

use super::draft::Draft;
use super::value::Value;
use crate::event::Defect;

pub(super) use string::unescape;

/// How deep arrays and objects may stand in one another.
const MAX_DEPTH: usize = 128;

const ERROR: nom::Err<()> = nom::Err::Error(());

type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

/// Reads a whole line.
pub(super) fn parse<'a>(line: &'a [u8], draft: &mut Draft<'a>) -> Result<(), Defect> {
    match members(space(line), |key, value| {
        if let Some((meaning, rank)) = keys::meaning_of(key) {
            draft.set(meaning, rank, value);
        }
    }) {
        Ok((rest, ())) if space(rest).is_empty() => Ok(()),
        _ => Err(Defect::BadJson),
    }
}

/// An object, each of its members given to `each`.
fn members<'a>(input: &'a [u8], mut each: impl FnMut(&[u8], Value<'a>)) -> Parsed<'a, ()> {
    let mut input = input.strip_prefix(b"{").ok_or(ERROR)?;
    if let Some(rest) = space(input).strip_prefix(b"}") {
        return Ok((rest, ()));
    }
    loop {
        let (rest, key) = string::string(space(input))?;
        let rest = space(rest).strip_prefix(b":").ok_or(ERROR)?;
        let (rest, value) = value(space(rest), MAX_DEPTH - 1)?;
        match key {
            Value::Escaped(key) => each(&Cow::<[u8]>::Owned(unescape(key)), value),
            Value::Plain(key) => each(key, value),
            _ => return Err(ERROR),
        }
        match space(rest) {
            [b',', rest @ ..] => input = rest,
            [b'}', rest @ ..] => return Ok((rest, ())),
            _ => return Err(ERROR),
        }
    }
}

/// Any value; what is nested may be `depth` deep. Nothing before a `,` or a `}` is an absent value.
fn value(input: &[u8], depth: usize) -> Parsed<'_, Value<'_>> {
    match input {
        [b'"', ..] => string::string(input),
        [b',' | b'}', ..] => Ok((input, Value::Absent)),
        [b'-' | b'0'..=b'9', ..] => number(input),
        [b't', b'r', b'u', b'e', rest @ ..] => Ok((rest, Value::Literal(b"true"))),
        [b'f', b'a', b'l', b's', b'e', rest @ ..] => Ok((rest, Value::Literal(b"false"))),
        [b'n', b'u', b'l', b'l', rest @ ..] => Ok((rest, Value::Absent)),
        [b'{' | b'[', ..] => nested(input, depth).map(|(rest, ())| (rest, Value::Nested)),
        _ => Err(ERROR),
    }
}

/// An object or an array, checked and passed over.
fn nested(input: &[u8], depth: usize) -> Parsed<'_, ()> {
    let depth = depth.checked_sub(1).ok_or(ERROR)?;
    let (mut input, object) = match input {
        [b'{', rest @ ..] => (space(rest), true),
        [b'[', rest @ ..] => (space(rest), false),
        _ => return Err(ERROR),
    };
    let end = if object { b'}' } else { b']' };
    if let [first, rest @ ..] = input
        && *first == end
    {
        return Ok((rest, ()));
    }
    loop {
        if object {
            let (rest, _) = string::string(space(input))?;
            input = space(rest).strip_prefix(b":").ok_or(ERROR)?;
        }
        let (rest, item) = value(space(input), depth)?;
        if !object && item == Value::Absent && rest.len() == space(input).len() {
            return Err(ERROR);
        }
        match space(rest) {
            [b',', rest @ ..] => input = rest,
            [last, rest @ ..] if *last == end => return Ok((rest, ())),
            _ => return Err(ERROR),
        }
    }
}

/// A number's literal: `-12.5e+3`, without leading zeros.
fn number(input: &[u8]) -> Parsed<'_, Value<'_>> {
    let mut at = usize::from(input.first() == Some(&b'-'));
    let digits = |from: usize| input[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(at);
    if whole == 0 || (whole > 1 && input[at] == b'0') {
        return Err(ERROR);
    }
    at += whole;
    if input.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return Err(ERROR);
        }
        at += 1 + fraction;
    }
    if matches!(input.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(input.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at.min(input.len()));
        if exponent == 0 {
            return Err(ERROR);
        }
        at += exponent;
    }
    let (literal, rest) = input.split_at(at);
    Ok((rest, Value::Literal(literal)))
}

/// Passes over JSON's white space.
#[inline]
pub(super) fn space(input: &[u8]) -> &[u8] {
    match input {
        [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] => long_space(rest),
        _ => input,
    }
}

fn long_space(input: &[u8]) -> &[u8] {
    let end = input.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    &input[end.unwrap_or(input.len())..]
}
