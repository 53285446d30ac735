//! Which bodies were received before.
//!
//! Fastly may send a batch again when the answer to it was lost. A body with the same bytes as one received within the
//! window is the same batch, by a hash that nobody can make collide; its lines then count as re-delivered. Decided in
//! the order of the journal, from receive times alone: a replay decides the same.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;

use crate::units::Timestamp;

/// Bodies remembered at the most: a day of one a minute from each of seven hundred machines.
const MAX_BODIES: usize = 1_000_000;

/// BLAKE3 of a body as it was received.
pub type Digest = [u8; 32];

/// Hashes a body.
pub fn digest(body: &[u8]) -> Digest {
    blake3::hash(body).into()
}

/// The bodies of the window.
#[derive(Debug)]
pub struct SeenBodies {
    window: Duration,
    /// When each was received last.
    last: HashMap<Digest, Timestamp>,
    order: VecDeque<(Digest, Timestamp)>,
}

impl SeenBodies {
    pub fn new(window: Duration) -> Self {
        Self { window, last: HashMap::new(), order: VecDeque::new() }
    }

    pub fn set_window(&mut self, window: Duration) {
        self.window = window;
    }

    /// Whether the body was received within the window; remembers it in any case.
    pub fn check(&mut self, digest: Digest, received_at: Timestamp) -> bool {
        self.forget(received_at);
        self.order.push_back((digest, received_at));
        self.last.insert(digest, received_at).is_some()
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some(&(digest, received_at)) = self.order.front() {
            if now.since(received_at) <= self.window && self.order.len() < MAX_BODIES {
                return;
            }
            self.order.pop_front();
            if self.last.get(&digest) == Some(&received_at) {
                self.last.remove(&digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_within_the_window() {
        let at = |seconds| Timestamp::from_seconds(seconds).unwrap();
        let mut seen = SeenBodies::new(Duration::from_secs(10));
        let (one, two) = (digest(b"one"), digest(b"two"));
        assert!(!seen.check(one, at(0)));
        assert!(!seen.check(two, at(1)));
        assert!(seen.check(one, at(10)));
        assert!(seen.check(one, at(20)), "the second one was received too");
        assert!(!seen.check(two, at(20)));
        assert!(!seen.check(one, at(31)));
        assert_eq!(seen.last.len(), 1);
    }
}
