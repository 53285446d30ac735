//! The journal's bounds, each with its unit.

use std::sync::Arc;
use std::time::Duration;

use super::disk::Faults;
use crate::units::ByteCount;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// How the journal behaves. [`Settings::default`] is what a service of any size may start with.
#[derive(Clone)]
pub struct Settings {
    /// The least time between two fsyncs: batches that arrive meanwhile share the next one. An idle journal syncs a
    /// batch at once. Zero: each batch has an fsync of its own.
    pub sync_interval: Duration,
    /// A segment file is closed before it grows beyond this. At most a quarter of `max_bytes` is used.
    pub segment_bytes: ByteCount,
    /// How long a record is kept after it is committed.
    pub keep: Duration,
    /// What all segments may hold; committed ones give way, and when there is none the journal is full.
    pub max_bytes: ByteCount,
    /// What the journal leaves free on its disk, so that a store beside it can still commit, by which room is made.
    pub min_free_bytes: ByteCount,
    /// Payload bytes that may wait for the disk; who submits more waits.
    pub queue_bytes: ByteCount,
    /// Batches handed over to counting that may wait in memory; the rest is read back from the files.
    pub handoff_batches: usize,
    /// What may be kept aside of damaged bytes; the oldest give way.
    pub aside_bytes: ByteCount,
    /// Makes file operations fail on purpose, in tests and simulations.
    pub faults: Option<Arc<dyn Faults>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sync_interval: Duration::from_millis(5),
            segment_bytes: ByteCount(64 * MIB),
            keep: Duration::from_secs(72 * 3600),
            max_bytes: ByteCount(20 * GIB),
            min_free_bytes: ByteCount(256 * MIB),
            queue_bytes: ByteCount(64 * MIB),
            handoff_batches: 64,
            aside_bytes: ByteCount(256 * MIB),
            faults: None,
        }
    }
}

impl Settings {
    /// The least `max_bytes` that makes sense; smaller ones are taken as this.
    pub const LEAST_MAX_BYTES: ByteCount = ByteCount(64 * KIB);

    /// The settings with each bound in a range that works with the others.
    pub(super) fn normalised(mut self) -> Self {
        self.max_bytes = self.max_bytes.max(Self::LEAST_MAX_BYTES);
        self.segment_bytes = self.segment_bytes.clamp(ByteCount(4 * KIB), ByteCount(self.max_bytes.0 / 4));
        self.queue_bytes = self.queue_bytes.clamp(ByteCount(64 * KIB), ByteCount(u32::MAX.into()));
        self.handoff_batches = self.handoff_batches.max(1);
        self
    }

    /// The largest payload that is accepted: what cannot fit beside what must stay would make the journal full for ever.
    pub fn largest_payload(&self) -> ByteCount {
        ByteCount((self.max_bytes.0 / 2).min(GIB))
    }
}
