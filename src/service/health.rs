//! Whether the service is ready for traffic, and whether it still moves: what `/readyz` and `/livez` say.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::Clock;
use crate::journal::Status;

/// How long nothing may move before the service counts as stuck. A disk may take long for a single fsync.
const LIVE_WITHIN: Duration = Duration::from_secs(60);

/// What the parts of the service say of themselves.
pub struct Health {
    clock: Arc<dyn Clock>,
    /// `admin.ready_backlog`: how long the store may fail until too much waits for it.
    ready_backlog: Duration,
    state: Mutex<State>,
}

struct State {
    /// The store is migrated and claimed.
    is_claimed: bool,
    /// Set while the store does not take what is to be committed.
    failing: Option<Failing>,
    /// When everything that has to move was last seen to.
    last_beat: Duration,
}

struct Failing {
    since: Duration,
    error: String,
}

impl Health {
    pub fn new(clock: Arc<dyn Clock>, ready_backlog: Duration) -> Self {
        let state = State { is_claimed: false, failing: None, last_beat: clock.monotonic() };
        Self { clock, ready_backlog, state: Mutex::new(state) }
    }

    /// The store is migrated and this service's.
    pub fn store_claimed(&self) {
        let mut state = self.lock();
        state.is_claimed = true;
        state.failing = None;
    }

    /// The store took in what was counted.
    pub fn store_answered(&self) {
        self.lock().failing = None;
    }

    /// The store did not; it is asked again.
    pub fn store_failed(&self, error: &dyn std::error::Error) {
        let (now, error) = (self.clock.monotonic(), error.to_string());
        let mut state = self.lock();
        let since = state.failing.as_ref().map_or(now, |failing| failing.since);
        state.failing = Some(Failing { since, error });
    }

    /// Whether counting has begun; before that it does not move.
    pub fn is_claimed(&self) -> bool {
        self.lock().is_claimed
    }

    /// Everything that has to move does.
    pub fn beat(&self) {
        self.lock().last_beat = self.clock.monotonic();
    }

    /// What `/livez` says where the service is stuck.
    pub fn stuck(&self) -> Option<String> {
        let still = self.clock.monotonic().saturating_sub(self.lock().last_beat);
        let message = || format!("journal or counting have not moved for {} s", still.as_secs());
        (still > LIVE_WITHIN).then(message)
    }

    /// Why the service is not ready, if it is not: the store is not migrated, the journal cannot be written, or the store
    /// does not answer and what waits for it has become old.
    pub fn problems(&self, journal: &Status) -> Vec<String> {
        let mut problems = Vec::new();
        if !journal.running {
            problems.push("the journal has stopped".to_owned());
        }
        if journal.full.is_some() {
            problems.push("the journal is full".to_owned());
        }
        let state = self.lock();
        match (&state.failing, state.is_claimed) {
            (None, true) => {}
            (None, false) => problems.push("the store is not migrated yet".to_owned()),
            (Some(Failing { error, .. }), false) => {
                problems.push(format!("the store is not migrated yet: {error}"));
            }
            (Some(Failing { since, error }), true) => {
                let waits = self.clock.monotonic().saturating_sub(*since);
                if waits > self.ready_backlog {
                    problems.push(format!("the store has not answered for {} s: {error}", waits.as_secs()));
                }
            }
        }
        problems
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics with it held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::journal::{Journal, Settings};
    use crate::units::Timestamp;

    fn health() -> (Health, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(Timestamp::default()));
        (Health::new(clock.clone(), Duration::from_secs(600)), clock)
    }

    #[test]
    fn ready_once_migrated_and_until_too_much_waits_for_the_store() {
        let (health, clock) = health();
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::<()>::open(folder.path(), Settings::default()).unwrap();
        let status = journal.writer.status();
        let error = std::io::Error::other("refused");

        assert_eq!(health.problems(&status), ["the store is not migrated yet"]);
        health.store_failed(&error);
        assert_eq!(health.problems(&status), ["the store is not migrated yet: refused"]);
        clock.advance(Duration::from_secs(6_000));
        health.store_claimed();
        assert!(health.problems(&status).is_empty());

        health.store_failed(&error);
        clock.advance(Duration::from_secs(600));
        health.store_failed(&error);
        assert!(health.problems(&status).is_empty(), "the journal keeps what comes");
        clock.advance(Duration::from_secs(1));
        assert_eq!(health.problems(&status), ["the store has not answered for 601 s: refused"]);
        health.store_answered();
        assert!(health.problems(&status).is_empty());

        let full = Status { full: Some(crate::journal::FullReason::ALL[0]), running: false, ..status };
        assert_eq!(health.problems(&full), ["the journal has stopped", "the journal is full"]);
    }

    #[test]
    fn stuck_where_nothing_moved_for_a_minute() {
        let (health, clock) = health();
        clock.advance(Duration::from_secs(60));
        assert_eq!(health.stuck(), None);
        clock.advance(Duration::from_secs(1));
        assert!(health.stuck().unwrap().contains("61 s"));
        health.beat();
        assert_eq!(health.stuck(), None);
    }
}
