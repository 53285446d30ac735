//! The segments that are held, and which of them may go.
//!
//! Nothing goes that is not committed, or that a restart needs. What may go does when it is older than `keep`, and sooner,
//! oldest first, when the bound or the disk has no room for what comes in.
//!
//! A batch that came again is a reference to the first one. While the reference may not go, what it refers to may
//! not either: a replay that reads the one finds the other.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::disk::Disk;
use super::error::JournalError;
use super::segment::Sealed;
use super::status::Shared;
use crate::units::{JournalPosition, Timestamp};

pub(super) struct Held {
    folder: Arc<Path>,
    sealed: VecDeque<Sealed>,
    committed: JournalPosition,
    /// What a restart would read, whatever is committed.
    needed_from: JournalPosition,
    /// References that may not go, in order: where each stands and what it refers to.
    references: VecDeque<(JournalPosition, JournalPosition)>,
    shared: Arc<Shared>,
}

impl Held {
    pub fn new(folder: Arc<Path>, sealed: VecDeque<Sealed>, shared: Arc<Shared>) -> Self {
        Self {
            folder,
            sealed,
            committed: JournalPosition::START,
            needed_from: JournalPosition(u64::MAX),
            references: VecDeque::new(),
            shared,
        }
    }

    pub fn commit(&mut self, position: JournalPosition) {
        self.committed = self.committed.max(position);
        self.shared.committed.store(self.committed.0, Ordering::Relaxed);
        self.note_kept_from();
    }

    /// Keeps all from there on.
    pub fn need_from(&mut self, position: JournalPosition) {
        self.needed_from = position;
        self.note_kept_from();
    }

    fn note_kept_from(&mut self) {
        let kept_from = self.kept_from();
        self.shared.kept_from.store(kept_from.0, Ordering::Relaxed);
        self.references.retain(|(at, _)| *at >= kept_from);
    }

    /// But for what references need, all before it may go.
    fn kept_from(&self) -> JournalPosition {
        self.committed.min(self.needed_from)
    }

    /// The record at `at` refers to the one at `first`.
    pub fn refer(&mut self, at: JournalPosition, first: JournalPosition) {
        if at >= self.kept_from() {
            self.references.push_back((at, first));
        }
    }

    /// The records from `position` on were not written after all.
    pub fn forget_references_from(&mut self, position: JournalPosition) {
        self.references.retain(|(at, _)| *at < position);
    }

    /// What lies before it may go.
    pub fn droppable(&self) -> JournalPosition {
        self.references.iter().map(|(_, first)| *first).fold(self.kept_from(), JournalPosition::min)
    }

    pub fn push(&mut self, sealed: Sealed) {
        self.sealed.push_back(sealed);
    }

    pub fn bytes(&self) -> u64 {
        self.sealed.iter().map(|segment| segment.bytes).sum()
    }

    pub fn count(&self) -> usize {
        self.sealed.len()
    }

    /// The first position held, if any segment is.
    pub fn first(&self) -> Option<JournalPosition> {
        self.sealed.front().map(|segment| segment.name.first)
    }

    /// Whether there is an oldest segment and all of it is committed; `end` is where the newest one ends.
    pub fn oldest_is_committed(&self, end: JournalPosition) -> bool {
        let ends = self.sealed.get(1).map_or(end, |next| next.name.first);
        !self.sealed.is_empty() && ends <= self.droppable()
    }

    /// Whether there is an oldest segment, all of it older than that. One whose age nothing tells is.
    pub fn oldest_was_received_before(&self, time: Timestamp) -> bool {
        let oldest = self.sealed.front();
        oldest.is_some_and(|segment| segment.newest.is_none_or(|newest| newest <= time))
    }

    pub fn drop_oldest(&mut self, disk: &Disk) -> Result<(), JournalError> {
        let Some(oldest) = self.sealed.front() else { return Ok(()) };
        disk.remove(&oldest.name.path(&self.folder))?;
        self.sealed.pop_front();
        self.shared.generation.fetch_add(1, Ordering::Release);
        disk.sync_folder(&self.folder)
    }
}
