//! The counting thread: the journal's feed in, sums out to metrics and to whoever commits them; now and then a
//! snapshot of what it knows.
//!
//! The journal may drop nothing before the replay is over: only then is all known that refers to an older record.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::error::Elapsed;

use super::counter::{Counter, Handoff, Sums};
use super::snapshot::Keeper;
use crate::clock::Clock;
use crate::journal::{self, Fed, Feed, JournalError};
use crate::metrics::{Metrics, Publication};
use crate::units::JournalPosition;

/// How often metrics are told.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(250);
/// The same for reach, unless few sketches changed: what is given out is copied when the next listener comes.
const REACH_INTERVAL: Duration = Duration::from_secs(10);
const FEW_SKETCHES: usize = 100;
/// Rows that make a commit due before its time: some hundred megabytes.
const EARLY_COMMIT_ROWS: usize = 1_000_000;

/// What counting and committing tell each other.
#[derive(Debug, Default)]
pub struct Pending {
    sums: Mutex<Sums>,
    /// Much waits, or counting has ended.
    pub due: Notify,
    /// Whoever commits waits for sums.
    is_wanted: AtomicBool,
    given: Notify,
    /// What the store holds.
    committed: AtomicU64,
    /// What the journal must hold for a restart, committed or not. All, at first.
    needed_from: AtomicU64,
}

impl Pending {
    /// `committed`: what the store holds.
    pub fn new(committed: JournalPosition) -> Self {
        let this = Self::default();
        this.set_committed(committed);
        this
    }

    pub fn lock(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().expect("nothing panics with it held")
    }

    /// Has the counting thread give what it has counted, and waits for it. For ever once that has ended, after it gave
    /// all.
    pub async fn ask(&self) {
        // One that was not waited for would tell of sums that were taken since.
        let given = self.given.notified();
        self.is_wanted.store(true, Ordering::Release);
        given.await;
    }

    pub fn set_committed(&self, position: JournalPosition) {
        self.committed.store(position.0, Ordering::Release);
    }

    pub fn committed(&self) -> JournalPosition {
        JournalPosition(self.committed.load(Ordering::Acquire))
    }

    pub fn needed_from(&self) -> JournalPosition {
        JournalPosition(self.needed_from.load(Ordering::Acquire))
    }
}

/// A record, or why there is none.
type Fetched = Result<Fed<Handoff>, JournalError>;

/// Counts until the journal is closed and all of it is counted, or until `stop` says so between two records.
pub struct Counting {
    pub counter: Counter,
    pub feed: Feed<Handoff>,
    pub journal: journal::Writer<Handoff>,
    pub pending: Arc<Pending>,
    pub keeper: Keeper,
    pub replay: Replay,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<dyn Clock>,
    /// To wait by, on the thread that counts.
    pub runtime: Handle,
}

/// What the journal held when the process began and the state does not.
#[derive(Clone, Copy, Debug)]
pub struct Replay {
    pub from: JournalPosition,
    /// Sums before it are in the store.
    pub committed: JournalPosition,
    /// The journal's end at the start.
    pub until: JournalPosition,
    /// By the process's own clock.
    pub began_at: Duration,
    pub is_over: bool,
}

impl Counting {
    pub fn run(&mut self, stop: impl Fn() -> bool) {
        let mut published_at = self.clock.monotonic();
        let mut published = JournalPosition::START;
        let mut reached_at = published_at;
        while !stop() {
            if !self.count_next() {
                match self.wait() {
                    Ok(Some(fed)) => self.take(fed),
                    Ok(None) => break,
                    Err(Elapsed { .. }) => {}
                }
            }
            if self.pending.is_wanted.load(Ordering::Relaxed) {
                self.publish();
                published = self.counter.position();
            }
            let now = self.clock.monotonic();
            if now - published_at < PUBLISH_INTERVAL {
                continue;
            }
            let is_due =
                now - reached_at >= REACH_INTERVAL || self.counter.changed_sketches() <= FEW_SKETCHES;
            // Nobody commits what is replayed.
            if is_due && self.counter.position() >= self.replay.committed {
                self.publish_reach();
                reached_at = now;
            }
            if published != self.counter.position() {
                self.tell_metrics();
                published = self.counter.position();
            }
            self.look_after_snapshots();
            published_at = now;
        }
        self.publish_reach();
        self.publish();
        self.pending.due.notify_one();
    }

    /// Gives the listeners who came since the last call to whoever commits.
    pub fn publish_reach(&mut self) {
        self.counter.give_reach(&mut self.pending.lock());
    }

    /// Counts the next record; false if there is none yet.
    pub fn count_next(&mut self) -> bool {
        self.look_after_replay();
        let next = self.feed.next_now();
        let found = next.is_some();
        next.into_iter().for_each(|fed| self.take(fed));
        found
    }

    /// The next record, if it comes soon; None when the journal is closed.
    fn wait(&mut self) -> Result<Option<Fetched>, Elapsed> {
        let next = async { tokio::time::timeout(PUBLISH_INTERVAL, self.feed.next()).await };
        self.runtime.block_on(next)
    }

    /// The last thing, once all that was counted is committed: the next start has nothing to replay.
    pub fn finish(&mut self) {
        let position = self.counter.position();
        self.note_committed();
        if position == self.pending.committed() && self.keeper.would_take(position) {
            self.take_snapshot();
            self.note_committed();
        }
    }

    fn take(&mut self, fed: Fetched) {
        let fed = match fed {
            Ok(fed) => fed,
            Err(error) => {
                tracing::error!(%error, "the journal cannot be read; trying again");
                std::thread::sleep(Duration::from_secs(1));
                return;
            }
        };
        match &fed {
            Fed::Damage(damage) => {
                tracing::error!(?damage, "a damaged place in the journal was passed over and kept aside");
            }
            // Of this process's own the journal knows.
            Fed::Stored(entry) if entry.position < self.replay.until => {
                let first = entry.record.refers_to();
                // An error: the journal is closed, and drops nothing any more.
                let _ = first.map(|first| self.journal.note_reference(entry.position, first));
            }
            Fed::Stored(_) | Fed::Live { .. } => {}
        }
        if let Err(error) = self.counter.count(fed, self.feed.position()) {
            let position = self.feed.position();
            tracing::error!(%error, %position, "a record of the journal was not counted");
        }
    }

    /// Gives what was counted since the last call to metrics and to whoever commits.
    pub fn publish(&mut self) {
        // Before anybody can commit these sums: metrics tell how old lines are when they are committed.
        self.tell_metrics();
        self.pending.is_wanted.store(false, Ordering::Relaxed);
        self.counter.give(&mut self.pending.lock());
        self.pending.given.notify_waiters();
    }

    fn tell_metrics(&mut self) {
        let mut sums = self.pending.lock();
        self.counter.give_names(&mut sums);
        let arrived = self.counter.arrivals().take();
        let live = self.counter.arrivals().live().count();
        let gaps_closed = self.counter.take_gaps_closed();
        let engine = self.counter.engine();
        self.metrics.publish(Publication {
            overview: self.counter.overview(),
            arrived,
            live,
            position: self.counter.position(),
            episodes: &sums.episodes,
            sources: &sums.sources,
            engine,
            watermark: engine.watermark(self.clock.now()),
            gaps_closed,
        });
        drop(sums);
        self.counter.clear_overview();
        if self.counter.rows() > EARLY_COMMIT_ROWS {
            self.pending.due.notify_one();
        }
    }

    /// Tells once what the replay was.
    fn look_after_replay(&mut self) {
        let Replay { from, committed, until, began_at, is_over } = self.replay;
        let position = self.counter.position();
        if self.counter.is_foreign() && position >= committed && self.keeper.has_taken_none() {
            // What was passed over need not be passed over again, and from here on this version counts.
            self.take_snapshot();
        }
        if is_over || position < until {
            return;
        }
        self.replay.is_over = true;
        let (records, skipped) = (until.0.saturating_sub(from.0), self.counter.skipped());
        let took = self.clock.monotonic() - began_at;
        tracing::info!(%from, %until, records, skipped, ?took, "the journal is replayed");
    }

    /// Takes a snapshot if it is time to, and tells what the journal need not hold any more.
    pub fn look_after_snapshots(&mut self) {
        let position = self.counter.position();
        // Before that the state is not yet that of the store.
        if position < self.replay.committed {
            return;
        }
        self.note_committed();
        if self.keeper.is_due(position, self.clock.monotonic()) {
            self.take_snapshot();
        }
        if self.replay.is_over {
            let needed_from = self.keeper.holds_from(position).map_or(u64::MAX, |position| position.0);
            self.pending.needed_from.store(needed_from, Ordering::Release);
        }
    }

    fn note_committed(&mut self) {
        if let Err(error) = self.keeper.store_reached(self.pending.committed()) {
            tracing::warn!(%error, "an old state snapshot remains");
        }
    }

    fn take_snapshot(&mut self) {
        let (position, began_at) = (self.counter.position(), self.clock.monotonic());
        match self.keeper.take(position, &self.counter.state(), began_at) {
            Ok(path) => {
                let took = self.clock.monotonic() - began_at;
                tracing::info!(path = %path.display(), sessions = self.counter.engine().open_sessions(), ?took, "state saved");
            }
            Err(error) => {
                tracing::error!(%error, "the state is not saved; trying again later, a restart takes longer until then");
            }
        }
    }
}
