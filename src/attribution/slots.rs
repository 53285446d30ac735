//! Open addressing over one flat array, for tables of millions of keyed hashes.
//!
//! An entry is eight bytes whose highest bits are a hash's: they say where it belongs, and it stands there or in the next
//! free place behind. So a look-up, found or not, reads one cache line and now and then its neighbour, an insertion writes
//! to the line that the look-up read, and what is to be read can be fetched ahead. Because places follow the order of the
//! hashes, a table that grows is copied from front to back, without the keys. A general map (hashbrown) keeps its marks
//! apart from its entries, which is a second line from far away for each insertion; that was measured to be what counting
//! waited for most.
//!
//! Hashes are keyed, so nobody can choose them to collide. No entry is zero.

use std::hint::black_box;

/// At most four of five places are taken.
const fn is_full(len: usize, places: usize) -> bool {
    len >= places / 5 * 4
}

const FEWEST_PLACES: usize = 16;

/// Of the processor's cache.
const PLACES_A_LINE: usize = 64 / size_of::<u64>();

/// Entries by their highest bits.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    /// A power of two of them, or none; 0 where nothing is.
    places: Vec<u64>,
    len: usize,
}

impl Slots {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn allocated_bytes(&self) -> usize {
        self.places.capacity() * size_of::<u64>()
    }

    /// Empties it and keeps its room.
    pub fn clear(&mut self) {
        self.places.fill(0);
        self.len = 0;
    }

    /// All entries, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.places.iter().copied().filter(|entry| *entry != 0)
    }

    /// Makes room for so many.
    pub fn reserve(&mut self, entries: usize) {
        let places = (entries / 4 * 5 + 5).next_power_of_two().max(FEWEST_PLACES);
        if places > self.places.len() {
            self.grow_to(places);
        }
    }

    /// Fetches the place that entries with this hash begin at, and the next, for in a table that is nearly full some stand
    /// there.
    pub fn touch(&self, hash: u64) {
        let from_home = self.places.get(self.home(hash)..).unwrap_or_default();
        from_home.first_chunk::<PLACES_A_LINE>().into_iter().for_each(prefetch);
    }

    /// The first entry with the place of `hash` that `is_it`.
    #[inline]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u64) -> bool) -> Option<u64> {
        let mut at = self.home(hash);
        loop {
            match *self.places.get(at)? {
                0 => return None,
                entry if is_it(entry) => return Some(entry),
                _ => at = self.after(at),
            }
        }
    }

    /// As [`Slots::find`]; puts `entry`, which has this hash, in where there is none.
    #[inline]
    pub fn find_or_insert(&mut self, hash: u64, is_it: impl FnMut(u64) -> bool, entry: u64) -> Option<u64> {
        let place = self.find_or_insert_mut(hash, is_it, entry);
        place.map(|place| *place)
    }

    /// As above, with what was found to be replaced by one with the same hash.
    #[inline]
    pub fn find_or_insert_mut(
        &mut self,
        hash: u64,
        mut is_it: impl FnMut(u64) -> bool,
        entry: u64,
    ) -> Option<&mut u64> {
        if is_full(self.len, self.places.len()) {
            self.grow_to((self.places.len() * 2).max(FEWEST_PLACES));
        }
        let mut at = self.home(hash);
        loop {
            match self.places[at] {
                0 => break,
                found if is_it(found) => return Some(&mut self.places[at]),
                _ => at = self.after(at),
            }
        }
        debug_assert!(entry != 0 && self.home(entry) == self.home(hash));
        self.places[at] = entry;
        self.len += 1;
        None
    }

    /// Takes an entry out; those behind it that have been displaced move up.
    pub fn remove(&mut self, entry: u64) {
        if self.len == 0 {
            return;
        }
        let mut free = self.home(entry);
        while self.places[free] != entry {
            if self.places[free] == 0 {
                return;
            }
            free = self.after(free);
        }
        let mask = self.places.len() - 1;
        let mut at = free;
        loop {
            at = self.after(at);
            let next = self.places[at];
            if next == 0 {
                break;
            }
            // How far it is from where it belongs, and how far the free place is.
            let displaced = at.wrapping_sub(self.home(next)) & mask;
            if displaced >= at.wrapping_sub(free) & mask {
                self.places[free] = next;
                free = at;
            }
        }
        self.places[free] = 0;
        self.len -= 1;
    }

    fn grow_to(&mut self, places: usize) {
        // Hidden from the compiler that all are zeros: it would take pages of zeros from the system, and those are got twice,
        // first to be read and then to be written, which also stops all other threads.
        let mut new = black_box(Vec::with_capacity(places));
        new.resize(places, 0);
        let old = std::mem::replace(&mut self.places, new);
        for entry in old.into_iter().filter(|entry| *entry != 0) {
            let mut at = self.home(entry);
            while self.places[at] != 0 {
                at = self.after(at);
            }
            self.places[at] = entry;
        }
    }

    /// Of no meaning while there are no places.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        let bits = self.places.len().trailing_zeros();
        (hash >> (64 - bits).min(63)) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }
}

/// Has memory brought near before it is read, without waiting for it.
#[inline(always)]
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "what is read instead has to be waited for"))]
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    for byte in [0, size_of::<T>().saturating_sub(1)] {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let byte = std::ptr::from_ref(value).cast::<i8>().wrapping_add(byte);
        // SAFETY: SSE is a part of x86-64, and a prefetch neither faults nor changes anything, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(byte) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn insert(slots: &mut Slots, entry: u64) -> bool {
        slots.find_or_insert(entry, |found| found == entry, entry).is_none()
    }

    proptest! {
        /// Few different hashes, so that they meet; those of all ones wrap around.
        #[test]
        fn a_set_like_any_other(steps in prop::collection::vec((0..3u8, 0..40u64, 1..9u64), 0..400)) {
            let (mut slots, mut expected) = (Slots::default(), BTreeSet::new());
            for (step, high, low) in steps {
                let entry = (high.wrapping_sub(20)) << 58 | low;
                match step {
                    0 => {
                        slots.remove(entry);
                        expected.remove(&entry);
                    }
                    1 => prop_assert_eq!(insert(&mut slots, entry), expected.insert(entry)),
                    _ => {
                        let found = slots.find(entry, |found| found == entry);
                        prop_assert_eq!(found, expected.get(&entry).copied());
                    }
                }
                prop_assert_eq!(slots.len(), expected.len());
            }
            let mut left: Vec<u64> = slots.iter().collect();
            left.sort_unstable();
            prop_assert!(left.iter().eq(&expected));
        }
    }

    #[test]
    fn room_for_as_many_as_were_asked_for() {
        let mut slots = Slots::default();
        slots.touch(7);
        assert_eq!(slots.find(7, |_| true), None);
        slots.reserve(10_000);
        let bytes = slots.allocated_bytes();
        // Spread as hashes are.
        (1..=10_000u64)
            .for_each(|number| assert!(insert(&mut slots, number.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
        assert_eq!((slots.len(), slots.allocated_bytes()), (10_000, bytes));
    }
}
