//! How many lines a body holds, as far as a bound needs to know.
//!
//! A line is what ends in a newline and is not blank; where the body is a JSON array, each element is one. Nothing else
//! about lines is looked at here, and nothing is checked: an array that is none, or broken, is rather held for
//! fewer lines than for more, since a batch refused is a batch lost.

use memchr::{memchr_iter, memchr3};

/// Whether the body holds more lines than `bound`.
pub(super) fn exceed(bound: u64, body: &[u8]) -> bool {
    if !is_array(body) {
        return more_lines(bound, body);
    }
    // Elements need commas between them, or newlines where strings are broken off.
    let most = memchr_iter(b',', body).count() + memchr_iter(b'\n', body).count() + 1;
    most as u64 > bound && more_elements(bound, body)
}

/// Whether it takes a look at every byte to tell, so that it should not be done between other tasks.
pub(super) fn take_time(body: &[u8]) -> bool {
    const QUICK_BYTES: usize = 256 * 1024;
    body.len() > QUICK_BYTES && is_array(body)
}

fn more_lines(bound: u64, body: &[u8]) -> bool {
    if (memchr_iter(b'\n', body).count() as u64) < bound {
        return false;
    }
    let is_blank = |line: &&[u8]| line.trim_ascii().is_empty();
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !is_blank(line));
    lines.take(at_most(bound)).count() as u64 > bound
}

/// Just enough to see that there are more.
fn at_most(bound: u64) -> usize {
    usize::try_from(bound).unwrap_or(usize::MAX).saturating_add(1)
}

/// A `[` and the beginning of a value. A line may begin so too, such as one with its time in brackets.
fn is_array(body: &[u8]) -> bool {
    let Some(inside) = body.trim_ascii_start().strip_prefix(b"[") else { return false };
    match inside.trim_ascii_start() {
        [b'{' | b'[' | b'"' | b']', ..] => true,
        other => {
            let is_scalar = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
            let word = other.iter().take_while(|byte| is_scalar(byte)).count();
            word > 0 && matches!(other[word..].trim_ascii_start(), [b',' | b']', ..])
        }
    }
}

/// Counts the elements of an array by the commas between them, outside strings and what is nested.
fn more_elements(bound: u64, body: &[u8]) -> bool {
    let mut rest = &body.trim_ascii_start()[1..];
    let (mut elements, mut depth) = (1, 0_usize);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => rest = behind_string(rest),
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b']' => return elements > bound || exceed(bound - elements, rest),
            b',' if depth == 0 => {
                elements += 1;
                if elements > bound {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// What follows a string, of which the first quote was read. A newline cannot be in one: it was broken off there.
fn behind_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr3(b'"', b'\\', b'\n', rest) {
        let skip = if rest[at] == b'\\' { 2 } else { 1 };
        let is_end = rest[at] != b'\\';
        rest = rest.get(at + skip..).unwrap_or_default();
        if is_end {
            return rest;
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The least bound that the body keeps.
    fn count(body: &[u8]) -> u64 {
        (0..).find(|bound| !exceed(*bound, body)).unwrap()
    }

    #[test]
    fn lines_and_elements_are_counted() {
        for (body, expected) in [
            ("", 0),
            ("\n \r\n\t\n", 0),
            ("a", 1),
            ("a\nb\r\n\n\nc", 3),
            ("[01/Nov/2026:10:00:00 +0000] a, b\n[01/Nov/2026:10:00:01 +0000] c, d\n", 2),
            ("[ {\"a\":1,\"b\":[1,2]},\n{\"a\":2,\"c\":\"x,y\\\",{z\"} ]\n", 2),
            ("[\n{\n\"a\":1,\n\"b\":2\n},\n{\"a\":2}\n]\n", 2),
            ("[1,2,3]", 3),
            ("[\"a\",\"b\"]\n", 2),
            ("[{}]\n[{},{}]\nand a line\n", 4),
        ] {
            assert_eq!(count(body.as_bytes()), expected, "{body:?}");
        }
        // Empty ones, and those whose text breaks off: the bound is for those that hold more.
        assert!(!exceed(1, b"[]"));
        assert!(!exceed(2, b"[{\"a\":\"x\n},{\"a\":1}"));
        assert!(!exceed(1, b"[{\"a\":\"x\\"));
    }

    #[test]
    fn a_batch_of_exactly_the_bound_passes() {
        let line = r#"{"url":"/a,b","ua":"x \" [1,2] {,} y","list":[1,2,{"n":3}]}"#;
        for (separator, around) in [("\n", ["", "\n"]), (",", ["[", "]"]), (",\n", ["[\n", "\n]\n"])] {
            let body =
                |lines: usize| format!("{}{}{}", around[0], vec![line; lines].join(separator), around[1]);
            assert!(!exceed(10_000, body(10_000).as_bytes()), "{separator:?}");
            assert!(exceed(10_000, body(10_001).as_bytes()), "{separator:?}");
        }
    }

    proptest! {
        #[test]
        fn arrays_of_any_values_are_counted(values in prop::collection::vec(any::<String>(), 1..20)) {
            let body = serde_json::to_string(&values).unwrap();
            prop_assert_eq!(count(body.as_bytes()), values.len() as u64);
        }

        #[test]
        fn no_bytes_whatsoever_panic(body: Vec<u8>, bound in 0_u64..5) {
            let array = [&b"[{\""[..], &body].concat();
            let _ = (exceed(bound, &body), exceed(bound, &array));
        }
    }
}
