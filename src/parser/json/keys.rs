//! Which keys of a JSON object are known, and where they are expected.
//!
//! Lines of one format have their keys in one order, and the values of one key are of one form. So the table is in that
//! order, and a member is first compared with the row after the last one found: one comparison of 16 bytes takes the
//! key, its colon and the quote that begins the value, with neither a search for the key's end nor a branch that is hard
//! to foretell. Only where that fails is the key cut out and looked up. Any order of keys and any form of values is
//! understood, the usual one is fast.

use super::{digits, space, string};
use crate::parser::column::Column;
use crate::parser::format::TextFormat;
use crate::parser::meaning::{Meaning, Rank};
use crate::parser::value::{Kind, Value};

/// How much of the line an expected member is compared with.
const WINDOW: usize = 16;

/// The keys of one object, in the order they are expected in.
#[derive(Clone, Debug)]
pub(in crate::parser) struct Keys {
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    /// A member as it mostly begins: the key with its quotes, the colon, and the quote of a text.
    expected: u128,
    /// Which bits of the window belong to it. None, so that nothing is as expected, for a key that needs escapes.
    mask: u128,
    /// What does not fit the window.
    tail: Box<[u8]>,
    /// Of all of it.
    length: usize,
    form: Form,
    target: Target,
    name: Box<[u8]>,
}

/// What values mostly look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Number,
    Boolean,
    Other,
}

impl Form {
    fn of(target: &Target) -> Self {
        use Meaning as M;
        match target {
            Target::Value(meaning, _) => match meaning {
                M::StartMicroseconds | M::ElapsedMicroseconds | M::ElapsedMilliseconds => Self::Number,
                M::Status | M::BodyBytes | M::Asn | M::Version => Self::Number,
                M::Completed | M::Edge | M::Inner => Self::Boolean,
                _ => Self::Text,
            },
            Target::Nothing => Self::Text,
            Target::Column(_) | Target::Object(_) | Target::Text(_) => Self::Other,
        }
    }
}

/// What is to be done with a key's value.
#[derive(Clone, Debug)]
pub(in crate::parser) enum Target {
    /// It is known and not used.
    Nothing,
    Value(Meaning, Rank),
    /// As a format string has it.
    Column(Box<Column>),
    /// An object of known keys.
    Object(Box<Keys>),
    /// Text that has several values in it.
    Text(Box<TextFormat>),
}

impl Keys {
    pub(in crate::parser) fn new() -> Self {
        Self { rows: Vec::new() }
    }

    pub(in crate::parser) fn push(&mut self, name: &[u8], target: Target) {
        let form = Form::of(&target);
        let quote: &[u8] = if form == Form::Text { b"\"" } else { b"" };
        let begin = [b"\"", name, b"\":", quote].concat();
        let (head, tail) = begin.split_at(begin.len().min(WINDOW));
        let (mut expected, mut mask) = ([0; WINDOW], [0; WINDOW]);
        expected[..head.len()].copy_from_slice(head);
        mask[..head.len()].fill(0xff);
        let (expected, mask) = match name.iter().any(|byte| matches!(byte, b'"' | b'\\')) {
            false => (u128::from_le_bytes(expected), u128::from_le_bytes(mask)),
            true => (u128::MAX, 0),
        };
        let (tail, length) = (tail.into(), begin.len());
        self.rows.push(Row { expected, mask, tail, length, form, target, name: name.into() });
    }

    /// The member at the beginning of `input`, where it is that of the row `expected` and of its usual form: its target and
    /// value, and what follows it.
    #[inline(always)]
    pub(super) fn usual<'k, 'a>(
        &'k self,
        input: &'a [u8],
        expected: usize,
    ) -> Option<(&'k Target, Value<'a>, &'a [u8])> {
        let row = self.rows.get(expected)?;
        if !row.begins(input) {
            return None;
        }
        let rest = input.get(row.length..)?;
        let (length, after) = match row.form {
            Form::Text => {
                let length = string::plain(rest)?;
                (length, length + 1)
            }
            Form::Number => usual_number(rest).map(|length| (length, length))?,
            Form::Boolean => usual_boolean(rest).map(|length| (length, length))?,
            Form::Other => return None,
        };
        let (text, after) = (rest.get(..length)?, rest.get(after..)?);
        Some((&row.target, Value { kind: Kind::Plain, text }, after))
    }

    /// How long the key at the beginning of `input` is with its colon, and its row, if it is in one. `expected` is the row
    /// that should come.
    #[inline(never)]
    pub(super) fn find(&self, input: &[u8], expected: usize) -> Option<(usize, Option<usize>)> {
        // Of other forms, the window has no more than the key.
        let is_next = |row: &&Row| row.form == Form::Other && row.begins(input);
        if let Some(row) = self.rows.get(expected).filter(is_next) {
            return Some((row.length, Some(expected)));
        }
        let (rest, key) = string::string(input)?;
        let rest = space(rest).strip_prefix(b":")?;
        let name = key.unescaped();
        let count = self.rows.len();
        let mut rows = (expected..count).chain(0..expected.min(count));
        let row = rows.find(|row| *self.rows[*row].name == *name);
        Some((input.len() - rest.len(), row))
    }

    /// What to do with the value of a key in a row, or in none.
    pub(super) fn target(&self, row: Option<usize>) -> &Target {
        row.map_or(&Target::Nothing, |row| &self.rows[row].target)
    }
}

impl Row {
    #[inline(always)]
    fn begins(&self, input: &[u8]) -> bool {
        let seen = match input.first_chunk::<WINDOW>() {
            Some(window) => u128::from_le_bytes(*window),
            None => padded(input),
        };
        seen & self.mask == self.expected && (self.tail.is_empty() || self.goes_on(input))
    }

    #[inline(never)]
    fn goes_on(&self, input: &[u8]) -> bool {
        input.get(WINDOW..).is_some_and(|rest| rest.starts_with(&self.tail))
    }
}

/// The window at the end of a line.
#[cold]
fn padded(input: &[u8]) -> u128 {
    let mut window = [0; WINDOW];
    window[..input.len()].copy_from_slice(input);
    u128::from_le_bytes(window)
}

/// How long a number without sign and fraction is that another member follows. None does not mean that it is none.
#[inline(always)]
fn usual_number(input: &[u8]) -> Option<usize> {
    let length = digits(input);
    let leading_zero = length > 1 && input[0] == b'0';
    (length > 0 && !leading_zero && matches!(input.get(length), Some(b',' | b'}'))).then_some(length)
}

/// As above.
#[inline(always)]
fn usual_boolean(input: &[u8]) -> Option<usize> {
    match input {
        [b't', b'r', b'u', b'e', b',' | b'}', ..] => Some(4),
        [b'f', b'a', b'l', b's', b'e', b',' | b'}', ..] => Some(5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(keys: &Keys, input: &str, expected: usize) -> Option<(usize, Option<usize>)> {
        keys.find(input.as_bytes(), expected)
    }

    #[test]
    fn keys_are_found_wherever_they_are_expected() {
        let long = "k".repeat(40);
        let mut keys = Keys::new();
        for name in ["a", "bb", "q\"", &long] {
            keys.push(name.as_bytes(), Target::Nothing);
        }
        let filler = " ".repeat(40);
        for (key, expected_row) in [
            ("\"a\":", 0),
            ("\"bb\":", 1),
            ("\"b\\u0062\"\t:", 1),
            ("\"q\\\"\":", 2),
            (&format!("\"{long}\":"), 3),
        ] {
            for expected in 0..6 {
                for filler in ["", filler.as_str()] {
                    let input = format!("{key}{filler}");
                    assert_eq!(
                        row(&keys, &input, expected),
                        Some((key.len(), Some(expected_row))),
                        "{input} {expected}"
                    );
                }
            }
        }
        assert_eq!(row(&keys, "\"c\": 1", 0), Some((4, None)));
        for broken in ["\"a\" 1", "a:1", "\"a", "", "\0".repeat(64).as_str()] {
            for expected in 0..6 {
                assert_eq!(row(&keys, broken, expected), None, "{broken}");
            }
        }
    }

    #[test]
    fn usual_members_are_taken_at_once() {
        use Meaning::{Asn, Edge, Url};
        let mut keys = Keys::new();
        for (name, meaning) in [("url", Url), ("asn", Asn), ("edge", Edge)] {
            keys.push(name.as_bytes(), Target::Value(meaning, Rank::Best));
        }
        let usual = |input: &str, row| {
            let (_, value, rest) = keys.usual(input.as_bytes(), row)?;
            assert_eq!(value.kind, Kind::Plain);
            Some([value.text, rest].map(|text| String::from_utf8_lossy(text).into_owned()))
        };
        let long = format!(r#""url":"{}","next":1"#, "x".repeat(70));
        for (input, row, expected) in [
            (r#""url":"/a","#, 0, Some(["/a", ","])),
            (r#""url":""}"#, 0, Some(["", "}"])),
            (&*long, 0, Some([&long[7..77], r#","next":1"#])),
            (r#""url":"/a"#, 0, None),
            (r#""url":"\u0041","#, 0, None),
            (r#""url":null,"#, 0, None),
            (r#""url": "/a","#, 0, None),
            (r#""asn":0,"#, 1, Some(["0", ","])),
            (r#""asn":123456789}"#, 1, Some(["123456789", "}"])),
            (r#""asn":01,"#, 1, None),
            (r#""asn":1.5,"#, 1, None),
            (r#""asn":,"#, 1, None),
            (r#""asn":1"#, 1, None),
            (r#""edge":true,"#, 2, Some(["true", ","])),
            (r#""edge":false}"#, 2, Some(["false", "}"])),
            (r#""edge":truely,"#, 2, None),
            (r#""edge":tru"#, 2, None),
            (r#""edge":true,"#, 1, None),
            (r#""edge":true,"#, 3, None),
        ] {
            assert_eq!(usual(input, row), expected.map(|it| it.map(str::to_owned)), "{input}");
        }
    }
}
