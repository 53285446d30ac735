//! What the service manager hears (`sd_notify(3)`): that the service serves, how it stands, that it still moves, that it
//! ends. Without a manager nothing is sent, but `/livez` says the same.
//!
//! The watchdog is pinged only if the journal's thread has just answered and counting has moved, or has nothing to count. A
//! store that does not answer is no reason to start the service anew: the journal keeps what comes.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use super::counter::Handoff;
use super::health::Health;
use crate::clock::Clock;
use crate::journal::{Status, Writer};
use crate::metrics::Metrics;
use crate::units::JournalPosition;

/// How often everything is looked at, unless the watchdog wants it more often.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// Looks within the watchdog's time: a look or two may fall on a moment in which something had just begun.
const LOOKS_PER_WATCHDOG: u32 = 4;

/// Looks whether everything moves.
pub struct Supervisor {
    journal: Writer<Handoff>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    /// What counting had counted when it was last looked at.
    counted: JournalPosition,
}

impl Supervisor {
    pub fn new(
        journal: Writer<Handoff>,
        metrics: Arc<Metrics>,
        health: Arc<Health>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { journal, metrics, health, clock, counted: JournalPosition::START }
    }

    /// To be run once the service serves, until `stop`, when it begins to end.
    pub async fn run(mut self, stop: CancellationToken) {
        tell(&[NotifyState::Ready, NotifyState::Status("taking batches")]);
        let watchdog = sd_notify::watchdog_enabled();
        let interval =
            watchdog.map_or(LOOK_INTERVAL, |within| (within / LOOKS_PER_WATCHDOG).min(LOOK_INTERVAL));
        let looks = async {
            loop {
                // A journal that is stuck does not answer: then there is no next look.
                if self.moves().await {
                    self.health.beat();
                    tell(&[NotifyState::Watchdog, NotifyState::Status(&self.status())]);
                } else {
                    tracing::error!(counted = %self.counted, "counting does not move");
                    tell(&[NotifyState::Status(&format!("counting does not move: {}", self.status()))]);
                }
                tokio::time::sleep(interval).await;
            }
        };
        stop.run_until_cancelled(looks).await;
        tell(&[NotifyState::Stopping, NotifyState::Status("counting and committing what was taken")]);
    }

    async fn moves(&mut self) -> bool {
        if let Err(error) = self.journal.maintain(self.clock.now()).await {
            // Its thread answers, which is what was asked; what keeps it from working is told where it matters.
            tracing::debug!(%error, "the journal could not be maintained");
        }
        let status = self.journal.status();
        let before = std::mem::replace(&mut self.counted, self.metrics.counted_position());
        status.running && (!self.health.is_claimed() || counting_moves(before, self.counted, &status))
    }

    /// One line for `systemctl status`.
    fn status(&self) -> String {
        let journal = self.journal.status();
        let counted = self.counted.0.clamp(journal.first.0, journal.next.0);
        let problems = self.health.problems(&journal);
        let readiness = if problems.is_empty() {
            "ready".to_owned()
        } else {
            format!("not ready: {}", problems.join("; "))
        };
        let stored = journal.committed.0.clamp(journal.first.0, journal.next.0);
        format!(
            "{readiness}; batches taken: {}, to be counted: {}, to be stored: {}",
            journal.appended,
            journal.next.0 - counted,
            journal.next.0 - stored
        )
    }
}

/// Counting has counted something since, or all that is held.
fn counting_moves(before: JournalPosition, now: JournalPosition, journal: &Status) -> bool {
    now != before || now.max(journal.first) >= journal.next
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    use bytes::Bytes;

    use super::*;
    use crate::clock::ManualClock;
    use crate::journal::{Journal, Operation, Record, RecordKind, Settings, Verdict};
    use crate::units::{Encoding, Timestamp};

    fn record() -> Record {
        Record {
            kind: RecordKind::Batch,
            source: "s".into(),
            encoding: Encoding::Identity,
            received_at: Timestamp::default(),
            payload: Bytes::from_static(b"x\n"),
        }
    }

    fn handoff() -> Handoff {
        Handoff::Lines(super::super::counter::Lines {
            source: "s".into(),
            received_at: Timestamp::default(),
            lines: Bytes::from_static(b"x\n"),
            tail_is_cut: false,
            digest: None,
        })
    }

    fn supervisor(journal: &Journal<Handoff>) -> Supervisor {
        let clock = Arc::new(ManualClock::new(Timestamp::default()));
        let health = Arc::new(Health::new(clock.clone(), Duration::from_secs(600)));
        Supervisor::new(journal.writer.clone(), Metrics::new(10), health, clock)
    }

    #[tokio::test]
    async fn counting_that_stands_still_stops_the_pings() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), Settings::default()).unwrap();
        let mut supervisor = supervisor(&journal);
        assert!(supervisor.moves().await);
        journal.writer.append(record(), handoff()).await.unwrap();
        assert!(supervisor.moves().await, "the store is not claimed: nothing is counted yet");

        supervisor.health.store_claimed();
        assert!(!supervisor.moves().await);
        supervisor.metrics.counted_to(JournalPosition(1));
        assert!(supervisor.moves().await, "it has moved");
        assert!(supervisor.moves().await, "it has nothing to count");
        for _ in 0..2 {
            journal.writer.append(record(), handoff()).await.unwrap();
        }
        assert!(!supervisor.moves().await);
        supervisor.metrics.counted_to(JournalPosition(2));
        assert!(supervisor.moves().await, "it moves though it is not done");
        assert!(!supervisor.moves().await);
        assert!(
            supervisor.status().starts_with("ready; batches taken: 3, to be counted: 1, to be stored: 3")
        );
    }

    #[tokio::test]
    async fn a_journal_that_hangs_stops_the_pings() {
        let folder = tempfile::tempdir().unwrap();
        let (go_on, blocked) = mpsc::channel::<()>();
        let blocked = std::sync::Mutex::new(blocked);
        let hangs = Arc::new(AtomicBool::new(false));
        let disk_hangs = Arc::clone(&hangs);
        let hang = move |operation: Operation, _: &Path| {
            if operation == Operation::Sync && disk_hangs.load(Ordering::Relaxed) {
                // The disk does not answer until the test ends.
                let _ = blocked.lock().unwrap().recv();
            }
            Verdict::Proceed
        };
        let settings = Settings { faults: Some(Arc::new(hang)), ..Settings::default() };
        let journal = Journal::open(folder.path(), settings).unwrap();
        let mut supervisor = supervisor(&journal);
        assert!(supervisor.moves().await);
        hangs.store(true, Ordering::Relaxed);
        let _ticket = journal.writer.submit(record(), handoff()).await.unwrap();
        let look = tokio::time::timeout(Duration::from_millis(200), supervisor.moves()).await;
        assert!(look.is_err(), "no answer, no ping");
        drop(go_on);
        assert!(supervisor.moves().await);
    }

    #[tokio::test]
    async fn a_journal_that_ended_stops_the_pings() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), Settings::default()).unwrap();
        let mut supervisor = supervisor(&journal);
        journal.writer.close().await;
        assert!(!supervisor.moves().await);
    }
}
