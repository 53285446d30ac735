//! What can be seen of a running journal, without asking its thread: counters and gauges.
//!
//! Each value is right by itself; two of them need not be of the same instant.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::error::FullReason;
use crate::units::{ByteCount, JournalPosition};

/// For spans between fsyncs and of them. What time it is comes with the records.
#[expect(clippy::disallowed_methods, reason = "a span of this thread's own, which no replay depends on")]
pub(super) fn moment() -> Instant {
    Instant::now()
}

/// Bounds of how long an fsync takes, in seconds.
pub const SYNC_SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// A look at the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The first position still held.
    pub first: JournalPosition,
    /// The position the next record gets: all before it is on disk.
    pub next: JournalPosition,
    /// What the owner said that the store has.
    pub committed: JournalPosition,
    /// In segments, their heads included.
    pub bytes: ByteCount,
    pub segments: u64,
    /// Set while appends are refused for lack of space.
    pub full: Option<FullReason>,
    /// False once the journal's thread has ended, by `close` or by a defect.
    pub running: bool,
    /// Appends that were refused as the journal was full.
    pub refused: u64,
    /// Records and their payloads' bytes since the start of the process.
    pub appended: u64,
    pub appended_bytes: ByteCount,
    /// fsyncs since the start of the process, failed ones included.
    pub syncs: u64,
    pub failed_syncs: u64,
    pub all_syncs: Duration,
    /// How many took as long as each of [`SYNC_SECONDS`] and no longer; the last, how many took longer than all.
    pub syncs_by_time: [u64; SYNC_SECONDS.len() + 1],
    /// Places found since the start of the process that could not be read, and the records lost there.
    pub damages: u64,
    pub lost_records: u64,
}

/// The cells behind [`Status`], and what reader and feed go by.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub first: AtomicU64,
    /// All before it is durable. Stored after everything a reader needs to reach it.
    pub durable: AtomicU64,
    /// All before it was offered to the feed: taken or left to be read back.
    pub offered: AtomicU64,
    pub committed: AtomicU64,
    /// But for what references need, all before it may be dropped.
    pub kept_from: AtomicU64,
    /// Counts changes to the set of segments.
    pub generation: AtomicU64,
    pub bytes: AtomicU64,
    pub segments: AtomicU64,
    pub full: AtomicU8,
    pub stopped: AtomicBool,
    pub refused: AtomicU64,
    pub appended: AtomicU64,
    pub appended_bytes: AtomicU64,
    pub syncs: AtomicU64,
    pub failed_syncs: AtomicU64,
    pub all_syncs_micros: AtomicU64,
    pub syncs_by_time: [AtomicU64; SYNC_SECONDS.len() + 1],
    pub lost_records: AtomicU64,
    /// Where damage was found (segment, offset), so that two readers report a place once.
    pub damages: Mutex<HashSet<(u64, u64)>>,
}

impl Shared {
    pub fn status(&self) -> Status {
        let get = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        let full = self.full.load(Ordering::Relaxed);
        Status {
            first: JournalPosition(get(&self.first)),
            next: self.durable(),
            committed: JournalPosition(get(&self.committed)),
            bytes: ByteCount(get(&self.bytes)),
            segments: get(&self.segments),
            full: FullReason::ALL.into_iter().find(|reason| *reason as u8 == full),
            running: !self.stopped.load(Ordering::Relaxed),
            refused: get(&self.refused),
            appended: get(&self.appended),
            appended_bytes: ByteCount(get(&self.appended_bytes)),
            syncs: get(&self.syncs),
            failed_syncs: get(&self.failed_syncs),
            all_syncs: Duration::from_micros(get(&self.all_syncs_micros)),
            syncs_by_time: self.syncs_by_time.each_ref().map(get),
            damages: self.damages.lock().expect("no panic while held").len() as u64,
            lost_records: get(&self.lost_records),
        }
    }

    pub fn durable(&self) -> JournalPosition {
        JournalPosition(self.durable.load(Ordering::Acquire))
    }

    pub fn set_full(&self, reason: Option<FullReason>) {
        self.full.store(reason.map_or(0, |reason| reason as u8), Ordering::Relaxed);
    }

    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed) != 0
    }

    /// True where the place was not known yet.
    pub fn note_damage(&self, segment: JournalPosition, offset: u64, lost: u64) -> bool {
        let new = self.damages.lock().expect("no panic while held").insert((segment.0, offset));
        if new {
            self.lost_records.fetch_add(lost, Ordering::Relaxed);
        }
        new
    }

    pub fn note_sync(&self, took: Duration, failed: bool) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.failed_syncs.fetch_add(failed.into(), Ordering::Relaxed);
        let bucket = SYNC_SECONDS.partition_point(|bound| *bound < took.as_secs_f64());
        self.syncs_by_time[bucket].fetch_add(1, Ordering::Relaxed);
        self.all_syncs_micros.fetch_add(micros, Ordering::Relaxed);
    }
}
