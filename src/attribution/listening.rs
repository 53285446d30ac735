//! How a download was listened to, as far as its requests show: fetched as a file, or bit by bit as a player does; and
//! then which hundredths of the content it received.
//!
//! An upper bound of listening, for players read ahead. In whole numbers only.

use std::ops::Range;

use super::coverage::Coverage;

/// Hundredths of the content.
pub const BINS: u8 = 100;

/// What one download says about listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// One request delivered at least 90 % of the file; or at least 99 % were delivered within less than a quarter of
    /// the playing time.
    Bulk,
    /// Everything else, also where the size is unknown, which leaves the progress empty.
    Progressive(Progress),
}

/// The hundredths of the content that a session received: a bit for each bin that is covered, and in the highest eight bits
/// the bin of the last byte, counted from 1. One number, for it is copied with each change of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress(u128);

const COVERED: u128 = (1 << BINS) - 1;
const FURTHEST: u32 = 120;

/// What bulk is told by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fetching {
    /// Bytes of the request that delivered most.
    pub largest: u64,
    /// Bytes of the session, each once.
    pub delivered: u64,
    /// From the first start to the last end.
    pub span_us: u64,
}

impl Listening {
    pub fn is_bulk(fetching: Fetching, size: u64, duration_ms: Option<u64>) -> bool {
        let Fetching { largest, delivered, span_us } = fetching;
        let share = |bytes: u64, percent: u128| u128::from(bytes) * 100 >= u128::from(size) * percent;
        let quick = |duration_ms| u128::from(span_us) * 4 < u128::from(duration_ms) * 1000;
        share(largest, 90) || (share(delivered, 99) && duration_ms.is_some_and(quick))
    }
}

impl Progress {
    /// Bin `i` is the bytes of content from ⌊content × i ÷ 100⌋ up to, without, ⌊content × (i + 1) ÷ 100⌋. Content of
    /// less than 100 bytes has no bins.
    pub fn of(coverage: &Coverage, audio_start: u64, size: u64) -> Self {
        let content = size.saturating_sub(audio_start);
        if content < BINS.into() {
            return Self::default();
        }
        let (mut covered, mut furthest) = (0, 0);
        for range in coverage.iter().map(|range| range.clipped(audio_start, size)).filter(|it| !it.is_empty())
        {
            let (start, end) = (range.start - audio_start, range.end - audio_start);
            // The first bin that begins at `start` or later; the bins that end at `end` or before.
            let first = if start == 0 { 0 } else { hundredths(start, content).0 };
            let (begun, begun_at_next) = hundredths(end, content);
            let ended = if end == content { BINS } else { begun_at_next - 1 };
            if first < ended {
                covered |= (u128::MAX >> (128 - u32::from(ended))) & (u128::MAX << first);
            }
            furthest = begun;
        }
        Self(covered | u128::from(furthest) << FURTHEST)
    }

    /// Whether every byte of the bin was received.
    pub fn covers(&self, bin: u8) -> bool {
        (self.0 & COVERED) >> bin & 1 == 1
    }

    /// The bins covered here and not in the other, those that follow one another together: nearly always one run.
    pub fn beyond(self, other: Self) -> impl Iterator<Item = Range<u8>> {
        let mut bits = self.0 & !other.0 & COVERED;
        std::iter::from_fn(move || {
            if bits == 0 {
                return None;
            }
            let start = bits.trailing_zeros();
            let end = start + (bits >> start).trailing_ones();
            bits &= u128::MAX.checked_shl(end).unwrap_or(0);
            let bin = |at: u32| u8::try_from(at).expect("at most 128");
            Some(bin(start)..bin(end))
        })
    }

    /// The bin of the last byte of content; None where nothing of the content is known to be received.
    pub fn furthest(&self) -> Option<u8> {
        u8::try_from(self.0 >> FURTHEST).expect("eight bits are left").checked_sub(1)
    }
}

/// ⌈100 × bytes ÷ content⌉, and the same of a byte more; for `bytes` up to `content`, which is at least 100.
fn hundredths(bytes: u64, content: u64) -> (u8, u8) {
    let (whole, rest) = match bytes.checked_mul(BINS.into()) {
        Some(product) => (product / content, product % content),
        None => {
            let (product, content) = (u128::from(bytes) * u128::from(BINS), u128::from(content));
            let fits =
                |share: u128| u64::try_from(share).expect("no more than 100, or less than the content");
            (fits(product / content), fits(product % content))
        }
    };
    let whole = u8::try_from(whole).expect("no more bytes than content");
    // A hundredth more takes at most one further.
    let further = u8::from(rest > content - u64::from(BINS));
    (whole + u8::from(rest > 0), whole + 1 + further)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::ByteRange;

    fn coverage(ranges: &[(u64, u64)]) -> Coverage {
        let mut coverage = Coverage::default();
        for &(start, end) in ranges {
            coverage.insert(ByteRange::new(start, end));
        }
        coverage
    }

    fn bins(progress: &Progress) -> Vec<u8> {
        (0..BINS).filter(|bin| progress.covers(*bin)).collect()
    }

    #[test]
    fn bulk_by_one_request_or_by_haste() {
        for (largest, delivered, span_us, size, duration_ms, expected) in [
            (899, 899, 0, 1_000, None, false),
            (900, 900, 0, 1_000, None, true),
            (900, 900, u64::MAX, 1_000, Some(1), true),
            (500, 990, 24_999_999, 1_000, Some(100_000), true),
            (500, 990, 25_000_000, 1_000, Some(100_000), false),
            (500, 989, 0, 1_000, Some(100_000), false),
            (500, 1_000, 0, 1_000, None, false),
        ] {
            let fetching = Fetching { largest, delivered, span_us };
            assert_eq!(Listening::is_bulk(fetching, size, duration_ms), expected, "{fetching:?}");
        }
    }

    #[test]
    fn a_bin_counts_when_all_its_bytes_are_there() {
        // 1,000 bytes of content after a tag of 50: ten bytes a bin.
        let check = |ranges: &[(u64, u64)], covered: &[u8], furthest| {
            let progress = Progress::of(&coverage(ranges), 50, 1_050);
            assert_eq!((bins(&progress), progress.furthest()), (covered.to_vec(), furthest), "{ranges:?}");
        };
        check(&[], &[], None);
        check(&[(0, 50)], &[], None);
        check(&[(0, 51)], &[], Some(0));
        check(&[(0, 59)], &[], Some(0));
        check(&[(0, 60)], &[0], Some(0));
        check(&[(0, 61)], &[0], Some(1));
        check(&[(51, 80)], &[1, 2], Some(2));
        check(&[(50, 60), (70, 80), (1_040, 2_000)], &[0, 2, 99], Some(99));
        check(&[(1_041, 1_050)], &[], Some(99));
        let all: Vec<u8> = (0..BINS).collect();
        check(&[(0, 1_050)], &all, Some(99));
    }

    #[test]
    fn little_content_has_no_bins() {
        let whole = coverage(&[(0, u64::MAX)]);
        assert_eq!(Progress::of(&whole, 0, 99), Progress::default());
        assert_eq!(Progress::of(&whole, 9, 5), Progress::default());
        assert_eq!(bins(&Progress::of(&whole, 0, 100)).len(), 100);
        assert_eq!(bins(&Progress::of(&whole, 0, u64::MAX)).len(), 100);
    }

    proptest! {
        #[test]
        fn equals_a_bitmap(ranges in prop::collection::vec((0_u64..900, 0_u64..200), 0..6),
                           audio_start in 0_u64..60, content in 100_u64..900) {
            let size = audio_start + content;
            let ranges: Vec<_> = ranges.iter().map(|&(start, length)| (start, start + length)).collect();
            let progress = Progress::of(&coverage(&ranges), audio_start, size);
            let received = |byte: u64| ranges.iter().any(|&(start, end)| (start..end).contains(&(audio_start + byte)));
            let bin = |i: u64| content * i / 100..content * (i + 1) / 100;
            let covered: Vec<u8> = (0..100).filter(|i| bin((*i).into()).all(received)).collect();
            prop_assert_eq!(bins(&progress), covered);
            let furthest = (0..content).rfind(|byte| received(*byte)).map(|last| {
                (0..100_u8).find(|i| bin((*i).into()).contains(&last)).unwrap()
            });
            prop_assert_eq!(progress.furthest(), furthest);
        }

        #[test]
        fn bins_beyond_another_are_in_runs(a in 0_u128..1 << 100, b in 0_u128..1 << 100, all: bool) {
            let a = if all { (1 << 100) - 1 } else { a };
            let [a, b] = [a, b].map(Progress);
            let expected: Vec<u8> = (0..BINS).filter(|bin| a.covers(*bin) && !b.covers(*bin)).collect();
            let runs: Vec<_> = a.beyond(b).collect();
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start), "{runs:?}");
            prop_assert_eq!(runs.into_iter().flatten().collect::<Vec<_>>(), expected);
        }
    }
}
