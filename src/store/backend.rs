//! What a database must be able to do, so that a commit is written once for both.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::annotation::Annotation;
use super::episodes::{EpisodeKey, Fresh};
use super::reach::{SpanRow, StoredSketch, Subject};
use super::rows::Chapters;
use super::sheet::Sheet;
use super::summary::{EpisodeDownloads, FateTotal, Totals};
use super::{Commit, StoreError};
use crate::rollup::Sketch;
use crate::units::{JournalPosition, KeyId, UtcDay};

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

/// First days of months whose partitions are known to be there.
pub(super) type Months = BTreeSet<NaiveDate>;

/// All futures are `Send`, so that the service may run them on any thread.
pub(super) trait Database: Sync {
    type Transaction: Transaction;

    /// Brings the schema up to date, or says why this binary cannot use it.
    fn migrate(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    fn ping(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes a new epoch of the journal; the position is where the last one left it.
    fn claim(
        &self,
        journal_id: &str,
        name: &str,
    ) -> impl Future<Output = Result<(Claim, JournalPosition), StoreError>> + Send;

    /// The newest epoch and the position; none if there is no such instance.
    fn writer(
        &self,
        instance: InstanceId,
    ) -> impl Future<Output = Result<Option<(Epoch, JournalPosition)>, StoreError>> + Send;

    /// Makes the partitions that the commit's rows need, where there are partitions and they are not among `made`.
    /// Outside the commit: harmless if that fails.
    fn make_room(
        &self,
        commit: &Commit<'_>,
        made: &mut Months,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    fn begin(&self) -> impl Future<Output = Result<Self::Transaction, StoreError>> + Send;

    /// Sums of the days from `since` on.
    fn totals(&self, since: Option<UtcDay>) -> impl Future<Output = Result<Totals, StoreError>> + Send;

    fn top_episodes(
        &self,
        since: Option<UtcDay>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<EpisodeDownloads>, StoreError>> + Send;

    fn fates(&self, since: Option<UtcDay>)
    -> impl Future<Output = Result<Vec<FateTotal>, StoreError>> + Send;

    fn annotate(&self, annotation: &Annotation) -> impl Future<Output = Result<(), StoreError>> + Send;

    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// Rolled back when dropped.
pub(super) trait Transaction: Send {
    /// Moves the position. False, and nothing moved, if it is not `from` or the claim's epoch is not the newest.
    fn advance(
        &mut self,
        claim: Claim,
        from: JournalPosition,
        to: JournalPosition,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Inserts or updates; answers the rows' keys in their order.
    fn write_episodes(
        &mut self,
        fresh: &Fresh<'_>,
    ) -> impl Future<Output = Result<Vec<EpisodeKey>, StoreError>> + Send;

    /// Makes the table hold these chapters of the episodes they are of, and no others of them.
    fn write_chapters(
        &mut self,
        chapters: &Chapters<'_>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Adds the rows, to those of the claim's instance where they are by instance.
    fn add(&mut self, claim: Claim, sheet: &Sheet<'_>)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Waits until no other instance is about to write sketches: each of two that read at once would miss the other's.
    fn keep_sketches_alone(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The stored sketches of these rows, of all instances.
    fn read_sketches(
        &mut self,
        rows: &[SpanRow],
    ) -> impl Future<Output = Result<Vec<StoredSketch>, StoreError>> + Send;

    /// The stored sketches of a subject's days, of all instances.
    fn read_days(
        &mut self,
        subject: Subject,
        from: UtcDay,
        to: UtcDay,
    ) -> impl Future<Output = Result<Vec<(UtcDay, Sketch)>, StoreError>> + Send;

    fn commit(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A position as databases hold it.
pub(super) fn to_column(position: JournalPosition) -> i64 {
    i64::try_from(position.0).expect("a journal has fewer than 2⁶³ records")
}

pub(super) fn from_column(position: i64) -> JournalPosition {
    JournalPosition(u64::try_from(position).expect("positions are written by to_column"))
}

/// A stored sketch. One that is damaged is passed over: it is written anew, from what is known.
pub(super) fn from_stored(bytes: &[u8], key: Option<i64>) -> Option<Sketch> {
    let sketch = Sketch::from_bytes(bytes, key.map(|key| KeyId(key.cast_unsigned())));
    sketch.inspect_err(|error| tracing::warn!(%error, "a stored sketch of listeners is damaged")).ok()
}
