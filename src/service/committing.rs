//! Committing: sums into the store, every flush interval or sooner when much waits, and at the end.
//!
//! A store that does not answer costs nothing but time: sums go on adding up, the journal keeps the lines, and the
//! same commit is asked until it succeeds.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use tokio_util::sync::CancellationToken;

use super::counter::{Handoff, Sums};
use super::counting::Pending;
use crate::clock::Clock;
use crate::journal;
use crate::metrics::Metrics;
use crate::rollup::{Delta, ReachKey, Sketch};
use crate::store::{self, Commit, StoreError};

/// How long sketches of listeners wait: they are large, and numbers do not need them.
const SKETCH_INTERVAL: Duration = Duration::from_secs(60);

/// Commits sums.
pub struct Committing {
    pub writer: store::Writer,
    pub journal: journal::Writer<Handoff>,
    pub pending: Arc<Pending>,
    pub flush_interval: Duration,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<dyn Clock>,
    /// Since the clock's beginning.
    pub sketches_kept_at: Duration,
    /// Gives up on a store that does not answer.
    pub give_up: CancellationToken,
}

impl Committing {
    /// Commits until `done`, and once more then. Fails where the store refuses for good.
    pub async fn run(mut self, done: CancellationToken) -> Result<(), StoreError> {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.flush_interval) => {}
                () = self.pending.due.notified() => {}
                () = done.cancelled() => {}
            }
            // Asked before the sums are taken: all that was counted by then is in them.
            let is_last = done.is_cancelled();
            self.commit(is_last).await?;
            if let Err(error) = self.journal.maintain(self.clock.now()).await {
                tracing::debug!(%error, "the journal is closed");
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn commit(&mut self, is_last: bool) -> Result<(), StoreError> {
        let now = self.clock.monotonic();
        let keep_sketches = is_last || now - self.sketches_kept_at >= SKETCH_INTERVAL;
        let sums = self.take(keep_sketches);
        let is_ahead = sums.position > self.writer.position();
        let nothing_new = !is_ahead && (!keep_sketches || sums.reach.is_empty());
        // What is replayed comes before the store's position: its reach waits until that is reached.
        if nothing_new || sums.position < self.writer.position() {
            self.put_back(sums.reach);
            return Ok(());
        }
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
        let began = self.clock.monotonic();
        let metrics = Arc::clone(&self.metrics);
        self.writer
            .commit_until_done(&commit, &self.give_up, |error, pause| {
                metrics.store_failed();
                tracing::warn!(%error, ?pause, "the store did not take a commit; trying again");
            })
            .await?;
        if keep_sketches {
            self.sketches_kept_at = now;
        }
        let took = self.clock.monotonic() - began;
        self.metrics.store_committed(sums.position, took, self.clock.now());
        if let Err(error) = self.journal.set_committed(sums.position) {
            tracing::debug!(%error, "the journal is closed");
        }
        Ok(())
    }

    /// What was taken for nothing; newer sketches hold the older ones.
    fn put_back(&self, reach: HashMap<ReachKey, Sketch>) {
        let mut pending = self.pending.lock();
        for (key, sketch) in reach {
            pending.reach.entry(key).or_insert(sketch);
        }
    }

    /// What is pending; names are left for the next time.
    fn take(&self, keep_sketches: bool) -> Sums {
        let mut pending = self.pending.lock();
        let delta: Delta = mem::take(&mut pending.delta);
        Sums {
            delta,
            position: pending.position,
            episodes: pending.episodes.clone(),
            sources: pending.sources.clone(),
            agents: pending.agents.clone(),
            labels: pending.labels.clone(),
            shows: pending.shows.clone(),
            reach: if keep_sketches { mem::take(&mut pending.reach) } else { pending.reach.clone() },
        }
    }
}
