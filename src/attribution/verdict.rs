//! When a session is a download (IAB §5.5: one minute of content), in whole numbers only.
//!
//! The decision is made on everything the session received, so it never depends on the order of its requests.
//! It may be taken back: where a larger size is learnt, the same bytes may be too few.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::compact::U40;
use super::coverage::{Coverage, Precision};
use super::delivery::{Delivery, place_suffix};
use super::listening::{Fetching, Listening, Progress};
use crate::units::ByteCount;

/// Suffix requests one session may hold; those past it count as unplaced bytes.
const MAX_SUFFIXES: usize = 1_024;

/// How much of an episode makes a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// The playing time that has to be delivered.
    pub listen_ms: u64,
    /// The bit rate assumed where the duration is unknown; disclosed in the description of methodology.
    pub assumed_bytes_per_second: u64,
}

impl Default for Thresholds {
    /// One minute; 128 kbit/s.
    fn default() -> Self {
        Self { listen_ms: 60_000, assumed_bytes_per_second: 16_000 }
    }
}

/// What is known of the episode's file from the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    pub size: Option<u64>,
    pub duration_ms: Option<u64>,
    pub audio_start: u64,
}

impl FileFacts {
    /// Bytes that make a download where the size comes from the catalogue or not at all: of content, or of all of a
    /// short file, or after the tag.
    pub fn needed(&self, thresholds: &Thresholds) -> ByteCount {
        let Some(size) = self.size else {
            return ByteCount(self.audio_start) + ByteCount(assumed_bytes(thresholds));
        };
        ByteCount(self.needed_content(size, thresholds).unwrap_or(size))
    }

    /// None where all of the file is needed.
    fn needed_content(&self, size: u64, thresholds: &Thresholds) -> Option<u64> {
        let content = size.saturating_sub(self.audio_start);
        let needed = needed_bytes(content, self.duration_ms, thresholds);
        let short = self.duration_ms.is_some_and(|duration| duration <= thresholds.listen_ms);
        (!short && content > needed).then_some(needed)
    }
}

/// Everything the requests of one session delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    coverage: Coverage,
    /// Bytes of the request that delivered most.
    largest: U40,
    /// The largest size its own requests showed; 0 is none.
    shown_size: U40,
}

/// What a session amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub downloaded: bool,
    /// Bytes delivered, each once.
    pub delivered: ByteCount,
}

impl Received {
    /// `shown_size` is only looked at where the catalogue knows none.
    pub fn add(&mut self, delivery: Delivery, shown_size: Option<u64>) -> Precision {
        self.shown_size = self.shown_size.max(shown_size.unwrap_or(0));
        self.largest = self.largest.max(delivery.bytes().0);
        match delivery {
            Delivery::Placed(range) => return self.coverage.insert(range),
            Delivery::Unplaced(bytes) => self.coverage.rare_mut().unplaced += bytes,
            Delivery::Suffix { length, bytes } => {
                let rare = self.coverage.rare_mut();
                if rare.suffixes.len() == MAX_SUFFIXES {
                    rare.unplaced += bytes;
                    return Precision::GapClosed;
                }
                rare.suffixes.push((length, bytes));
            }
        }
        Precision::Exact
    }

    pub fn judge(&self, facts: &FileFacts, thresholds: &Thresholds) -> Verdict {
        match self.size(facts) {
            Some(size) => self.judge_sized(size, facts, thresholds),
            None => self.judge_unsized(facts, thresholds),
        }
    }

    /// How a download was listened to; `span_us` is the time from its first start to its last end.
    pub fn listening(&self, delivered: ByteCount, span_us: u64, facts: &FileFacts) -> Listening {
        let Some(size) = self.size(facts) else { return Listening::Progressive(Progress::default()) };
        let fetching = Fetching { largest: self.largest.get(), delivered: delivered.0, span_us };
        if Listening::is_bulk(fetching, size, facts.duration_ms) {
            return Listening::Bulk;
        }
        Listening::Progressive(Progress::of(&self.placed(size), facts.audio_start, size))
    }

    fn size(&self, facts: &FileFacts) -> Option<u64> {
        facts.size.or(Some(self.shown_size.get()).filter(|size| *size > 0))
    }

    fn judge_sized(&self, size: u64, facts: &FileFacts, thresholds: &Thresholds) -> Verdict {
        let coverage = self.placed(size);
        let unplaced = self.coverage.rare().map_or(0, |rare| rare.unplaced.0);
        let union = coverage.covered(0, size);
        let unplaced = unplaced.min(size - union);
        let downloaded = match facts.needed_content(size, thresholds) {
            None => union + unplaced >= size,
            // Nearly all have no tag.
            Some(needed) if facts.audio_start == 0 => union + unplaced >= needed,
            Some(needed) => coverage.covered(facts.audio_start, size) + unplaced >= needed,
        };
        Verdict { downloaded, delivered: ByteCount(union + unplaced) }
    }

    fn judge_unsized(&self, facts: &FileFacts, thresholds: &Thresholds) -> Verdict {
        let union = ByteCount(self.coverage.covered(0, u64::MAX));
        let unplaced = self.coverage.rare().map_or(ByteCount::ZERO, |rare| {
            rare.unplaced + rare.suffixes.iter().map(|(_, bytes)| *bytes).sum()
        });
        let delivered = union + unplaced;
        Verdict { downloaded: delivered >= facts.needed(thresholds), delivered }
    }

    /// All that has a place in a file of this size.
    fn placed(&self, size: u64) -> Cow<'_, Coverage> {
        let suffixes = self.coverage.rare().map_or(&[][..], |rare| &rare.suffixes);
        let mut coverage = Cow::Borrowed(&self.coverage);
        for &(length, bytes) in suffixes {
            coverage.to_mut().insert(place_suffix(length, bytes, size));
        }
        coverage
    }
}

/// Bytes of content that make a download: ⌈listen_ms × content ÷ duration⌉.
fn needed_bytes(content: u64, duration_ms: Option<u64>, thresholds: &Thresholds) -> u64 {
    let Some(duration_ms) = duration_ms else { return assumed_bytes(thresholds) };
    if let Some(product) = thresholds.listen_ms.checked_mul(content) {
        return product.div_ceil(duration_ms);
    }
    let needed = (u128::from(thresholds.listen_ms) * u128::from(content)).div_ceil(duration_ms.into());
    u64::try_from(needed).unwrap_or(u64::MAX)
}

fn assumed_bytes(thresholds: &Thresholds) -> u64 {
    if let Some(product) = thresholds.listen_ms.checked_mul(thresholds.assumed_bytes_per_second) {
        return product.div_ceil(1000);
    }
    let bytes = u128::from(thresholds.listen_ms) * u128::from(thresholds.assumed_bytes_per_second);
    u64::try_from(bytes.div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ByteRange;

    const MB: u64 = 1_000_000;

    fn placed(ranges: &[(u64, u64)]) -> Received {
        let mut received = Received::default();
        for &(start, end) in ranges {
            received.add(Delivery::Placed(ByteRange::new(start, end)), None);
        }
        received
    }

    fn facts(size: u64, duration_s: u64, audio_start: u64) -> FileFacts {
        let known = |value| (value > 0).then_some(value);
        FileFacts { size: known(size), duration_ms: known(duration_s * 1000), audio_start }
    }

    fn check(received: &Received, facts: &FileFacts, downloaded: bool, delivered: u64) {
        let verdict = received.judge(facts, &Thresholds::default());
        let expected = Verdict { downloaded, delivered: ByteCount(delivered) };
        assert_eq!(verdict, expected, "{received:?} of {facts:?}");
    }

    #[test]
    fn one_minute_of_content_with_size_and_duration() {
        // 60 MB in an hour: a minute is 1 MB.
        let hour = facts(60 * MB, 3600, 0);
        check(&placed(&[(0, MB)]), &hour, true, MB);
        check(&placed(&[(0, MB - 1)]), &hour, false, MB - 1);
        check(&placed(&[(0, MB / 2), (50 * MB, 50 * MB + MB / 2)]), &hour, true, MB);
        check(&placed(&[(0, MB / 2), (0, MB / 2), (1, 9)]), &hour, false, MB / 2);
        // One byte more of content asks for ⌈…⌉, one byte more.
        check(&placed(&[(0, MB)]), &facts(60 * MB + 1, 3600, 0), false, MB);
        check(&placed(&[(0, MB + 1)]), &facts(60 * MB + 1, 3600, 0), true, MB + 1);
    }

    #[test]
    fn the_leading_tag_is_no_content() {
        let tagged = facts(61 * MB, 3600, MB);
        check(&placed(&[(0, 2 * MB - 1)]), &tagged, false, 2 * MB - 1);
        check(&placed(&[(0, 2 * MB)]), &tagged, true, 2 * MB);
        check(&placed(&[(MB, 2 * MB)]), &tagged, true, MB);
        check(&placed(&[(0, 5)]), &facts(5, 0, 9), true, 5);
    }

    #[test]
    fn a_short_episode_needs_all_of_the_file() {
        let minute = facts(MB, 60, 0);
        check(&placed(&[(0, MB - 1)]), &minute, false, MB - 1);
        check(&placed(&[(0, 400_000), (300_000, MB)]), &minute, true, MB);
        // Without a duration: no more content than the assumed minute.
        check(&placed(&[(0, 959_999)]), &facts(960_000, 0, 0), false, 959_999);
        check(&placed(&[(0, 960_000)]), &facts(960_000, 0, 0), true, 960_000);
    }

    #[test]
    fn what_lies_past_the_file_is_clipped() {
        check(&placed(&[(0, 3 * MB)]), &facts(2 * MB, 0, 0), true, 2 * MB);
        check(&placed(&[(5 * MB, 9 * MB)]), &facts(2 * MB, 0, 0), false, 0);
    }

    #[test]
    fn without_a_size_the_assumed_minute_comes_after_the_tag() {
        check(&placed(&[(0, 960_000)]), &facts(0, 0, 0), true, 960_000);
        check(&placed(&[(0, 959_999)]), &facts(0, 30, 0), false, 959_999);
        check(&placed(&[(0, 960_000)]), &facts(0, 0, 1), false, 960_000);
        check(&placed(&[(0, 960_001)]), &facts(0, 0, 1), true, 960_001);
    }

    #[test]
    fn a_size_its_own_requests_show_stands_in_for_the_catalogue() {
        let mut received = placed(&[(0, 960_000)]);
        received.add(Delivery::Placed(ByteRange::new(0, 0)), Some(960_000));
        check(&received, &facts(0, 0, 0), true, 960_000);
        received.add(Delivery::Placed(ByteRange::new(0, 0)), Some(60 * MB));
        check(&received, &facts(0, 3600, 0), false, 960_000);
        check(&received, &facts(900_000, 0, 0), true, 900_000);
    }

    #[test]
    fn unplaced_bytes_fill_what_is_missing_and_no_more() {
        let mut received = placed(&[(0, 600_000)]);
        received.add(Delivery::Unplaced(ByteCount(3 * MB)), None);
        check(&received, &facts(2 * MB, 0, 0), true, 2 * MB);
        check(&received, &facts(0, 0, 0), true, 3_600_000);
        check(&received, &facts(60 * MB, 3600, 0), true, 3_600_000);
    }

    #[test]
    fn suffixes_are_placed_once_the_size_is_known() {
        let mut received = placed(&[(0, 10)]);
        for _ in 0..2 {
            received.add(Delivery::Suffix { length: MB, bytes: ByteCount(MB) }, None);
        }
        check(&received, &facts(0, 0, 0), true, 2 * MB + 10);
        check(&received, &facts(60 * MB, 3600, 0), true, MB + 10);
        check(&received, &facts(MB + 5, 0, 0), true, MB + 5);
        check(&received, &facts(500, 0, 0), true, 500);
    }
}
