//! Where counting begins: at the newest usable snapshot, or with nothing; and what it gives out from there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::counter::{Counter, Handoff};
use super::counting::{Counting, Pending, Replay};
use super::episodes::note_rules;
use super::rules::Rules;
use super::snapshot::{self, Keeper};
use super::start::ServiceError;
use crate::attribution::Secret;
use crate::clock::Clock;
use crate::journal::{self, Feed, JournalError};
use crate::metrics::Metrics;
use crate::units::JournalPosition;

/// A journal that was opened, and all else that counting needs, but for the store's position.
pub struct Beginning {
    pub rules: Rules,
    pub secret: Secret,
    pub journal: journal::Writer<Handoff>,
    pub reader: journal::Reader,
    pub feed: Feed<Handoff>,
    /// The journal's end when it was opened.
    pub held_until: JournalPosition,
    /// The folder of state snapshots.
    pub states: PathBuf,
    pub identity: snapshot::Identity,
    pub snapshot_interval: Duration,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<dyn Clock>,
}

impl Beginning {
    /// Beside a store that has committed up to there.
    pub async fn counting(self, committed: JournalPosition) -> Result<Counting, ServiceError> {
        let began_at = self.clock.monotonic();
        if self.held_until < committed {
            self.go_on_behind(committed).await?;
        }
        let (counter, restored) = self.counter(committed)?;
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
        Ok(Counting {
            counter,
            feed,
            journal: self.journal,
            pending: Arc::new(Pending::new(committed)),
            keeper: Keeper::new(self.states, self.identity, self.snapshot_interval, restored, began_at),
            replay: Replay { from, committed, until: self.held_until, began_at, is_over: false },
            metrics: self.metrics,
            clock: self.clock,
            runtime: Handle::current(),
        })
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
    fn counter(
        &self,
        committed: JournalPosition,
    ) -> Result<(Counter, Option<JournalPosition>), ServiceError> {
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
