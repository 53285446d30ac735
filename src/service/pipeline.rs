//! From the journal's feed to the store: the store is claimed, counting begins where it allows, then one thread counts
//! while a task commits.
//!
//! Until the store answers nothing is counted, for only the store can tell which sums it has; lines are taken meanwhile.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::begin::Beginning;
use super::committing::Committing;
use super::health::Health;
use super::start::ServiceError;
use crate::store::{self, Store, StoreError};

/// What counting and committing are made of.
pub struct Pipeline {
    pub flush_interval: std::time::Duration,
    /// What the store calls this instance.
    pub instance: String,
    pub store: Store,
    pub beginning: Beginning,
    pub health: Arc<Health>,
    pub give_up: CancellationToken,
}

impl Pipeline {
    /// Counts and commits until the journal is closed and all of it is in the store, or until it has to give up.
    pub async fn run(self) -> Result<(), ServiceError> {
        let writer = self.claim().await?;
        self.beginning.metrics.store_claimed(writer.position());
        let mut counting = self.beginning.counting(writer.position()).await?;
        self.health.store_claimed();
        let committing = Committing {
            writer,
            journal: counting.journal.clone(),
            pending: Arc::clone(&counting.pending),
            flush_interval: self.flush_interval,
            metrics: Arc::clone(&counting.metrics),
            health: self.health,
            sketches_kept_at: counting.clock.monotonic(),
            clock: Arc::clone(&counting.clock),
            give_up: self.give_up.clone(),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let counted = CancellationToken::new();
        let thread = {
            let (stop, counted) = (Arc::clone(&stop), counted.clone().drop_guard());
            let work = move || {
                counting.run(|| stop.load(Ordering::Relaxed));
                drop(counted);
                counting
            };
            std::thread::Builder::new()
                .name("counting".to_owned())
                .spawn(work)
                .map_err(ServiceError::Thread)?
        };
        let mut committing = pin!(committing.run(counted.clone()));
        let result = tokio::select! {
            result = &mut committing => result,
            () = self.give_up.cancelled() => {
                stop.store(true, Ordering::Relaxed);
                committing.await
            }
        };
        stop.store(true, Ordering::Relaxed);
        // Where all is committed, counting has ended before; else it ends after the record it is at.
        let counting = tokio::task::spawn_blocking(|| thread.join()).await;
        result?;
        if let Ok(Ok(mut counting)) = counting {
            counting.finish();
        }
        Ok(())
    }

    /// Migrates and claims the store, however long it takes to answer.
    async fn claim(&self) -> Result<store::Writer, StoreError> {
        let on_failure = |error: &StoreError, pause| {
            self.beginning.metrics.store_failed();
            self.health.store_failed(error);
            tracing::warn!(%error, ?pause, "the store does not answer; trying again, the journal keeps what comes");
        };
        store::retry(&self.give_up, on_failure, || self.try_to_claim()).await
    }

    async fn try_to_claim(&self) -> Result<store::Writer, StoreError> {
        self.store.migrate().await?;
        self.store.claim(self.beginning.identity.journal.0, &self.instance).await
    }
}
