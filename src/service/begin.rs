//! Where counting begins: at the newest usable snapshot, or with nothing; and what it gives out from there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::counter::{Counter, Handoff};
use super::counting::{Counting, Pending, Replay};
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
    pub fn counting(self, committed: JournalPosition) -> Result<Counting, ServiceError> {
        let began_at = self.clock.monotonic();
        match self.journal.skip_to(committed) {
            // Stopped before it was ready: what the journal holds is counted all the same.
            Ok(()) | Err(JournalError::Closed) => {}
            Err(error) => return Err(error.into()),
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
            keeper: Keeper::new(self.states, self.identity, self.snapshot_interval, restored, began_at)?,
            replay: Replay { from, committed, until: self.held_until, began_at, is_over: false },
            metrics: self.metrics,
            clock: self.clock,
        })
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
        )?;
        match restored {
            Some((head, counter)) => Ok((counter, Some(head.position))),
            None => Ok((Counter::new(&self.rules, self.secret, counted, self.reader.clone())?, None)),
        }
    }
}
