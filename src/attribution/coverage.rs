//! Which bytes of a file one session has received: an exact union of half-open ranges.
//!
//! Union, never sum: fetching the same bytes twice delivers them once. Ranges are kept sorted, disjoint and not
//! touching, so the same set of bytes always has the same form whatever the order of arrival.
//!
//! Most sessions are one or two ranges, which stay inline in 16 bytes; only more of them, offsets past 4 GiB, or what
//! few sessions have beside ranges ([`Rare`]) take the heap. Their number is bounded: past [`MAX_RANGES`] the nearest gap
//! is closed, so memory stays bounded at the price of counting a gap's bytes as delivered; [`Coverage::insert`] says when
//! it did.

use serde::{Deserialize, Serialize};

use crate::units::{ByteCount, ByteRange};

/// Ranges one session may hold before the smallest gap is closed: 64 KiB of ranges.
pub const MAX_RANGES: usize = 4_096;

const INLINE_RANGES: usize = 2;

/// A set of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Coverage(Repr);

/// Bytes that have no place in the file, or none yet.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rare {
    pub unplaced: ByteCount,
    /// Length asked for and bytes sent, to be placed once the size is known.
    pub suffixes: Vec<(u64, ByteCount)>,
}

/// An unused inline slot is the empty range `[0, 0)`; used ones come first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Repr {
    Inline([[u32; 2]; INLINE_RANGES]),
    Heap(Box<Heap>),
}

#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Heap {
    ranges: Vec<ByteRange>,
    rare: Rare,
}

impl Default for Repr {
    fn default() -> Self {
        Self::Inline([[0; 2]; INLINE_RANGES])
    }
}

/// What an insertion cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    Exact,
    /// The bound on ranges was met: the bytes of the smallest gap now count as delivered.
    GapClosed,
}

impl Coverage {
    /// Adds a range; an empty one changes nothing.
    pub fn insert(&mut self, range: ByteRange) -> Precision {
        if range.is_empty() {
            return Precision::Exact;
        }
        if let Repr::Inline(slots) = &mut self.0
            && insert_inline(slots, range)
        {
            return Precision::Exact;
        }
        let Heap { ranges, .. } = self.heap();
        insert_sorted(ranges, range);
        if ranges.len() <= MAX_RANGES {
            return Precision::Exact;
        }
        close_smallest_gap(ranges);
        Precision::GapClosed
    }

    /// What is not among the ranges; none in most sessions.
    pub fn rare(&self) -> Option<&Rare> {
        match &self.0 {
            Repr::Inline(_) => None,
            Repr::Heap(heap) => Some(&heap.rare),
        }
    }

    pub fn rare_mut(&mut self) -> &mut Rare {
        &mut self.heap().rare
    }

    fn heap(&mut self) -> &mut Heap {
        if let Repr::Inline(_) = self.0 {
            self.0 = Repr::Heap(Box::new(Heap { ranges: self.iter().collect(), rare: Rare::default() }));
        }
        let Repr::Heap(heap) = &mut self.0 else { unreachable!("made a heap above") };
        heap
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = ByteRange> + '_ {
        let (slots, ranges): (&[[u32; 2]], &[ByteRange]) = match &self.0 {
            Repr::Inline(slots) => (slots, &[]),
            Repr::Heap(heap) => (&[], &heap.ranges),
        };
        let inline = slots.iter().map(|&[start, end]| ByteRange::new(start.into(), end.into()));
        inline.filter(|range| !range.is_empty()).chain(ranges.iter().copied())
    }

    /// How many of the bytes in `[low, high)` are in the set.
    pub fn covered(&self, low: u64, high: u64) -> u64 {
        let covered = |range: ByteRange| range.clipped(low, high).len().0;
        match &self.0 {
            // One that is not used covers nothing.
            Repr::Inline(slots) => {
                slots.iter().map(|&[start, end]| covered(ByteRange::new(start.into(), end.into()))).sum()
            }
            Repr::Heap(heap) => heap.ranges.iter().copied().map(covered).sum(),
        }
    }
}

/// False, and nothing changed, where the result would not fit inline.
fn insert_inline(slots: &mut [[u32; 2]; INLINE_RANGES], range: ByteRange) -> bool {
    let (Ok(mut start), Ok(mut end)) = (u32::try_from(range.start), u32::try_from(range.end)) else {
        return false;
    };
    let mut apart = [[0; 2]; INLINE_RANGES + 1];
    let mut count = 0;
    for &[a, b] in slots.iter().filter(|[a, b]| a < b) {
        if b < start || end < a {
            apart[count] = [a, b];
            count += 1;
        } else {
            start = start.min(a);
            end = end.max(b);
        }
    }
    if count == INLINE_RANGES {
        return false;
    }
    apart[count] = [start, end];
    if count == 1 && start < apart[0][0] {
        apart.swap(0, 1);
    }
    slots.copy_from_slice(&apart[..INLINE_RANGES]);
    true
}

fn insert_sorted(ranges: &mut Vec<ByteRange>, range: ByteRange) {
    let from = ranges.partition_point(|other| other.end < range.start);
    let to = from + ranges[from..].partition_point(|other| other.start <= range.end);
    match ranges[from..to] {
        [] => ranges.insert(from, range),
        [first, .., last] => {
            ranges[from] = ByteRange::new(range.start.min(first.start), range.end.max(last.end));
            ranges.drain(from + 1..to);
        }
        [only] => ranges[from] = ByteRange::new(range.start.min(only.start), range.end.max(only.end)),
    }
}

/// Closes the first of the smallest gaps.
fn close_smallest_gap(ranges: &mut Vec<ByteRange>) {
    let gap = |at: &usize| ranges[at + 1].start - ranges[*at].end;
    let Some(at) = (0..ranges.len() - 1).min_by_key(gap) else { return };
    ranges[at].end = ranges[at + 1].end;
    ranges.remove(at + 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(ranges: &[(u64, u64)]) -> Coverage {
        let mut coverage = Coverage::default();
        for &(start, end) in ranges {
            assert_eq!(coverage.insert(ByteRange::new(start, end)), Precision::Exact);
        }
        coverage
    }

    fn ranges(coverage: &Coverage) -> Vec<(u64, u64)> {
        coverage.iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn a_session_stays_small() {
        assert!(size_of::<Coverage>() <= 24, "{}", size_of::<Coverage>());
    }

    #[test]
    fn unions() {
        let check = |inserted: &[(u64, u64)], expected: &[(u64, u64)]| {
            assert_eq!(ranges(&of(inserted)), expected, "{inserted:?}");
        };
        check(&[], &[]);
        check(&[(5, 5), (9, 3)], &[]);
        check(&[(0, 10), (0, 10)], &[(0, 10)]);
        check(&[(0, 10), (10, 20)], &[(0, 20)]);
        check(&[(20, 30), (0, 10)], &[(0, 10), (20, 30)]);
        check(&[(20, 30), (0, 10), (5, 25)], &[(0, 30)]);
        check(&[(20, 30), (0, 10), (40, 50)], &[(0, 10), (20, 30), (40, 50)]);
        check(&[(20, 30), (0, 10), (40, 50), (11, 60)], &[(0, 10), (11, 60)]);
        check(&[(0, 10), (1 << 40, (1 << 40) + 1)], &[(0, 10), (1 << 40, (1 << 40) + 1)]);
    }

    #[test]
    fn past_the_bound_the_smallest_gap_closes() {
        let mut coverage = Coverage::default();
        for at in 0..MAX_RANGES as u64 {
            assert_eq!(coverage.insert(ByteRange::new(at * 10, at * 10 + 1)), Precision::Exact);
        }
        let far = MAX_RANGES as u64 * 100;
        assert_eq!(coverage.insert(ByteRange::new(far, far + 1)), Precision::GapClosed);
        assert_eq!(coverage.iter().count(), MAX_RANGES);
        assert_eq!(coverage.covered(0, 11), 11, "the first of the smallest gaps");
    }

    proptest! {
        #[test]
        fn equals_a_bitmap(inserted in prop::collection::vec((0_u64..200, 0_u64..40), 0..40),
                           low in 0_u64..220, width in 0_u64..220) {
            let mut bitmap = [false; 512];
            let mut coverage = Coverage::default();
            for &(start, length) in &inserted {
                coverage.insert(ByteRange::new(start, start + length));
                bitmap[start as usize..(start + length) as usize].fill(true);
            }
            let high = low + width;
            let expected = bitmap[low as usize..high as usize].iter().filter(|set| **set).count();
            prop_assert_eq!(coverage.covered(low, high), expected as u64);
            let all = ranges(&coverage);
            prop_assert!(all.windows(2).all(|pair| pair[0].1 < pair[1].0), "sorted and apart: {:?}", all);
        }

        #[test]
        fn order_does_not_matter(inserted in prop::collection::vec((0_u64..u64::from(u32::MAX) + 50, 0_u64..99), 0..9)) {
            let union = |items: &[(u64, u64)]| {
                let mut coverage = Coverage::default();
                for &(start, length) in items {
                    coverage.insert(ByteRange::new(start, start + length));
                }
                ranges(&coverage)
            };
            let mut reversed = inserted.clone();
            reversed.reverse();
            prop_assert_eq!(union(&inserted), union(&reversed));
        }
    }
}
