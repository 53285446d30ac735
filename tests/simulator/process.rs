//! One life of the service, taken apart: the same components in the same order as when it starts, with nothing that
//! runs by itself.

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use castmeter::attribution::Secret;
use castmeter::journal::{self, Entry, Found, Journal, JournalError};
use castmeter::metrics::Metrics;
use castmeter::rollup::Delta;
use castmeter::service::rules::Rules;
use castmeter::service::snapshot::{self, Identity};
use castmeter::service::{
    Beginning, Committing, Counting, Handoff, Health, JournalIntake, ServiceError, Unit,
};
use castmeter::store::{Commit, Store, StoreError};
use castmeter::units::{JournalPosition, Timestamp};
use hashbrown::HashMap;
use tokio_util::sync::CancellationToken;

use crate::canary::Canary;
use crate::clock::WorldClock;
use crate::database::CommitFaults;

const SECRET: Secret = *b"any secret does.";
/// Longer than the longest pause before a commit is tried again.
const PAUSE: Duration = Duration::from_secs(11);

/// A service whose journal is open.
pub struct Process {
    pub journal: journal::Writer<Handoff>,
    pub bodies: JournalIntake,
    pub streams: JournalIntake,
    pub store: Store,
    pub identity: Identity,
    /// Until the store is claimed.
    beginning: Option<Beginning>,
    pub pipeline: Option<Pipeline>,
}

/// What a start goes by.
pub struct Setup {
    pub journal_folder: PathBuf,
    pub journal: journal::Settings,
    /// The folder of state snapshots.
    pub states: PathBuf,
    pub snapshot_interval: Duration,
    pub redelivery_window: Duration,
    pub rules: Rules,
    pub store: Store,
    pub clock: Arc<WorldClock>,
}

/// From the journal's feed to the store.
pub struct Pipeline {
    pub counting: Counting,
    pub committer: Committer,
}

type UnderWay = Pin<Box<dyn Future<Output = (Committing, Result<(), StoreError>)>>>;

/// What commits, between two commits or in the middle of one that has failed so far.
pub enum Committer {
    Idle(Box<Committing>),
    Trying(UnderWay),
    /// The store refused for good.
    Ended,
}

/// What an attempt to commit came to.
#[derive(Debug)]
pub enum Attempted {
    Done,
    /// It will be tried again.
    Failed,
    Refused(StoreError),
}

impl Process {
    /// Opens the journal. Gives what it holds, from its first position on.
    pub fn open(setup: Setup) -> Result<(Self, JournalPosition, Vec<Entry>), JournalError> {
        let states = setup.states;
        let Journal { writer, feed, reader, report } =
            Journal::<Handoff>::open(&setup.journal_folder, setup.journal)?;
        let mut entries = Vec::new();
        for found in reader.read_from(JournalPosition::START) {
            if let Found::Entry(entry) = found? {
                entries.push(entry);
            }
        }
        let identity = Identity::new(report.id, &SECRET);
        let saved_at = snapshot::newest(&states, identity);
        writer.skip_to(saved_at)?;
        let body = Unit::Body { redelivery_window: setup.redelivery_window };
        let process = Self {
            bodies: JournalIntake::new(writer.clone(), body),
            streams: JournalIntake::new(writer.clone(), Unit::Stream),
            journal: writer.clone(),
            store: setup.store,
            identity,
            beginning: Some(Beginning {
                rules: setup.rules,
                secret: SECRET,
                journal: writer,
                reader,
                feed,
                held_until: report.next.max(saved_at),
                states,
                identity,
                snapshot_interval: setup.snapshot_interval,
                metrics: Metrics::new(100),
                clock: setup.clock,
            }),
            pipeline: None,
        };
        Ok((process, report.first, entries))
    }

    /// Migrates and claims the store; what is counted from then on is ready to be committed.
    pub async fn claim(&mut self, canary: Option<Canary>) -> Result<(), ServiceError> {
        self.store.migrate().await?;
        let writer = self.store.claim(self.identity.journal.0, "simulated").await?;
        let beginning = self.beginning.take().expect("claimed once");
        let committed = match canary {
            Some(Canary::CommittedIsGivenOutAgain) => JournalPosition::START,
            Some(Canary::SnapshotAheadOfStore) => {
                writer.position().max(snapshot::newest(&beginning.states, self.identity))
            }
            _ => writer.position(),
        };
        let counting = beginning.counting(committed).await?;
        let committing = Committing {
            writer,
            journal: self.journal.clone(),
            pending: Arc::clone(&counting.pending),
            flush_interval: Duration::from_secs(5),
            metrics: Arc::clone(&counting.metrics),
            sketches_kept_at: Duration::ZERO,
            health: Arc::new(Health::new(Arc::clone(&counting.clock), Duration::from_secs(600))),
            clock: Arc::clone(&counting.clock),
            give_up: CancellationToken::new(),
        };
        self.pipeline = Some(Pipeline { counting, committer: Committer::Idle(Box::new(committing)) });
        Ok(())
    }

    /// Waits until the journal's thread has done all that was asked of it.
    pub async fn settle(&self) {
        // It answers in order; so long ago nothing has expired. A journal that is closed has nothing to do.
        let _ = self.journal.maintain(Timestamp::default()).await;
    }
}

impl Committer {
    /// Begins a commit, or goes on with one that waits for its next attempt, until that attempt has ended.
    /// The last one keeps all sketches.
    pub async fn attempt(
        &mut self,
        faults: &CommitFaults,
        canary: Option<Canary>,
        is_last: bool,
    ) -> Attempted {
        let mut commit = match std::mem::replace(self, Self::Ended) {
            Self::Idle(committing) if canary == Some(Canary::PositionBeforeSums) => {
                position_first(committing)
            }
            Self::Idle(mut committing) => Box::pin(async move {
                let result = committing.commit(is_last).await.map(drop);
                (*committing, result)
            }),
            Self::Trying(commit) => {
                skip_the_pause().await;
                commit
            }
            Self::Ended => return Attempted::Done,
        };
        let attempt = poll_fn(|context| match commit.as_mut().poll(context) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if faults.take_failure() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        match attempt.await {
            None => {
                *self = Self::Trying(commit);
                Attempted::Failed
            }
            Some((committing, Ok(()))) => {
                *self = Self::Idle(Box::new(committing));
                Attempted::Done
            }
            Some((_, Err(error))) => Attempted::Refused(error),
        }
    }
}

/// Lets the pause before the next attempt pass at once.
async fn skip_the_pause() {
    tokio::time::pause();
    tokio::time::advance(PAUSE).await;
    tokio::time::resume();
}

/// A commit in two transactions, the position before the sums: the defect that one transaction is there to prevent.
fn position_first(mut committing: Box<Committing>) -> UnderWay {
    Box::pin(async move {
        let sums = std::mem::take(&mut committing.pending.lock().delta);
        let (position, episodes, sources, agents, labels) = {
            let pending = committing.pending.lock();
            let (agents, labels) = (pending.agents.clone(), pending.labels.clone());
            (pending.position, pending.episodes.clone(), pending.sources.clone(), agents, labels)
        };
        let first = JournalPosition(position.0.saturating_sub(1));
        let mut result = Ok(());
        for (position, delta) in [(first, &Delta::default()), (position, &sums)] {
            let commit = Commit {
                position,
                delta,
                episodes: &episodes,
                sources: &sources,
                agents: &agents,
                labels: &labels,
                shows: &[],
                reach: &HashMap::new(),
                keep_sketches: false,
            };
            if result.is_ok() && position > committing.writer.position() {
                let give_up = committing.give_up.clone();
                result = committing.writer.commit_until_done(&commit, &give_up, |_, _| ()).await;
            }
        }
        (*committing, result)
    })
}
