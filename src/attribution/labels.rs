//! Short texts of log lines and lists that tables are keyed by, interned: regions, points of presence, cache states,
//! rules, feeds, services.
//!
//! Each set is bounded: past its bound whatever is new is `(other)`. Clients choose none of these texts but the services'
//! names, so the bounds are met by odd logs only; then, and only then, which texts were first depends on the order of
//! lines. Ids are given out in order, never reused and never persisted.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use serde::{Deserialize, Serialize};

use crate::units::LabelId;

/// Longest text kept, in bytes; what is longer is cut.
const MAX_BYTES: usize = 500;

/// Texts of one kind, by id.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "SavedLabels", into = "SavedLabels")]
pub struct LabelSet {
    /// Different texts at the most.
    max: usize,
    texts: Vec<Box<str>>,
    ids: HashTable<LabelId>,
    hasher: foldhash::fast::FixedState,
    /// Short texts that were interned last, each in the one place where it can be.
    recent: Vec<(Packed, LabelId)>,
}

/// A text of up to sixteen bytes, its ends where it is longer than eight, and its length; most labels are codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed {
    first: u64,
    last: u64,
    length: usize,
}

const RECENT: usize = 1 << 8;

impl Packed {
    /// Of no text.
    const NOTHING: Self = Self { first: 0, last: 0, length: usize::MAX };

    fn new(text: &[u8]) -> Option<Self> {
        let length = text.len();
        let word = |bytes: Option<&[u8; 8]>| bytes.map(|bytes| u64::from_le_bytes(*bytes));
        let half = |bytes: Option<&[u8; 4]>| bytes.map(|bytes| u64::from(u32::from_le_bytes(*bytes)));
        let (first, last) = match length {
            0..=3 => (text.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 0),
            4..=7 => (half(text.first_chunk())?, half(text.last_chunk())?),
            8..=16 => (word(text.first_chunk())?, word(text.last_chunk())?),
            _ => return None,
        };
        Some(Self { first, last, length })
    }

    fn place(self) -> usize {
        let sum =
            self.first.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.last.wrapping_mul(0xd6e8_feb8_6659_fd93);
        (sum >> 56) as usize
    }
}

impl LabelSet {
    pub const OTHER: &str = "(other)";

    fn new(max: usize) -> Self {
        let mut set = Self {
            max: 2,
            texts: Vec::new(),
            ids: HashTable::new(),
            hasher: foldhash::fast::FixedState::default(),
            recent: vec![(Packed::NOTHING, LabelId::ABSENT); RECENT],
        };
        assert_eq!(set.intern(b""), LabelId::ABSENT);
        assert_eq!(set.intern(Self::OTHER.as_bytes()), LabelId::OTHER);
        set.max = max;
        set
    }

    /// The id of a text; an empty one is [`LabelId::ABSENT`], one past the bound [`LabelId::OTHER`].
    pub fn intern(&mut self, text: &[u8]) -> LabelId {
        let Some(packed) = Packed::new(text) else { return self.intern_any(text) };
        let (known, id) = self.recent[packed.place()];
        if known == packed {
            return id;
        }
        let id = self.intern_any(text);
        self.recent[packed.place()] = (packed, id);
        id
    }

    fn intern_any(&mut self, text: &[u8]) -> LabelId {
        let text = cut(text);
        let hash = self.hasher.hash_one(text);
        let texts = &self.texts;
        let entry = self.ids.entry(
            hash,
            |id| texts[usize::from(id.0)].as_bytes() == text,
            |id| self.hasher.hash_one(texts[usize::from(id.0)].as_bytes()),
        );
        match entry {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(_) if texts.len() >= self.max => LabelId::OTHER,
            Entry::Vacant(free) => {
                let id = LabelId(u16::try_from(texts.len()).expect("bounds are below 2^16"));
                match std::str::from_utf8(text) {
                    Ok(text) if !text.contains('\0') => {
                        free.insert(id);
                        self.texts.push(text.into());
                        id
                    }
                    // No log of a CDN says such a thing.
                    _ => LabelId::OTHER,
                }
            }
        }
    }

    /// Panics on another set's id.
    pub fn text(&self, id: LabelId) -> &str {
        &self.texts[usize::from(id.0)]
    }

    /// How many texts there are.
    pub fn count(&self) -> usize {
        self.texts.len()
    }
}

/// Not within a character.
fn cut(text: &[u8]) -> &[u8] {
    if text.len() <= MAX_BYTES {
        return text;
    }
    let is_within = |end: &usize| text[*end] & 0b1100_0000 == 0b1000_0000;
    let end = (MAX_BYTES - 3..=MAX_BYTES).rev().find(|end| !is_within(end)).unwrap_or(MAX_BYTES);
    &text[..end]
}

/// A set without its index.
#[derive(Serialize, Deserialize)]
struct SavedLabels {
    max: usize,
    texts: Vec<Box<str>>,
}

impl From<LabelSet> for SavedLabels {
    fn from(LabelSet { max, texts, .. }: LabelSet) -> Self {
        Self { max, texts }
    }
}

impl From<SavedLabels> for LabelSet {
    fn from(SavedLabels { max, texts }: SavedLabels) -> Self {
        let mut set = Self::new(max);
        // The same ids in the same order; the first two are there already.
        for text in &texts {
            set.intern(text.as_bytes());
        }
        set
    }
}

/// All sets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Labels {
    pub regions: LabelSet,
    pub pops: LabelSet,
    pub cache_states: LabelSet,
    /// What excludes lines: see the exclusion ledger.
    pub rules: LabelSet,
    /// Paths of configured feeds.
    pub feeds: LabelSet,
    /// Services that report subscribers.
    pub services: LabelSet,
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            regions: LabelSet::new(16_000),
            pops: LabelSet::new(1_000),
            cache_states: LabelSet::new(200),
            rules: LabelSet::new(16_000),
            feeds: LabelSet::new(16_000),
            services: LabelSet::new(1_000),
        }
    }
}

impl Labels {
    /// Texts in all sets. Grows by each new one.
    pub fn count(&self) -> usize {
        let Self { regions, pops, cache_states, rules, feeds, services } = self;
        [regions, pops, cache_states, rules, feeds, services].into_iter().map(LabelSet::count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_known_again_up_to_the_bound() {
        let mut set = LabelSet::new(4);
        let [fra, lhr] = [set.intern(b"FRA"), set.intern(b"LHR")];
        assert_eq!([set.intern(b"FRA"), set.intern(b"LHR"), set.intern(b"")], [fra, lhr, LabelId::ABSENT]);
        assert_eq!(set.intern(b"JFK"), LabelId::OTHER);
        assert_eq!([set.text(fra), set.text(lhr), set.text(LabelId::OTHER)], ["FRA", "LHR", "(other)"]);
        assert_eq!((set.text(LabelId::ABSENT), set.count()), ("", 4));
    }

    #[test]
    fn texts_of_any_length_are_told_apart() {
        let mut set = LabelSet::new(1_000);
        let texts: Vec<Vec<u8>> = (1..40usize)
            .flat_map(|length| {
                let text = vec![b'a'; length];
                let differing = move |at: usize| {
                    let mut text = text.clone();
                    text[at] = b'b';
                    text
                };
                [vec![b'a'; length]].into_iter().chain((0..length).map(differing))
            })
            .collect();
        let ids: Vec<LabelId> = texts.iter().map(|text| set.intern(text)).collect();
        for _ in 0..2 {
            for (text, id) in texts.iter().zip(&ids) {
                assert_eq!((set.intern(text), set.text(*id).as_bytes()), (*id, &text[..]));
            }
        }
    }

    #[test]
    fn what_no_database_takes_is_other() {
        let mut set = LabelSet::new(9);
        assert_eq!(set.intern(b"a\0b"), LabelId::OTHER);
        assert_eq!(set.intern(b"\xff"), LabelId::OTHER);
        let long = set.intern(&[b'x'; 5_000]);
        assert_eq!(set.text(long).len(), MAX_BYTES);
        let long = set.intern("€".repeat(5_000).as_bytes());
        assert_eq!(set.text(long).len(), MAX_BYTES / 3 * 3);
    }
}
