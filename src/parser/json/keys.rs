//! Which keys of a JSON object are known, and where they are expected.
//!
//! Lines of one format have their keys in one order. So the table is in that order, and a key is first
//! compared with the row after the last one found: one comparison of 32 bytes, with neither a search for its
//! end nor a branch that is hard to foretell. Only where that fails is the key cut out and looked up. Any order
//! of keys is understood, the usual one is fast.

use super::string;
use crate::parser::column::Column;
use crate::parser::format::TextFormat;
use crate::parser::meaning::{Meaning, Rank};

/// How much of the line an expected key is compared with.
const WINDOW: usize = 32;

/// The keys of one object, in the order they are expected in.
#[derive(Clone, Debug)]
pub(in crate::parser) struct Keys {
    rows: Vec<Row>,
    /// Fastly prints `-`, `(null)` and `?` for what is not there, also where a format has no quotes around it.
    pub(super) bare_words: bool,
}

#[derive(Clone, Debug)]
struct Row {
    name: Box<[u8]>,
    /// The key with its quotes, and which bits of it count; of a key that is too long, none ever match.
    quoted: [u128; 2],
    mask: [u128; 2],
    target: Target,
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
    /// For lines that are JSON and nothing else.
    pub(super) fn strict() -> Self {
        Self { rows: Vec::new(), bare_words: false }
    }

    /// For lines of a format string, which are what it made of them.
    pub(in crate::parser) fn of_format() -> Self {
        Self { rows: Vec::new(), bare_words: true }
    }

    pub(in crate::parser) fn push(&mut self, name: &[u8], target: Target) {
        let mut quoted = [0; WINDOW];
        let mut mask = [0; WINDOW];
        let length = name.len() + 2;
        if length <= WINDOW {
            quoted[0] = b'"';
            quoted[1..=name.len()].copy_from_slice(name);
            quoted[length - 1] = b'"';
            mask[..length].fill(0xff);
        } else {
            // A mask that asks for nothing of a key that has something.
            quoted[0] = 1;
        }
        self.rows.push(Row { name: name.into(), quoted: words(&quoted), mask: words(&mask), target });
    }

    /// The key at the beginning of `input`, what to do with its value, and what follows it. `next` is the row
    /// that is expected, and is kept up to date.
    #[inline(always)]
    pub(super) fn find<'k, 'a>(
        &'k self,
        input: &'a [u8],
        next: &mut usize,
    ) -> Option<(&'a [u8], &'k Target)> {
        if let (Some(window), Some(row)) = (input.first_chunk::<WINDOW>(), self.rows.get(*next))
            && row.begins(window)
        {
            *next += 1;
            return Some((&input[row.name.len() + 2..], &row.target));
        }
        self.look_up(input, next)
    }

    /// As [`Self::find`], where the expected key has not come.
    #[inline(never)]
    fn look_up<'k, 'a>(&'k self, input: &'a [u8], next: &mut usize) -> Option<(&'a [u8], &'k Target)> {
        let (rest, key) = string::string(input)?;
        let name = key.unescaped();
        let (before, after) = self.rows.split_at((*next).min(self.rows.len()));
        let found = after.iter().chain(before).position(|row| *row.name == *name);
        let Some(distance) = found else { return Some((rest, &Target::Nothing)) };
        let row = (before.len() + distance) % self.rows.len();
        *next = row + 1;
        Some((rest, &self.rows[row].target))
    }
}

impl Row {
    #[inline(always)]
    fn begins(&self, window: &[u8; WINDOW]) -> bool {
        let seen = words(window);
        (seen[0] & self.mask[0]) ^ self.quoted[0] | (seen[1] & self.mask[1]) ^ self.quoted[1] == 0
    }
}

#[inline(always)]
fn words(bytes: &[u8; WINDOW]) -> [u128; 2] {
    let (low, high) = bytes.split_at(WINDOW / 2);
    [low, high].map(|half| u128::from_le_bytes(half.try_into().expect("half a window")))
}
