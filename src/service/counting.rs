//! The counting thread: the journal's feed in, sums out to metrics and to whoever commits them.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::counter::{Counter, Handoff, Sums};
use crate::clock::Clock;
use crate::journal::{Fed, Feed};
use crate::metrics::{Metrics, Publication};

/// How long sums stay with the counting thread while lines keep coming.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(250);
/// The same for reach, which is larger.
const REACH_INTERVAL: Duration = Duration::from_secs(5);
/// Rows that make a commit due before its time.
const EARLY_COMMIT_ROWS: usize = 100_000;

/// Sums on their way from counting to committing.
#[derive(Debug, Default)]
pub struct Pending {
    sums: Mutex<Sums>,
    /// Much waits, or counting has ended.
    pub due: Notify,
}

impl Pending {
    pub fn lock(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().expect("nothing panics with it held")
    }
}

/// Counts until the journal is closed and all of it is counted, or until `stop` says so between two records.
pub struct Counting {
    pub counter: Counter,
    pub feed: Feed<Handoff>,
    pub pending: Arc<Pending>,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<dyn Clock>,
}

impl Counting {
    pub fn run(mut self, stop: impl Fn() -> bool) {
        let mut published_at = self.clock.monotonic();
        let mut reached_at = published_at;
        while !stop() {
            let fed = match self.feed.next_now() {
                Some(fed) => fed,
                None => {
                    self.publish_reach();
                    self.publish();
                    published_at = self.clock.monotonic();
                    reached_at = published_at;
                    match self.feed.blocking_next() {
                        Some(fed) => fed,
                        None => break,
                    }
                }
            };
            self.take(fed);
            if self.clock.monotonic() - reached_at >= REACH_INTERVAL {
                self.publish_reach();
                reached_at = self.clock.monotonic();
            }
            if self.clock.monotonic() - published_at >= PUBLISH_INTERVAL {
                self.publish();
                published_at = self.clock.monotonic();
            }
        }
        self.publish_reach();
        self.publish();
        self.pending.due.notify_one();
    }

    fn publish_reach(&mut self) {
        self.counter.give_reach(&mut self.pending.lock());
    }

    fn take(&mut self, fed: Result<Fed<Handoff>, crate::journal::JournalError>) {
        let fed = match fed {
            Ok(fed) => fed,
            Err(error) => {
                tracing::error!(%error, "the journal cannot be read; trying again");
                std::thread::sleep(Duration::from_secs(1));
                return;
            }
        };
        if let Fed::Damage(damage) = &fed {
            tracing::error!(?damage, "a damaged place in the journal was passed over and kept aside");
        }
        if let Err(error) = self.counter.count(fed, self.feed.position()) {
            tracing::error!(%error, position = %self.feed.position(), "a record of the journal was not counted");
        }
    }

    fn publish(&mut self) {
        let position = self.counter.position();
        let mut sums = self.pending.lock();
        let fresh = self.counter.give(&mut sums);
        let arrived = self.counter.arrivals().take();
        let live = self.counter.arrivals().live().count();
        let gaps_closed = self.counter.take_gaps_closed();
        let engine = self.counter.engine();
        // Before anybody can commit these sums: metrics tell how old lines are when they are committed.
        self.metrics.publish(Publication {
            delta: &fresh,
            arrived,
            live,
            position,
            episodes: &sums.episodes,
            sources: &sums.sources,
            engine,
            watermark: engine.watermark(self.clock.now()),
            gaps_closed,
        });
        let rows = sums.delta.rows();
        drop(sums);
        if rows > EARLY_COMMIT_ROWS {
            self.pending.due.notify_one();
        }
    }
}
