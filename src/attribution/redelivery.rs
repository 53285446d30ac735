//! Which request ids were seen before.
//!
//! Fastly promises neither that a line is sent once nor how soon a copy follows, so an id is remembered for a window
//! of receipt time (the service) and for a bounded number of lines (always; the only bound in `count`). Ids are kept
//! as keyed 64-bit hashes: among ten million the chance of any collision is a few in a million. No client chooses an id, so
//! a hash will do that is no cryptographic one, at a fifth of the price.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::quality::FixedState;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::listener::Secret;
use super::slots::Slots;
use crate::units::Timestamp;

/// How long an id is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Ids remembered at the most.
    pub ids: usize,
    /// None: by number alone.
    pub window: Option<Duration>,
}

impl Memory {
    pub const MAX_IDS: usize = 10_000_000;
}

/// The keyed hash of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdHash(u64);

impl IdHash {
    /// Which of so many has it.
    pub fn share(self, shares: usize) -> usize {
        self.0 as usize % shares
    }
}

/// The ids of the lines seen last. Some 25 bytes an id, for there may be ten million.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeenIds {
    /// Made of the secret, which never leaves the process with the rest: see [`SeenIds::restored`].
    #[serde(skip)]
    hasher: FixedState,
    memory: Memory,
    /// The high half of an id's hash, and the last line that brought it, numbered as by `forgotten`.
    #[serde(skip)]
    last: Slots,
    /// Lines in order, each with its id; the front is forgotten first.
    order: VecDeque<Seen>,
    /// How many lines were forgotten so far, modulo 2³²: the number of the one at the front of `order`.
    forgotten: u32,
    /// When lines were received, each from the one of that number on.
    receipts: VecDeque<(u32, Timestamp)>,
}

/// A line that brought an id.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Seen {
    /// In halves, which need no alignment to eight bytes.
    hash: [u32; 2],
    /// Among all lines that did, modulo 2³².
    line: u32,
}

impl Seen {
    fn new(hash: IdHash, line: u32) -> Self {
        Self { hash: [hash.0 as u32, (hash.0 >> 32) as u32], line }
    }

    fn hash(self) -> u64 {
        u64::from(self.hash[0]) | u64::from(self.hash[1]) << 32
    }
}

fn hasher(secret: Secret) -> FixedState {
    FixedState::with_seed(SipHasher13::new_with_key(&secret).hash(b"castmeter request ids"))
}

/// An entry of the index. No hash's upper half is zero, so that no entry is.
fn entry(hash: u64, number: u32) -> u64 {
    hash >> 32 << 32 | u64::from(number)
}

impl SeenIds {
    pub fn new(secret: Secret, memory: Memory) -> Self {
        let (order, receipts) = (VecDeque::new(), VecDeque::new());
        Self { hasher: hasher(secret), memory, last: Slots::default(), order, forgotten: 0, receipts }
    }

    /// What was read back, with what was left out of it: the secret, and what the order tells.
    pub fn restored(mut self, secret: Secret) -> Self {
        self.hasher = hasher(secret);
        self.last.reserve(self.order.len());
        for at in 0..self.order.len() {
            self.remember(self.order[at].hash(), self.forgotten.wrapping_add(at as u32));
        }
        self
    }

    pub fn table_bytes(&self) -> usize {
        self.last.allocated_bytes() + self.order.capacity() * size_of::<Seen>()
    }

    pub fn set_memory(&mut self, memory: Memory) {
        self.memory = memory;
    }

    pub fn hash(&self, id: &[u8]) -> IdHash {
        IdHash(self.hasher.hash_one(id).max(1 << 32))
    }

    /// Reads what [`SeenIds::check`] will read, so that many ids' memory is waited for at once.
    pub fn touch(&self, IdHash(hash): IdHash) {
        self.last.touch(hash);
    }

    /// Whether the id was seen before; remembers it in any case. The line follows the one checked last.
    pub fn check(&mut self, hash: IdHash, received_at: Timestamp) -> bool {
        let line = self.order.back().map_or(0, |seen| seen.line.wrapping_add(1));
        self.check_line(hash, line, received_at)
    }

    /// As [`SeenIds::check`], where lines with other ids are checked elsewhere: `line` counts all of them, modulo 2³².
    pub fn check_line(&mut self, hash: IdHash, line: u32, received_at: Timestamp) -> bool {
        self.forget(line, received_at);
        let number = self.forgotten.wrapping_add(self.order.len() as u32);
        if self.receipts.back().is_none_or(|(_, at)| *at != received_at) {
            self.receipts.push_back((number, received_at));
        }
        self.order.push_back(Seen::new(hash, line));
        self.remember(hash.0, number)
    }

    /// True where the id was known.
    fn remember(&mut self, hash: u64, number: u32) -> bool {
        let (order, forgotten) = (&self.order, self.forgotten);
        let is_its = |entry: u64| {
            entry >> 32 == hash >> 32 && order[(entry as u32).wrapping_sub(forgotten) as usize].hash() == hash
        };
        let known = self.last.find_or_insert_mut(hash, is_its, entry(hash, number));
        known.map(|known| *known = entry(hash, number)).is_some()
    }

    fn forget(&mut self, line: u32, now: Timestamp) {
        while let Some(&front) = self.order.front() {
            let received_at = self.receipts.front().map_or(now, |(_, at)| *at);
            let old = self.memory.window.is_some_and(|window| now.since(received_at) > window);
            if !old && line.wrapping_sub(front.line) as usize <= self.memory.ids {
                return;
            }
            // A later line may have brought the same id: then it is remembered from there on.
            let number = self.forgotten;
            self.last.remove(entry(front.hash(), number));
            self.order.pop_front();
            self.forgotten = number.wrapping_add(1);
            if self.receipts.get(1).is_some_and(|(from, _)| *from == self.forgotten) {
                self.receipts.pop_front();
            }
        }
        self.receipts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    fn check(seen: &mut SeenIds, id: &[u8], at: Timestamp) -> bool {
        let hash = seen.hash(id);
        seen.touch(hash);
        seen.check(hash, at)
    }

    #[test]
    fn within_the_window_of_receipt() {
        let mut seen = SeenIds::new([0; 16], Memory { ids: 100, window: Some(Duration::from_secs(10)) });
        assert!(!check(&mut seen, b"a", at(0)));
        assert!(!check(&mut seen, b"b", at(5)));
        assert!(check(&mut seen, b"a", at(10)));
        assert!(check(&mut seen, b"a", at(20)), "remembered by every line that brings it");
        assert!(!check(&mut seen, b"a", at(31)));
        assert!(!check(&mut seen, b"b", at(31)));
        assert_eq!((seen.last.len(), seen.receipts.len()), (2, 1));
    }

    #[test]
    fn among_the_last_ids() {
        let mut seen = SeenIds::new([0; 16], Memory { ids: 2, window: None });
        let mut check = |ids: &str| ids.bytes().map(|id| check(&mut seen, &[id], at(0))).collect::<Vec<_>>();
        assert_eq!(check("abab"), [false, false, true, true]);
        assert_eq!(check("cab"), [false, false, false]);
        assert_eq!(check("bbab"), [true, true, false, true], "a line counts, repeated or not");
    }

    /// Ids divided among several, and numbers that begin anew: the same is known as to one.
    #[test]
    fn lines_with_other_ids_count_too() {
        let memory = Memory { ids: 3, window: None };
        let mut one = SeenIds::new([0; 16], memory);
        let mut divided = [SeenIds::new([0; 16], memory), SeenIds::new([0; 16], memory)];
        for (number, id) in (u32::MAX - 5..=u32::MAX).chain(0..9).zip("abcabdaacdbbaca".bytes()) {
            let part = &mut divided[usize::from(id % 2)];
            let hash = part.hash(&[id]);
            assert_eq!(part.check_line(hash, number, at(0)), one.check(hash, at(0)), "{number}");
        }
    }

    /// What is read back knows the same ids.
    #[test]
    fn restored() {
        let mut seen = SeenIds::new([0; 16], Memory { ids: 3, window: None });
        for id in "abbcd".bytes() {
            check(&mut seen, &[id], at(0));
        }
        let bytes = postcard::to_stdvec(&seen).unwrap();
        let mut back = postcard::from_bytes::<SeenIds>(&bytes).unwrap().restored([0; 16]);
        let knows = |seen: &SeenIds| {
            "abcd".bytes().map(|id| check(&mut seen.clone(), &[id], at(0))).collect::<Vec<_>>()
        };
        assert_eq!(
            (knows(&back), knows(&seen)),
            (vec![false, true, true, true], vec![false, true, true, true])
        );
        assert_eq!(check(&mut back, b"e", at(0)), check(&mut seen, b"e", at(0)));
        assert_eq!(knows(&back), knows(&seen));
    }
}
