//! One JSON object a line, read in one pass into a [`Draft`].
//!
//! RFC 8259, and what Fastly makes of it besides: an empty value (`"n":,`) is absent, `\xHH` is the byte HH
//! and `\v` a vertical tab (VCL's `cstr_escape`), a lone surrogate is kept apart from others, and raw control
//! bytes and bytes that are not UTF-8 may stand in strings. All else is checked, unknown keys' values included:
//! a line that is not one object and nothing more is [`Defect::BadJson`]. Nested values are skipped to a
//! fixed depth. Strings without escapes are borrowed.

mod keys;
mod known;
mod string;
mod version1;

use nom::IResult;

use super::draft::Draft;
use super::value::{Kind, Value};
use crate::event::Defect;

pub(super) use keys::{Keys, Target};
pub(super) use known::{known_keys, known_origins};
pub(super) use string::unescape;
pub(super) use version1::version_1;

/// How deep arrays and objects may stand in one another.
const MAX_DEPTH: usize = 128;

const ERROR: nom::Err<()> = nom::Err::Error(());

/// Reads a whole line.
pub(super) fn parse<'a>(line: &'a [u8], keys: &Keys, draft: &mut Draft<'a>) -> Result<(), Defect> {
    match object(space(line), keys, draft) {
        Ok((rest, ())) if space(rest).is_empty() => Ok(()),
        _ => Err(Defect::BadJson),
    }
}

/// An object; what its keys are known for goes into the draft.
fn object<'a>(input: &'a [u8], keys: &Keys, draft: &mut Draft<'a>) -> IResult<&'a [u8], (), ()> {
    let mut input = space(input.strip_prefix(b"{").ok_or(ERROR)?);
    if let [b'}', rest @ ..] = input {
        return Ok((rest, ()));
    }
    let mut expected = 0;
    loop {
        if let Some((target, value, rest)) = keys.usual(input, expected) {
            take(target, value, draft);
            expected += 1;
            input = rest;
        } else {
            let (length, row) = keys.find(input, expected).ok_or(ERROR)?;
            expected = row.map_or(expected, |row| row + 1);
            input = member(space(&input[length..]), keys.target(row), draft)?;
        }
        match input {
            [b',', rest @ ..] if rest.first() == Some(&b'"') => input = rest,
            _ => match space(input) {
                [b',', rest @ ..] => input = space(rest),
                [b'}', rest @ ..] => return Ok((rest, ())),
                _ => return Err(ERROR),
            },
        }
    }
}

/// A value of any form, and what follows it.
#[inline(never)]
fn member<'a>(input: &'a [u8], target: &Target, draft: &mut Draft<'a>) -> Result<&'a [u8], nom::Err<()>> {
    if let (Target::Object(inner), [b'{', ..]) = (target, input) {
        return object(input, inner, draft).map(|(rest, ())| rest);
    }
    let (rest, value) = match value(input, MAX_DEPTH - 1) {
        Some(found) => found,
        None => bare_word(input).ok_or(ERROR)?,
    };
    take(target, value, draft);
    Ok(rest)
}

#[inline(always)]
fn take<'a>(target: &Target, value: Value<'a>, draft: &mut Draft<'a>) {
    match target {
        Target::Value(meaning, rank) => draft.set(*meaning, *rank, value),
        other => put(other, value.kind, value.text, draft),
    }
}

/// Puts a value where a format string wants it.
#[inline(never)]
fn put<'a>(target: &Target, kind: Kind, text: &'a [u8], draft: &mut Draft<'a>) {
    let value = Value { kind, text };
    match target {
        Target::Nothing | Target::Object(_) => {}
        Target::Value(meaning, rank) => draft.set(*meaning, *rank, value),
        Target::Column(column) => column.put(value, None, draft),
        // What does not match has none of the values.
        Target::Text(_) if matches!(kind, Kind::Absent | Kind::Nested) => {}
        Target::Text(format) => drop(format.parse(text, draft)),
    }
}

/// Fastly prints these for what is not there, also where a format has no quotes around it.
#[cold]
fn bare_word(input: &[u8]) -> Option<(&[u8], Value<'_>)> {
    let words: [&[u8]; 3] = [b"-", b"(null)", b"?"];
    let word = words.into_iter().find(|word| input.starts_with(word))?;
    let (text, rest) = input.split_at(word.len());
    Some((rest, Value { kind: Kind::Plain, text }))
}

/// Any value; what is nested may be `depth` deep. Nothing before a `,` or a `}` is an absent value.
#[inline(always)]
fn value(input: &[u8], depth: usize) -> Option<(&[u8], Value<'_>)> {
    if let [b'"', ..] = input {
        return string::string(input);
    }
    let (kind, length) = bare_value(input, depth)?;
    let (text, rest) = input.split_at(length);
    Some((rest, Value { kind, text }))
}

/// Any value but a string: what it is and how many bytes it takes.
fn bare_value(input: &[u8], depth: usize) -> Option<(Kind, usize)> {
    Some(match input {
        [b',' | b'}', ..] => (Kind::Absent, 0),
        [b'-' | b'0'..=b'9', ..] => (Kind::Plain, number(input)?),
        [b't', b'r', b'u', b'e', ..] => (Kind::Plain, 4),
        [b'f', b'a', b'l', b's', b'e', ..] => (Kind::Plain, 5),
        [b'n', b'u', b'l', b'l', ..] => (Kind::Absent, 4),
        [b'{' | b'[', ..] => (Kind::Nested, input.len() - nested(input, depth)?.len()),
        _ => return None,
    })
}

/// What follows an object or an array, which is checked.
fn nested(input: &[u8], depth: usize) -> Option<&[u8]> {
    let depth = depth.checked_sub(1)?;
    let (object, end) = if input[0] == b'{' { (true, b'}') } else { (false, b']') };
    let mut input = space(&input[1..]);
    if input.first() == Some(&end) {
        return Some(&input[1..]);
    }
    loop {
        if object {
            let (rest, _) = string::string(input)?;
            input = space(space(rest).strip_prefix(b":")?);
        }
        let (rest, _) = value(input, depth)?;
        if !object && rest.len() == input.len() {
            return None;
        }
        match space(rest) {
            [b',', rest @ ..] => input = space(rest),
            [last, rest @ ..] if *last == end => return Some(rest),
            _ => return None,
        }
    }
}

/// How long a number such as `-12.5e+3` is, which has no leading zeros.
fn number(input: &[u8]) -> Option<usize> {
    let sign = usize::from(input[0] == b'-');
    let whole = digits(&input[sign..]);
    if whole == 0 || (whole > 1 && input[sign] == b'0') {
        return None;
    }
    let length = sign + whole;
    match input.get(length) {
        Some(b'.' | b'e' | b'E') => with_fraction(input, length),
        _ => Some(length),
    }
}

/// As [`number`], of which `length` bytes are seen.
#[cold]
fn with_fraction(input: &[u8], mut length: usize) -> Option<usize> {
    let at_least_one = |from: usize| Some(digits(input.get(from..)?)).filter(|digits| *digits > 0);
    if input.get(length) == Some(&b'.') {
        length += 1 + at_least_one(length + 1)?;
    }
    if let Some(b'e' | b'E') = input.get(length) {
        length += 1 + usize::from(matches!(input.get(length + 1), Some(b'+' | b'-')));
        length += at_least_one(length)?;
    }
    Some(length)
}

/// How many digits the input begins with.
#[inline(always)]
fn digits(input: &[u8]) -> usize {
    let (words, tail) = input.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        // Digits become 0 to 9; from 10 on the addition sets a byte's high bit.
        let word = u64::from_le_bytes(*word) ^ 0x3030_3030_3030_3030;
        let others = (word.wrapping_add(0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080;
        if others != 0 {
            return index * 8 + others.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + tail.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Passes over JSON's white space.
#[inline(always)]
fn space(input: &[u8]) -> &[u8] {
    match input {
        [first, ..] if *first <= b' ' => long_space(input),
        _ => input,
    }
}

#[inline(never)]
fn long_space(input: &[u8]) -> &[u8] {
    let end = input.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    &input[end.unwrap_or(input.len())..]
}
