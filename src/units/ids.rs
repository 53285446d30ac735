//! Identifiers. All are small, `Copy` and meaningless outside the process that gave them out, except
//! [`JournalPosition`] and [`Country`].

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// An episode's index in the catalogue registry of this process. Never reused, never persisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EpisodeId(pub u32);

/// An interned user agent's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AgentId(pub u32);

/// A show's index in the catalogue registry of this process. Never reused, never persisted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShowId(pub u32);

/// An interned text's index in the set of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LabelId(pub u16);

impl LabelId {
    /// The empty text.
    pub const ABSENT: Self = Self(0);
    /// One of those past the bound of the set.
    pub const OTHER: Self = Self(1);
}

/// Where lines come from: the index of a configured or implied source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId(pub u16);

/// Who listened: a keyed 128-bit hash of network and user agent. The address itself is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ListenerKey(pub [u64; 2]);

/// Which key listeners are hashed under: a fingerprint that tells nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(pub u64);

/// How far the journal has been taken into account: the number of records from its beginning.
/// Position 0 is "nothing yet"; record `n` (counted from 0) is covered from position `n + 1` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JournalPosition(pub u64);

impl JournalPosition {
    pub const START: Self = Self(0);

    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for JournalPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A two-letter country code in upper case, or unknown. Unknown sorts first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Country([u8; 2]);

/// As one number: as the text that an array of bytes is to a hash, it would take longer than all other keys of a row.
impl Hash for Country {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u16(u16::from_le_bytes(self.0));
    }
}

impl Country {
    pub const UNKNOWN: Self = Self([0, 0]);

    /// Two ASCII letters of either case; anything else is unknown (Fastly prints `?` for no match).
    pub fn parse(text: &[u8]) -> Self {
        match text {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()])
            }
            _ => Self::UNKNOWN,
        }
    }

    /// The code, or an empty string when unknown.
    pub fn as_str(&self) -> &str {
        match self.0 {
            [0, 0] => "",
            _ => std::str::from_utf8(&self.0).expect("two ASCII letters"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_two_letters_or_unknown() {
        for (text, expected) in [("de", "DE"), ("US", "US"), ("?", ""), ("", ""), ("U1", ""), ("USA", "")] {
            assert_eq!(Country::parse(text.as_bytes()).as_str(), expected, "{text}");
        }
        assert!(Country::UNKNOWN < Country::parse(b"AA"));
    }
}
