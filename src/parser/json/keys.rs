//! Which keys of a JSON object are known, and where they are expected.
//!
//! Lines of one format have their keys in one order. So the table is in that order, and a key is first
//! compared with the row after the last one found: one comparison of 32 bytes, with neither a search for its
//! end nor a branch that is hard to foretell. Only where that fails is the key cut out and looked up. Any order
//! of keys is understood, the usual one is fast.

use std::num::NonZeroU32;

use super::{space, string};
use crate::parser::column::Column;
use crate::parser::format::TextFormat;
use crate::parser::meaning::{Meaning, Rank};

/// The row of a key that is in no row.
const UNKNOWN: usize = u32::MAX as usize;

/// How much of the line an expected key is compared with.
const WINDOW: usize = 32;

/// The keys of one object, in the order they are expected in.
#[derive(Clone, Debug)]
pub(in crate::parser) struct Keys {
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    name: Box<[u8]>,
    target: Target,
    /// The key as it mostly stands, with its quotes and the colon after it.
    expected: [u64; 4],
    /// Which bits of the window belong to it. None, so that nothing is as expected, for a key that is too long
    /// for the window or needs escapes.
    mask: [u64; 4],
    length: NonZeroU32,
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
        let quoted = [b"\"", name, b"\":"].concat();
        let is_plain = quoted.len() <= WINDOW && !name.iter().any(|byte| matches!(byte, b'"' | b'\\'));
        let mut expected = [0xff; WINDOW];
        let mut mask = [0; WINDOW];
        if is_plain {
            expected.fill(0);
            expected[..quoted.len()].copy_from_slice(&quoted);
            mask[..quoted.len()].fill(0xff);
        }
        let (expected, mask) = (words(&expected), words(&mask));
        let length =
            u32::try_from(quoted.len()).ok().and_then(NonZeroU32::new).expect("no format is that long");
        self.rows.push(Row { name: name.into(), target, expected, mask, length });
    }

    /// The key at the beginning of `input`, with its colon. `expected` is the row that should come.
    #[inline(always)]
    pub(super) fn find(&self, input: &[u8], expected: usize) -> Option<Found> {
        match (input.first_chunk::<WINDOW>(), self.rows.get(expected)) {
            (Some(window), Some(row)) if row.begins(window) => {
                Some(Found { length: row.length, row: expected as u32 })
            }
            _ => self.look_up(input, expected),
        }
    }

    /// As [`Self::find`], where the expected key has not come.
    #[inline(never)]
    fn look_up(&self, input: &[u8], expected: usize) -> Option<Found> {
        let (rest, key) = string::string(input)?;
        let rest = space(rest).strip_prefix(b":")?;
        let length = NonZeroU32::new(u32::try_from(input.len() - rest.len()).ok()?)?;
        let name = key.unescaped();
        let count = self.rows.len();
        let mut rows = (expected..count).chain(0..expected.min(count));
        let row = rows.find(|row| *self.rows[*row].name == *name).unwrap_or(UNKNOWN);
        Some(Found { length, row: row as u32 })
    }

    /// What to do with the value of a key that was found.
    #[inline(always)]
    pub(super) fn target(&self, found: Found) -> &Target {
        self.rows.get(found.row as usize).map_or(&Target::Nothing, |row| &row.target)
    }
}

/// A key that was found. Small enough for a register: how fast lines are read hangs on how soon the place
/// after a key is known.
#[derive(Clone, Copy)]
pub(super) struct Found {
    /// Of the key, with its colon.
    length: NonZeroU32,
    row: u32,
}

impl Found {
    #[inline(always)]
    pub(super) fn length(self) -> usize {
        self.length.get() as usize
    }

    /// The row that should come next, if this was one.
    #[inline(always)]
    pub(super) fn next(self, expected: usize) -> usize {
        if self.row as usize == UNKNOWN { expected } else { self.row as usize + 1 }
    }
}

impl Row {
    #[inline(always)]
    fn begins(&self, window: &[u8; WINDOW]) -> bool {
        let seen = words(window);
        (0..4).fold(0, |difference, word| difference | (seen[word] & self.mask[word]) ^ self.expected[word])
            == 0
    }
}

#[inline(always)]
fn words(bytes: &[u8; WINDOW]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(keys: &Keys, input: &str, expected: usize) -> Option<(usize, u32)> {
        keys.find(input.as_bytes(), expected).map(|found| (found.length(), found.row))
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
                        Some((key.len(), expected_row)),
                        "{input} {expected}"
                    );
                }
            }
        }
        assert_eq!(row(&keys, "\"c\": 1", 0), Some((4, u32::MAX)));
        for broken in ["\"a\" 1", "a:1", "\"a", "", "\0".repeat(64).as_str()] {
            for expected in 0..6 {
                assert_eq!(row(&keys, broken, expected), None, "{broken}");
            }
        }
    }
}
