//! Which request ids were seen before.
//!
//! Fastly promises neither that a line is sent once nor how soon a copy follows, so an id is remembered for a window
//! of receipt time (the service) and for a bounded number of lines (always; the only bound in `count`). Ids are kept
//! as keyed 64-bit hashes: among ten million the chance of any collision is below three in a million.

use std::collections::VecDeque;
use std::hash::Hasher;
use std::time::Duration;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::listener::Secret;
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

/// The ids of the lines seen last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeenIds {
    /// Never leaves the process with the rest: see [`SeenIds::restored`].
    #[serde(skip)]
    secret: Secret,
    memory: Memory,
    /// Id to the number of the line that brought it last.
    #[serde(skip)]
    last: HashMap<u64, u64>,
    /// Lines in order, each with its id and receipt; the front is forgotten first.
    order: VecDeque<(u64, Timestamp)>,
    /// The number of the line at the front of `order`.
    front: u64,
}

impl SeenIds {
    pub fn new(secret: Secret, memory: Memory) -> Self {
        Self { secret, memory, last: HashMap::new(), order: VecDeque::new(), front: 0 }
    }

    /// What was read back, with what was left out of it: the secret, and what the order tells.
    pub fn restored(mut self, secret: Secret) -> Self {
        self.secret = secret;
        self.last.reserve(self.order.len());
        self.last.extend(self.order.iter().zip(self.front..).map(|((hash, _), number)| (*hash, number)));
        self
    }

    pub fn table_bytes(&self) -> usize {
        self.last.allocation_size() + self.order.capacity() * size_of::<(u64, Timestamp)>()
    }

    pub fn set_memory(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// Whether the id was seen before; remembers it in any case.
    pub fn check(&mut self, id: &[u8], received_at: Timestamp) -> bool {
        self.forget(received_at);
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        hasher.write(id);
        let hash = hasher.finish();
        let number = self.front + self.order.len() as u64;
        self.order.push_back((hash, received_at));
        self.last.insert(hash, number).is_some()
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some(&(hash, received_at)) = self.order.front() {
            let old = self.memory.window.is_some_and(|window| now.since(received_at) > window);
            if !old && self.order.len() <= self.memory.ids {
                return;
            }
            // A later line may have brought the same id: then it is remembered from there on.
            if self.last.get(&hash) == Some(&self.front) {
                self.last.remove(&hash);
            }
            self.order.pop_front();
            self.front += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    #[test]
    fn within_the_window_of_receipt() {
        let mut seen = SeenIds::new([0; 16], Memory { ids: 100, window: Some(Duration::from_secs(10)) });
        assert!(!seen.check(b"a", at(0)));
        assert!(!seen.check(b"b", at(5)));
        assert!(seen.check(b"a", at(10)));
        assert!(seen.check(b"a", at(20)), "remembered by every line that brings it");
        assert!(!seen.check(b"a", at(31)));
        assert!(!seen.check(b"b", at(31)));
        assert_eq!(seen.last.len(), 2);
    }

    #[test]
    fn among_the_last_ids() {
        let mut seen = SeenIds::new([0; 16], Memory { ids: 2, window: None });
        let mut check = |ids: &str| ids.bytes().map(|id| seen.check(&[id], at(0))).collect::<Vec<_>>();
        assert_eq!(check("abab"), [false, false, true, true]);
        assert_eq!(check("cab"), [false, false, false]);
        assert_eq!(check("bbab"), [true, true, false, true], "a line counts, repeated or not");
    }
}
