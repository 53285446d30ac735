//! How many listeners there are just now: distinct ones of whom a valid line was received in the last five minutes.
//!
//! A line is received when its request has ended, so somebody who has fetched a whole episode is seen once, and a
//! player that fetches it bit by bit again and again. Exact up to [`MOST_KEPT`] listeners; beyond it, only those whose
//! key ends in so many zero bits are kept, each standing for as many as the bits leave out (adaptive sampling, Flajolet
//! 1990): an error of about 1 %, in memory that does not grow. Keys are keyed hashes, hence evenly spread.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::units::{ListenerKey, Timestamp};

/// Listeners kept at the most.
pub const MOST_KEPT: usize = 1 << 15;

/// The window, in seconds.
pub const WINDOW_SECONDS: i64 = 300;

/// Listeners are kept by the ten seconds in which they were seen last.
const SLOT_SECONDS: i64 = 10;

/// Listeners seen last within one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    /// Number of slots since the epoch.
    number: i64,
    kept: u64,
    /// Each kept listener stands for 2^level of them.
    level: u32,
}

/// What can be told at any later moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveCount(Vec<(i64, u64)>);

impl LiveCount {
    /// Listeners of the five minutes before `now`.
    pub fn at(&self, now: Timestamp) -> u64 {
        let from = slot_of(now) - WINDOW_SECONDS / SLOT_SECONDS;
        self.0.iter().filter(|(number, _)| *number > from).map(|(_, listeners)| listeners).sum()
    }
}

/// The listeners of the last five minutes.
#[derive(Clone, Debug, Default)]
pub struct LiveListeners {
    /// By key, the slot each was seen in last.
    seen: HashMap<u64, i64>,
    /// Oldest first.
    slots: VecDeque<Slot>,
}

impl LiveListeners {
    /// `at` is when their lines were received; one before the latest counts as the latest.
    pub fn see(&mut self, listeners: impl IntoIterator<Item = ListenerKey>, at: Timestamp) {
        self.advance_to(slot_of(at));
        listeners.into_iter().for_each(|listener| self.see_now(listener.0[0]));
    }

    fn see_now(&mut self, key: u64) {
        let newest = self.slots.back_mut().expect("it has advanced to one");
        if key.trailing_zeros() < newest.level {
            return;
        }
        match self.seen.insert(key, newest.number) {
            Some(before) if before == newest.number => return,
            Some(before) => {
                newest.kept += 1;
                let older = self.slots.iter_mut().find(|slot| slot.number == before);
                older.expect("what is kept is in a slot").kept -= 1;
            }
            None => newest.kept += 1,
        }
        if self.seen.len() > MOST_KEPT {
            self.halve();
        }
    }

    pub fn count(&self) -> LiveCount {
        LiveCount(self.slots.iter().map(|slot| (slot.number, slot.kept << slot.level)).collect())
    }

    fn advance_to(&mut self, number: i64) {
        let newest = self.slots.back();
        if newest.is_some_and(|newest| newest.number >= number) {
            return;
        }
        let level = newest.map_or(0, |newest| newest.level);
        let oldest = number - WINDOW_SECONDS / SLOT_SECONDS;
        while self.slots.front().is_some_and(|slot| slot.number <= oldest) {
            self.slots.pop_front();
        }
        self.seen.retain(|_, seen_in| *seen_in > oldest);
        // Where there is much room again, more are kept from here on.
        let level = level.saturating_sub(u32::from(self.seen.len() < MOST_KEPT / 4));
        self.slots.push_back(Slot { number, kept: 0, level });
    }

    /// Keeps half as many. No slot has a lower level than one after it, so all that are kept fit each of them.
    fn halve(&mut self) {
        let level = self.slots.back().map_or(0, |newest| newest.level) + 1;
        for slot in &mut self.slots {
            slot.level = slot.level.max(level);
            slot.kept = 0;
        }
        let slots = &mut self.slots;
        self.seen.retain(|key, seen_in| {
            let slot = slots.iter_mut().find(|slot| slot.number == *seen_in).expect("as above");
            let keep = key.trailing_zeros() >= slot.level;
            slot.kept += u64::from(keep);
            keep
        });
    }
}

fn slot_of(at: Timestamp) -> i64 {
    at.seconds().div_euclid(SLOT_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    /// Evenly spread, as real keys are (SplitMix64).
    fn listener(number: u64) -> ListenerKey {
        let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ListenerKey([z ^ (z >> 31), 0])
    }

    #[test]
    fn each_counts_once_for_five_minutes() {
        let mut live = LiveListeners::default();
        for (number, seconds) in [(1, 1_000), (1, 1_004), (2, 1_100), (1, 1_200), (3, 1_200)] {
            live.see([listener(number)], at(seconds));
        }
        // Received before the latest, as after a clock was set back.
        live.see([listener(4)], at(900));
        let count = live.count();
        for (now, expected) in [(1_200, 4), (1_399, 4), (1_400, 3), (1_499, 3), (1_500, 0)] {
            assert_eq!(count.at(at(now)), expected, "{now}");
        }
        live.see([listener(5)], at(9_000));
        assert_eq!((live.count().at(at(9_000)), live.seen.len(), live.slots.len()), (1, 1, 1));
    }

    /// A wave of many listeners and its end, twenty minutes.
    #[test]
    fn many_are_estimated_in_bounded_memory() {
        let mut live = LiveListeners::default();
        let mut exact = HashMap::new();
        for slot in 0..120_i64 {
            let now = at(10_000 + SLOT_SECONDS * slot);
            // Each slot has a thousand new ones, in the wave ten thousand; half of the slot's before come again.
            let new_in = |slot| if (30..60).contains(&slot) { 10_000 } else { 1_000 };
            let numbers = |slot: i64| (0..new_in(slot)).map(move |number| slot * 100_000 + number);
            for number in numbers(slot).chain(numbers(slot - 1).filter(|number| number % 2 == 0)) {
                live.see([listener(number as u64)], now);
                exact.insert(number, slot);
            }
            assert!(live.seen.len() <= MOST_KEPT);
            exact.retain(|_, seen_in| *seen_in > slot - WINDOW_SECONDS / SLOT_SECONDS);
            let (estimate, exact) = (live.count().at(now), exact.len() as u64);
            let error = estimate.abs_diff(exact) as f64 / exact as f64;
            assert!(error < 0.03, "slot {slot}: {estimate} for {exact}");
        }
        assert!(live.slots.back().unwrap().level == 0, "exact again");
    }
}
