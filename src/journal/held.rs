//! The segments that are held, and which of them may go.
//!
//! Nothing goes that is not committed. What is committed goes when it is older than `keep`, and sooner, oldest first,
//! when the bound or the disk has no room for what comes in.
//!
//! A batch that came again is a reference to the first one. While the reference is not committed, what it refers to
//! counts as not committed either: a replay that reads the one finds the other.

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
    /// References that are not committed, in order: where each stands and what it refers to.
    references: VecDeque<(JournalPosition, JournalPosition)>,
    shared: Arc<Shared>,
}

impl Held {
    pub fn new(folder: Arc<Path>, sealed: VecDeque<Sealed>, shared: Arc<Shared>) -> Self {
        Self { folder, sealed, committed: JournalPosition::START, references: VecDeque::new(), shared }
    }

    pub fn committed(&self) -> JournalPosition {
        self.committed
    }

    pub fn commit(&mut self, position: JournalPosition) {
        self.committed = self.committed.max(position);
        self.shared.committed.store(self.committed.0, Ordering::Relaxed);
        self.references.retain(|(at, _)| *at >= self.committed);
    }

    /// The record at `at` refers to the one at `first`.
    pub fn refer(&mut self, at: JournalPosition, first: JournalPosition) {
        if at >= self.committed {
            self.references.push_back((at, first));
        }
    }

    /// The records from `position` on were not written after all.
    pub fn forget_references_from(&mut self, position: JournalPosition) {
        self.references.retain(|(at, _)| *at < position);
    }

    /// What lies before it may go.
    fn droppable(&self) -> JournalPosition {
        self.references.iter().map(|(_, first)| *first).fold(self.committed, JournalPosition::min)
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
