//! From the journal's feed to the store: the store is claimed, the newest state it allows is loaded, then one thread counts
//! while a task commits.
//!
//! Until the store answers nothing is counted, for only the store can tell which sums it has; lines are taken meanwhile.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::committing::Committing;
use super::counter::{Counter, Handoff};
use super::counting::{Counting, Pending, Replay};
use super::episodes::note_rules;
use super::health::Health;
use super::rules::Rules;
use super::snapshot::{self, Keeper};
use super::start::ServiceError;
use crate::attribution::Secret;
use crate::clock::Clock;
use crate::journal::{self, Feed, JournalError};
use crate::metrics::Metrics;
use crate::store::{self, Store, StoreError};
use crate::units::JournalPosition;

/// What counting and committing are made of.
pub struct Pipeline {
    pub flush_interval: std::time::Duration,
    /// What the store calls this instance.
    pub instance: String,
    pub rules: Rules,
    pub secret: Secret,
    pub store: Store,
    pub journal: journal::Writer<Handoff>,
    pub reader: journal::Reader,
    pub feed: Feed<Handoff>,
    /// The journal's end when it was opened.
    pub held_until: JournalPosition,
    /// The folder of state snapshots.
    pub states: PathBuf,
    pub identity: snapshot::Identity,
    pub snapshot_interval: std::time::Duration,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<dyn Clock>,
    pub give_up: CancellationToken,
}

impl Pipeline {
    /// Counts and commits until the journal is closed and all of it is in the store, or until it has to give up.
    pub async fn run(self) -> Result<(), ServiceError> {
        let writer = self.claim().await?;
        let committed = writer.position();
        let began_at = self.clock.monotonic();
        if self.held_until < committed {
            self.go_on_behind(committed).await?;
        }
        let (counter, restored) = self.begin(committed)?;
        let from = restored.unwrap_or(JournalPosition::START);
        tracing::info!(
            state = restored.map_or("none".to_owned(), |position| position.to_string()),
            sessions = counter.engine().open_sessions(),
            %committed,
            took = ?self.clock.monotonic() - began_at,
            "counting begins"
        );
        let mut feed = self.feed;
        feed.start_at(from);
        self.health.store_claimed();

        let pending = Arc::new(Pending::new(committed));
        let mut counting = Counting {
            counter,
            feed,
            journal: self.journal.clone(),
            pending: Arc::clone(&pending),
            keeper: Keeper::new(self.states, self.identity, self.snapshot_interval, restored, began_at),
            replay: Replay { from, committed, until: self.held_until, began_at, is_over: false },
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&self.clock),
            runtime: Handle::current(),
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
        let committing = Committing {
            writer,
            journal: self.journal,
            pending,
            flush_interval: self.flush_interval,
            metrics: self.metrics,
            health: self.health,
            clock: self.clock,
            give_up: self.give_up.clone(),
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
        result?;
        // All is committed, which is after the end of counting: this does not wait.
        if let Ok(mut counting) = thread.join() {
            counting.finish();
        }
        Ok(())
    }

    /// Migrates and claims the store, however long it takes to answer.
    async fn claim(&self) -> Result<store::Writer, StoreError> {
        let on_failure = |error: &StoreError, pause| {
            self.health.store_failed(error);
            tracing::warn!(%error, ?pause, "the store does not answer; trying again, the journal keeps what comes");
        };
        store::retry(&self.give_up, on_failure, || self.try_to_claim()).await
    }

    async fn try_to_claim(&self) -> Result<store::Writer, StoreError> {
        self.store.migrate().await?;
        self.store.claim(self.identity.journal.0, &self.instance).await
    }

    /// The journal's end was lost, and the store holds more than is there. What has come since has positions that the store
    /// takes for old ones; a record behind them carries it over, with whatever is counted by then. (A process that ends
    /// before that is committed takes them with it: nothing on the disk tells them from those that the store has.)
    async fn go_on_behind(&self, committed: JournalPosition) -> Result<(), JournalError> {
        let noted = match self.journal.skip_to(committed) {
            Ok(()) => note_rules(&self.journal, &self.rules, &*self.clock).await,
            error => error,
        };
        match noted {
            // Stopped before it was ready: what the journal holds is counted all the same.
            Ok(()) | Err(JournalError::Closed | JournalError::Full(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The counter as the newest usable state snapshot says, and where that stands.
    fn begin(&self, committed: JournalPosition) -> Result<(Counter, Option<JournalPosition>), ServiceError> {
        // Where the journal's end was lost, the store holds more than was there: what has come since is new.
        let counted = committed.min(self.held_until);
        let restored = snapshot::choose(
            &self.states,
            self.identity,
            committed,
            |path, error| {
                tracing::warn!(path = %path.display(), %error, "a state snapshot is passed over");
            },
            |state, head| Counter::restore(state, head, self.secret, counted, self.reader.clone()),
        );
        match restored {
            Some((head, counter)) => Ok((counter, Some(head.position))),
            None => Ok((Counter::new(&self.rules, self.secret, counted, self.reader.clone())?, None)),
        }
    }
}
