//! A chapter of an episode: a named point on its listen-through curve. Counting does not use it.

use serde::{Deserialize, Serialize};

/// How many parts of equal playing time the content of an episode is divided into.
const CONTENT_BINS: u128 = 100;

/// Where something begins in an episode, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// From the beginning of the content, in milliseconds.
    pub start_ms: u64,
    /// Never empty.
    pub title: String,
}

impl Chapter {
    /// In which hundredth of the content the chapter begins, 0 to 99: `floor(100 × start / duration)`. None where the
    /// duration is not known, or the chapter begins at the end or after it.
    pub fn content_bin(&self, duration_ms: Option<u64>) -> Option<u8> {
        let duration = duration_ms.filter(|&duration| self.start_ms < duration)?;
        u8::try_from(u128::from(self.start_ms) * CONTENT_BINS / u128::from(duration)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundredths_of_the_content() {
        for (start_ms, duration_ms, bin) in [
            (0, Some(1_000), Some(0)),
            (9, Some(1_000), Some(0)),
            (10, Some(1_000), Some(1)),
            (570, Some(1_000), Some(57)), // 0.57 × 100 is less than 57 in binary fractions
            (999, Some(1_000), Some(99)),
            (1_000, Some(1_000), None),
            (1_001, Some(1_000), None),
            (0, Some(1), Some(0)),
            (2, Some(3), Some(66)),
            (u64::MAX - 1, Some(u64::MAX), Some(99)),
            (0, Some(0), None),
            (0, None, None),
        ] {
            let chapter = Chapter { start_ms, title: "One".into() };
            assert_eq!(chapter.content_bin(duration_ms), bin, "{start_ms} of {duration_ms:?}");
        }
    }
}
