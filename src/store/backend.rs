//! What a database must be able to do, so that a commit is written once for both.

use super::StoreError;
use super::episodes::Fresh;
use super::rows::{DayRow, FateRow, HourRow, RowId};
use super::summary::{EpisodeDownloads, FateTotal, Totals};
use crate::rollup::Delta;
use crate::units::{JournalPosition, UtcDay};

/// A row of `instance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InstanceId(pub(super) i64);

/// Which process writes a journal: the newest epoch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(pub(super) i64);

/// One process's right to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) instance: InstanceId,
    pub(super) epoch: Epoch,
}

pub(super) trait Database {
    type Transaction: Transaction;

    /// Brings the schema up to date, or says why this binary cannot use it.
    async fn migrate(&self) -> Result<(), StoreError>;

    async fn ping(&self) -> Result<(), StoreError>;

    /// Makes a new epoch of the journal; the position is where the last one left it.
    async fn claim(&self, journal_id: &str, name: &str) -> Result<(Claim, JournalPosition), StoreError>;

    /// The newest epoch and the position; none if there is no such instance.
    async fn writer(&self, instance: InstanceId) -> Result<Option<(Epoch, JournalPosition)>, StoreError>;

    /// Makes the partitions that the delta's rows need, where there are partitions. Outside the commit: harmless
    /// if that fails.
    async fn make_room(&self, delta: &Delta) -> Result<(), StoreError>;

    async fn begin(&self) -> Result<Self::Transaction, StoreError>;

    /// Sums of the days from `since` on.
    async fn totals(&self, since: Option<UtcDay>) -> Result<Totals, StoreError>;

    async fn top_episodes(
        &self,
        since: Option<UtcDay>,
        limit: u32,
    ) -> Result<Vec<EpisodeDownloads>, StoreError>;

    async fn fates(&self, since: Option<UtcDay>) -> Result<Vec<FateTotal>, StoreError>;

    async fn close(&self);
}

/// Rolled back when dropped.
pub(super) trait Transaction {
    /// Moves the position. False, and nothing moved, if it is not `from` or the claim's epoch is not the newest.
    async fn advance(
        &mut self,
        claim: Claim,
        from: JournalPosition,
        to: JournalPosition,
    ) -> Result<bool, StoreError>;

    /// Inserts or updates; answers the rows' keys in their order.
    async fn write_episodes(&mut self, fresh: &Fresh<'_>) -> Result<Vec<RowId>, StoreError>;

    async fn add_hours(&mut self, claim: Claim, rows: &[HourRow]) -> Result<(), StoreError>;

    async fn add_days(&mut self, claim: Claim, rows: &[DayRow]) -> Result<(), StoreError>;

    async fn add_fates(&mut self, claim: Claim, rows: &[FateRow<'_>]) -> Result<(), StoreError>;

    async fn commit(self) -> Result<(), StoreError>;
}

/// A position as databases hold it.
pub(super) fn to_column(position: JournalPosition) -> i64 {
    i64::try_from(position.0).expect("a journal has fewer than 2⁶³ records")
}

pub(super) fn from_column(position: i64) -> JournalPosition {
    JournalPosition(u64::try_from(position).expect("positions are written by to_column"))
}
