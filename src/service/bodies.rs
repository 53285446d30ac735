//! Which bodies were received before.
//!
//! Fastly may send a batch again when the answer to it was lost. A body with the same bytes as one received within the
//! window is the same batch, by a hash that nobody can make collide; its lines then count as re-delivered. That is
//! decided where lines are counted ([`SeenBodies`]), in the order of the journal, from receive times alone: a
//! replay decides the same.
//!
//! The intake remembers where bodies stand in the journal ([`FirstCopies`]), to note one that comes again as a reference
//! instead of the whole. This only saves space: it decides nothing, and forgetting it (a restart) is harmless. A
//! replay finds what a reference refers to, since the journal holds it as long as the reference may be counted again,
//! and takes no reference to what it has dropped.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::units::{Encoding, JournalPosition, Timestamp};

/// Bodies remembered at the most: a day of one a minute from each of seven hundred machines.
const MAX_BODIES: usize = 1_000_000;

/// BLAKE3 of a body as it was received.
pub type Digest = [u8; 32];

/// Hashes a body.
pub fn digest(body: &[u8]) -> Digest {
    blake3::hash(body).into()
}

/// The bodies of the window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeenBodies(Recent<()>);

impl SeenBodies {
    pub fn new(window: Duration) -> Self {
        Self(Recent::new(window))
    }

    pub fn set_window(&mut self, window: Duration) {
        self.0.window = window;
    }

    /// Whether the body was received within the window; remembers it in any case.
    pub fn check(&mut self, digest: Digest, received_at: Timestamp) -> bool {
        self.0.insert(digest, received_at, ()).is_some()
    }

    /// What was read back, with what the order of arrival tells.
    pub fn restored(mut self) -> Self {
        let Recent { last, order, .. } = &mut self.0;
        last.reserve(order.len());
        last.extend(order.iter().map(|&(digest, received_at)| (digest, (received_at, ()))));
        self
    }
}

/// Where bodies that are durable stand in the journal.
#[derive(Debug)]
pub struct FirstCopies(Recent<(JournalPosition, Encoding)>);

impl FirstCopies {
    pub fn new(window: Duration) -> Self {
        Self(Recent::new(window))
    }

    /// The copy that is the same bytes and means the same lines.
    pub fn find(
        &self,
        digest: &Digest,
        encoding: Encoding,
        received_at: Timestamp,
    ) -> Option<JournalPosition> {
        let (first_at, (position, first_encoding)) = self.0.last.get(digest)?;
        let is_same = *first_encoding == encoding && received_at.since(*first_at) <= self.0.window;
        is_same.then_some(*position)
    }

    pub fn remember(
        &mut self,
        digest: Digest,
        encoding: Encoding,
        received_at: Timestamp,
        position: JournalPosition,
    ) {
        self.0.insert(digest, received_at, (position, encoding));
    }
}

/// What was received within the window, and something about each.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Recent<T> {
    window: Duration,
    /// When each was received last.
    #[serde(skip, default = "HashMap::new")]
    last: HashMap<Digest, (Timestamp, T)>,
    order: VecDeque<(Digest, Timestamp)>,
}

impl<T> Recent<T> {
    fn new(window: Duration) -> Self {
        Self { window, last: HashMap::new(), order: VecDeque::new() }
    }

    /// Gives what was known of it.
    fn insert(&mut self, digest: Digest, received_at: Timestamp, value: T) -> Option<T> {
        self.forget(received_at);
        self.order.push_back((digest, received_at));
        self.last.insert(digest, (received_at, value)).map(|(_, value)| value)
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some(&(digest, received_at)) = self.order.front() {
            if now.since(received_at) <= self.window && self.order.len() < MAX_BODIES {
                return;
            }
            self.order.pop_front();
            if self.last.get(&digest).is_some_and(|(last, _)| *last == received_at) {
                self.last.remove(&digest);
            }
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
    fn the_same_bytes_within_the_window() {
        let mut seen = SeenBodies::new(Duration::from_secs(10));
        let (one, two) = (digest(b"one"), digest(b"two"));
        assert!(!seen.check(one, at(0)));
        assert!(!seen.check(two, at(1)));
        assert!(seen.check(one, at(10)));
        assert!(seen.check(one, at(20)), "the second one was received too");
        assert!(!seen.check(two, at(20)));
        assert!(!seen.check(one, at(31)));
        assert_eq!(seen.0.last.len(), 1);
    }

    #[test]
    fn what_is_read_back_remembers_the_same() {
        let mut seen = SeenBodies::new(Duration::from_secs(10));
        for (body, seconds) in [(b"one", 0), (b"two", 3), (b"one", 6)] {
            seen.check(digest(body), at(seconds));
        }
        let saved = postcard::to_stdvec(&seen).unwrap();
        let mut restored = postcard::from_bytes::<SeenBodies>(&saved).unwrap().restored();
        for (body, seconds) in [(b"one", 16), (b"two", 16), (b"one", 26), (b"one", 37)] {
            let (digest, at) = (digest(body), at(seconds));
            assert_eq!(restored.check(digest, at), seen.check(digest, at), "{body:?} {seconds}");
        }
    }

    #[test]
    fn first_copies_of_the_window() {
        let mut copies = FirstCopies::new(Duration::from_secs(10));
        let one = digest(b"one");
        let find = |copies: &FirstCopies, seconds| copies.find(&one, Encoding::Gzip, at(seconds));
        assert_eq!(find(&copies, 0), None);
        copies.remember(one, Encoding::Gzip, at(0), JournalPosition(7));
        assert_eq!(find(&copies, 10), Some(JournalPosition(7)));
        assert_eq!(copies.find(&one, Encoding::Identity, at(10)), None, "the same bytes, other lines");
        assert_eq!(find(&copies, 11), None);
        copies.remember(one, Encoding::Gzip, at(11), JournalPosition(9));
        assert_eq!(find(&copies, 12), Some(JournalPosition(9)));
    }
}
