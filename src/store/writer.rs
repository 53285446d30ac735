//! The one process that writes a journal's counts: a commit, exactly once.
//!
//! One transaction moves the journal position from where this writer believes it to be, as the holder of the
//! newest epoch, and adds the delta. The guard is the first statement: it locks the instance's row, so that two
//! writers of a journal queue up there and the second finds the position moved or the epoch gone. If the
//! answer to a commit is lost, the same commit is asked again; a position that is there already, under our
//! epoch, says that the first one succeeded.

use std::mem;
use std::time::Duration;

use hashbrown::HashMap;
use tokio_util::sync::CancellationToken;

use super::backend::{Claim, Database, Months, Transaction};
use super::episodes::Known;
use super::reach::{self, Bases};
use super::{Backend, Backoff, Store, StoreError, rows};
use crate::attribution::{AgentNames, Episode, Labels};
use crate::rollup::{Delta, ReachKey, Sketch};
use crate::units::JournalPosition;

/// What one transaction takes into the store.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// Everything before it is covered by this delta or an earlier one. Ahead of the writer's position, or at it where
    /// the delta is empty.
    pub position: JournalPosition,
    pub delta: &'a Delta,
    /// Indexed by `EpisodeId`. May grow and change from commit to commit, never shrink.
    pub episodes: &'a [Episode],
    /// Names, indexed by `SourceId`.
    pub sources: &'a [String],
    /// Indexed by `AgentId`.
    pub agents: &'a [AgentNames],
    pub labels: &'a Labels,
    /// Slugs, indexed by `ShowId`.
    pub shows: &'a [String],
    /// Listeners that are new since sketches were kept last, or earlier; written twice, they do no harm.
    pub reach: &'a HashMap<ReachKey, Sketch>,
    /// Write the sketches themselves, beside the numbers they give, and the spans that are merged from them.
    pub keep_sketches: bool,
}

/// The holder of a journal's newest epoch, from [`Store::claim`].
///
/// After a transient error, the next commit must be the same again, for the failed one may have succeeded.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    claim: Claim,
    position: JournalPosition,
    memory: Memory,
}

/// What a writer knows to be in the database, so that it need not be written or asked again.
#[derive(Debug, Default)]
struct Memory {
    episodes: Known,
    months: Months,
    bases: Bases,
}

impl Writer {
    pub(super) fn new(store: Store, claim: Claim, position: JournalPosition) -> Self {
        Self { store, claim, position, memory: Memory::default() }
    }

    /// How far the store has taken the journal into account.
    pub fn position(&self) -> JournalPosition {
        self.position
    }

    /// One attempt. Afterwards the tables hold all of it or nothing.
    pub async fn commit(&mut self, commit: &Commit<'_>) -> Result<(), StoreError> {
        let is_ahead = commit.position > self.position;
        if !is_ahead && (commit.position < self.position || !commit.delta.is_empty()) {
            return Err(StoreError::NotAhead { position: commit.position, committed: self.position });
        }
        let after = self.store.settings.commit_timeout;
        // Given back on success only: what a commit that failed or was dropped has learnt may not be there.
        let memory = mem::take(&mut self.memory);
        let attempt = async {
            match &self.store.backend {
                Backend::Sqlite(database) => write(database, self.claim, self.position, memory, commit).await,
                Backend::Postgres(database) => {
                    write(database, self.claim, self.position, memory, commit).await
                }
            }
        };
        self.memory =
            tokio::time::timeout(after, attempt).await.map_err(|_| StoreError::Timeout { after })??;
        self.position = commit.position;
        Ok(())
    }

    /// Commits, however often it takes; otherwise as [`retry`](super::retry).
    pub async fn commit_until_done(
        &mut self,
        commit: &Commit<'_>,
        cancelled: &CancellationToken,
        mut on_failure: impl FnMut(&StoreError, Duration),
    ) -> Result<(), StoreError> {
        let mut backoff = Backoff::new();
        let attempts = async {
            while let Err(error) = self.commit(commit).await {
                backoff.pause_after(error, &mut on_failure).await?;
            }
            Ok(())
        };
        cancelled.run_until_cancelled(attempts).await.unwrap_or(Err(StoreError::Stopped))
    }
}

async fn write<D: Database>(
    database: &D,
    claim: Claim,
    expected: JournalPosition,
    mut memory: Memory,
    commit: &Commit<'_>,
) -> Result<Memory, StoreError> {
    database.make_room(commit, &mut memory.months).await?;
    let mut transaction = database.begin().await?;
    if !transaction.advance(claim, expected, commit.position).await? {
        drop(transaction);
        resolve(database, claim, expected, commit.position).await?;
        return Ok(Memory::default());
    }
    let known = &mut memory.episodes;
    let fresh = known.fresh(commit.episodes);
    let keys = transaction.write_episodes(&fresh).await?;
    known.learn(&fresh, &keys, commit.episodes);
    let row = |id| known.row(id);
    for sheet in rows::sheets(commit, &row)? {
        transaction.add(claim, &sheet).await?;
    }
    reach::write(&mut transaction, claim, &mut memory.bases, commit, &memory.episodes).await?;
    transaction.commit().await?;
    Ok(memory)
}

/// The guard refused: because this very commit is there already, or because this is not the writer it was.
async fn resolve<D: Database>(
    database: &D,
    claim: Claim,
    expected: JournalPosition,
    wanted: JournalPosition,
) -> Result<(), StoreError> {
    let (newest, found) = database.writer(claim.instance).await?.ok_or(StoreError::InstanceGone)?;
    if newest != claim.epoch {
        return Err(StoreError::Fenced { ours: claim.epoch.0, newest: newest.0 });
    }
    if found != wanted {
        return Err(StoreError::PositionMismatch { expected, found });
    }
    Ok(())
}
