//! Committing: sums into the store, every flush interval or sooner when much waits, and at the end.
//!
//! A store that does not answer costs nothing but time: sums go on adding up, the journal keeps the lines, and the
//! same commit is asked until it succeeds.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::counter::{Handoff, Sums};
use super::counting::Pending;
use crate::clock::Clock;
use crate::journal;
use crate::metrics::Metrics;
use crate::rollup::Delta;
use crate::store::{self, Commit, StoreError};

/// Commits sums.
pub struct Committing {
    pub writer: store::Writer,
    pub journal: journal::Writer<Handoff>,
    pub pending: Arc<Pending>,
    pub flush_interval: Duration,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<dyn Clock>,
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
            self.commit().await?;
            if let Err(error) = self.journal.maintain(self.clock.now()).await {
                tracing::debug!(%error, "the journal is closed");
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        let sums = self.take();
        if sums.position <= self.writer.position() {
            return Ok(());
        }
        let commit = Commit {
            position: sums.position,
            delta: &sums.delta,
            episodes: &sums.episodes,
            sources: &sums.sources,
            agents: &sums.agents,
            labels: &sums.labels,
        };
        let began = self.clock.monotonic();
        let metrics = Arc::clone(&self.metrics);
        self.writer
            .commit_until_done(&commit, &self.give_up, |error, pause| {
                metrics.store_failed();
                tracing::warn!(%error, ?pause, "the store did not take a commit; trying again");
            })
            .await?;
        let took = self.clock.monotonic() - began;
        self.metrics.store_committed(sums.position, took, self.clock.now());
        if let Err(error) = self.journal.set_committed(sums.position) {
            tracing::debug!(%error, "the journal is closed");
        }
        Ok(())
    }

    /// What is pending; names are left for the next time.
    fn take(&self) -> Sums {
        let mut pending = self.pending.lock();
        let delta: Delta = mem::take(&mut pending.delta);
        Sums {
            delta,
            position: pending.position,
            episodes: pending.episodes.clone(),
            sources: pending.sources.clone(),
            agents: pending.agents.clone(),
            labels: pending.labels.clone(),
        }
    }
}
