//! JSON strings: finding their end, checking their escapes, undoing them.

use std::num::NonZero;

use memchr::memchr2;

use crate::parser::value::{Kind, Value};

/// A string with its quotes. Escapes are checked here, so that undoing them cannot fail.
#[inline(always)]
pub(super) fn string(input: &[u8]) -> Option<(&[u8], Value<'_>)> {
    let input = input.strip_prefix(b"\"")?;
    let end = special(input)?;
    let (text, rest) = input.split_at_checked(end)?;
    let (mark, rest) = rest.split_first()?;
    if *mark == b'\\' {
        let end = end_after_escapes(input, end)?;
        return Some((&input[end + 1..], Value { kind: Kind::Escaped, text: &input[..end] }));
    }
    Some((rest, Value { kind: Kind::Plain, text }))
}

/// How long the text is that a quote ends, if there are no escapes in it.
#[inline(always)]
pub(super) fn plain(input: &[u8]) -> Option<usize> {
    special(input).filter(|end| input[*end] == b'"')
}

/// What stands before the first quote or backslash, and all from that on. None also where the input ends soon behind it.
#[inline(always)]
pub(super) fn up_to_mark(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = input;
    loop {
        if let Some(marks) = NonZero::new(marks(rest.first_chunk()?)) {
            let (_, rest) = rest.split_at_checked(marks.trailing_zeros() as usize)?;
            let (text, _) = input.split_at_checked(input.len() - rest.len())?;
            return Some((text, rest));
        }
        rest = &rest[WINDOW..];
    }
}

#[inline(never)]
fn end_after_escapes(input: &[u8], mut at: usize) -> Option<usize> {
    while input[at] == b'\\' {
        at += escape(&input[at..])?.0;
        at += special(&input[at..])?;
    }
    Some(at)
}

/// Where the first quote or backslash is. Most strings are shorter than a window.
#[inline(always)]
fn special(input: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(window) = input.get(at..)?.first_chunk() {
        match NonZero::new(marks(window)) {
            None => at += WINDOW,
            Some(marks) => return Some(at + marks.trailing_zeros() as usize),
        }
    }
    memchr2(b'"', b'\\', &input[at..]).map(|found| at + found)
}

/// Bytes that are looked at together.
const WINDOW: usize = 16;

/// A bit for each quote and backslash.
#[inline(always)]
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "half of the time that plain numbers would take for it")]
fn marks(window: &[u8; WINDOW]) -> u16 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    };
    // SAFETY: SSE2 is a part of x86-64, and the window has the 16 bytes that are loaded, which need no alignment.
    unsafe {
        let bytes = _mm_loadu_si128(window.as_ptr().cast());
        let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        _mm_movemask_epi8(_mm_or_si128(quotes, backslashes)) as u16
    }
}

#[inline(always)]
#[cfg(not(target_arch = "x86_64"))]
fn marks(window: &[u8; WINDOW]) -> u16 {
    let mark = |(at, byte): (usize, &u8)| u16::from(matches!(byte, b'"' | b'\\')) << at;
    window.iter().enumerate().map(mark).sum()
}

/// What a string's escapes stand for. Only for what [`string`] has checked; a stray backslash is kept.
pub(in crate::parser) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..backslash]);
        rest = &rest[backslash..];
        match escape(rest) {
            Some((length, Escape::Byte(byte))) => {
                plain.push(byte);
                rest = &rest[length..];
            }
            Some((length, Escape::CodePoint(code))) => {
                push_code_point(&mut plain, code);
                rest = &rest[length..];
            }
            None => {
                plain.push(b'\\');
                rest = &rest[1..];
            }
        }
    }
    plain.extend_from_slice(rest);
    plain
}

enum Escape {
    Byte(u8),
    /// May be a lone surrogate.
    CodePoint(u32),
}

/// The escape at the beginning of `input`: its length and what it stands for.
fn escape(input: &[u8]) -> Option<(usize, Escape)> {
    let byte = |byte| Some((2, Escape::Byte(byte)));
    match *input.get(1)? {
        plain @ (b'"' | b'\\' | b'/') => byte(plain),
        b'b' => byte(0x08),
        b'f' => byte(0x0c),
        b'n' => byte(b'\n'),
        b'r' => byte(b'\r'),
        b't' => byte(b'\t'),
        b'v' => byte(0x0b),
        b'x' => Some((4, Escape::Byte(u8::try_from(hex(input.get(2..4)?)?).ok()?))),
        b'u' => unicode_escape(input),
        _ => None,
    }
}

/// `\uXXXX`, or two of them where they are a surrogate pair.
fn unicode_escape(input: &[u8]) -> Option<(usize, Escape)> {
    let unit = hex(input.get(2..6)?)?;
    let low = || match input.get(6..12)? {
        [b'\\', b'u', digits @ ..] => hex(digits).filter(|low| (0xdc00..0xe000).contains(low)),
        _ => None,
    };
    match unit {
        0xd800..0xdc00 => match low() {
            Some(low) => Some((12, Escape::CodePoint(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)))),
            None => Some((6, Escape::CodePoint(unit))),
        },
        _ => Some((6, Escape::CodePoint(unit))),
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

/// UTF-8; a lone surrogate becomes the three bytes UTF-8 would have for it, so that distinct stays distinct.
fn push_code_point(text: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => text.extend([
            0xe0 | (code >> 12) as u8,
            0x80 | (code >> 6 & 0x3f) as u8,
            0x80 | (code & 0x3f) as u8,
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unquoted(json: &str) -> Option<Vec<u8>> {
        let (rest, value) = string(json.as_bytes())?;
        assert_eq!(rest, b"");
        Some(if value.kind == Kind::Escaped { unescape(value.text) } else { value.text.to_vec() })
    }

    #[test]
    fn every_escape() {
        for (json, expected) in [
            (r#""""#, &b""[..]),
            (r#""plain""#, b"plain"),
            (r#""longer than eight bytes""#, b"longer than eight bytes"),
            (r#""\"\\\/\b\f\n\r\t""#, b"\"\\/\x08\x0c\n\r\t"),
            (r#""a\vb""#, b"a\x0bb"),
            (r#""caf\xe9 \x00\xFF""#, b"caf\xe9 \x00\xff"),
            (r#""\u0041\u00e9\u20AC""#, "Aé€".as_bytes()),
            (r#""\ud83d\ude00!""#, "😀!".as_bytes()),
            (r#""\ud83d""#, b"\xed\xa0\xbd"),
            (r#""\ude00""#, b"\xed\xb8\x80"),
            (r#""\ud83d\ud83d\ude00""#, b"\xed\xa0\xbd\xf0\x9f\x98\x80"),
            (r#""\ud83d\n""#, b"\xed\xa0\xbd\n"),
            (r#""\ud83dx""#, b"\xed\xa0\xbdx"),
            (r#""\\u0041""#, b"\\u0041"),
            (r#""ends in a backslash\\""#, b"ends in a backslash\\"),
            ("\"tab\tand \u{1}\"", b"tab\tand \x01"),
        ] {
            assert_eq!(unquoted(json).as_deref(), Some(expected), "{json}");
        }
    }

    #[test]
    fn broken_strings() {
        for json in [
            r#"""#,
            r#""open"#,
            r#""open\""#,
            r#""\"#,
            r#""\q""#,
            r#""\'""#,
            r#""\0""#,
            r#""\u12""#,
            r#""\u12g4""#,
            r#""\x1""#,
            r#""\xg0""#,
            r#""\u+123""#,
            "x",
        ] {
            assert_eq!(unquoted(json), None, "{json}");
        }
    }

    #[test]
    fn the_end_is_found_wherever_it_is() {
        for length in 0..40 {
            for filler in [b'a', 0xff, 0x21, 0x23, 0x5b, 0x5d, 0x00] {
                let mut json = vec![filler; length];
                json.extend(b"\"tail\"");
                assert_eq!(special(&json), Some(length));
                json[length] = b'\\';
                assert_eq!(special(&json), Some(length));
                assert_eq!(special(&json[..length]), None);
            }
        }
    }
}
