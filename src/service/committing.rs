//! Committing: sums into the store, every flush interval or sooner when much waits, and at the end.
//!
//! A commit writes each row that changed, however often it changed. So under load, when most rows change all the time, two
//! commits cost twice what one does; then commits are made less often, and take a small share of the time.
//!
//! A store that does not answer costs nothing but time: sums go on adding up, the journal keeps the lines, and the
//! same commit is asked until it succeeds. The journal is told what may go: what the store holds, and a restart does not need.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::counter::{Handoff, Sums};
use super::counting::Pending;
use super::health::Health;
use crate::clock::Clock;
use crate::journal::{self, JournalError};
use crate::metrics::Metrics;
use crate::rollup::Delta;
use crate::store::{self, Commit, StoreError};

/// How long sketches of listeners wait: they are large, and numbers do not need them.
const SKETCH_INTERVAL: Duration = Duration::from_secs(60);

/// After a commit the store rests for so many times as long as it took …
const REST: u32 = 15;
/// … but not longer: sums in the tables are at most so old, and a commit more.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Sums of more rows are rare.
const LARGE_ROWS: usize = 4_000_000;

/// Commits sums.
pub struct Committing {
    pub writer: store::Writer,
    pub journal: journal::Writer<Handoff>,
    pub pending: Arc<Pending>,
    pub flush_interval: Duration,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    pub clock: Arc<dyn Clock>,
    /// Since the clock's beginning.
    pub sketches_kept_at: Duration,
    /// Gives up on a store that does not answer.
    pub give_up: CancellationToken,
}

impl Committing {
    /// Commits until `done`, and once more then. Fails where the store refuses for good.
    pub async fn run(mut self, done: CancellationToken) -> Result<(), StoreError> {
        let mut rest = Duration::ZERO;
        loop {
            let due = async {
                tokio::time::sleep(rest).await;
                self.pending.due.notified().await;
            };
            tokio::select! {
                () = tokio::time::sleep(self.flush_interval.max(rest)) => {}
                () = due => {}
                () = done.cancelled() => {}
            }
            tokio::select! {
                () = self.pending.ask() => {}
                () = done.cancelled() => {}
            }
            // Asked before the sums are taken: all that was counted by then is in them.
            let is_last = done.is_cancelled();
            let took = self.commit(is_last).await?;
            rest = took.saturating_mul(REST).min(LONGEST_REST);
            self.maintain().await;
            if is_last {
                return Ok(());
            }
        }
    }

    /// The journal learns what may go, also where nothing new came: it may be full.
    pub async fn maintain(&self) {
        if let Err(error) = self.try_to_maintain().await {
            tracing::debug!(%error, "the journal drops nothing");
        }
    }

    async fn try_to_maintain(&self) -> Result<(), JournalError> {
        self.journal.need_from(self.pending.needed_from())?;
        self.journal.set_committed(self.pending.committed())?;
        self.journal.maintain(self.clock.now()).await
    }

    /// Commits what is pending, however often it takes; tells how long the attempt took that succeeded.
    pub async fn commit(&mut self, is_last: bool) -> Result<Duration, StoreError> {
        let began = self.clock.monotonic();
        let keep_sketches = is_last || began - self.sketches_kept_at >= SKETCH_INTERVAL;
        let Some(mut sums) = self.take(keep_sketches) else { return Ok(Duration::ZERO) };
        let commit = Commit {
            position: sums.position,
            delta: &sums.delta,
            episodes: &sums.episodes,
            sources: &sums.sources,
            agents: &sums.agents,
            labels: &sums.labels,
            shows: &sums.shows,
            reach: &sums.reach,
            keep_sketches,
        };
        let (metrics, health) = (Arc::clone(&self.metrics), Arc::clone(&self.health));
        let mut attempt_began = began;
        self.writer
            .commit_until_done(&commit, &self.give_up, |error, pause| {
                metrics.store_failed();
                health.store_failed(error);
                tracing::warn!(%error, ?pause, "the store did not take a commit; trying again");
                attempt_began = self.clock.monotonic() + pause;
            })
            .await?;
        if keep_sketches {
            self.sketches_kept_at = began;
            self.pending.lock().reach_is_kept(&sums.reach, sums.position);
        }
        self.give_back(mem::take(&mut sums.delta));
        self.health.store_answered();
        let ended = self.clock.monotonic();
        self.metrics.store_committed(sums.position, ended - began, self.clock.now());
        self.pending.set_committed(sums.position);
        Ok(ended.saturating_sub(attempt_began))
    }

    /// The room that sums took, for the next ones; not where a store that was away has made them large.
    fn give_back(&self, mut delta: Delta) {
        let is_large = delta.rows() > LARGE_ROWS;
        delta.clear();
        let mut pending = self.pending.lock();
        if !is_large && pending.delta.is_empty() {
            pending.delta = delta;
        }
    }

    /// What is pending, if it is beyond what the store has, or sketches that are to be kept; names are left for the next
    /// time.
    fn take(&self, keep_sketches: bool) -> Option<Sums> {
        let mut pending = self.pending.lock();
        let committed = self.writer.position();
        let rests = pending.position == committed && keep_sketches && !pending.reach.is_empty();
        if pending.position <= committed && !rests {
            return None;
        }
        let delta: Delta = mem::take(&mut pending.delta);
        Some(Sums {
            delta,
            position: pending.position,
            episodes: pending.episodes.clone(),
            sources: pending.sources.clone(),
            agents: pending.agents.clone(),
            labels: pending.labels.clone(),
            shows: pending.shows.clone(),
            reach: pending.reach.clone(),
            reach_kept_at: pending.reach_kept_at,
        })
    }
}
