//! When a snapshot is taken, and which are kept.
//!
//! One that is ahead of the store is of no use yet: it waits until the store has reached it. While one waits no other is
//! taken, so that a store that is down for hours does not fill the disk. The last two that the store has reached
//! are kept, all other files go: of two, one may turn out to be damaged.
//!
//! The journal holds all from the older of the two on, except where the last attempt to take one has failed: on a full disk
//! a journal that may drop nothing would refuse all that comes, for ever. Where nothing has come since the newer one, that
//! one is enough: addresses of a service that is no longer used are to go by `journal.keep` all the same.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::{Head, Identity, SnapshotError, file};
use crate::service::rules::RULES_VERSION;
use crate::units::JournalPosition;

const KEPT: usize = 2;

/// Takes snapshots of one journal's state.
#[derive(Debug)]
pub struct Keeper {
    folder: PathBuf,
    identity: Identity,
    interval: Duration,
    /// Those that the store has reached, the older one first.
    kept: VecDeque<JournalPosition>,
    waiting: Option<JournalPosition>,
    has_failed: bool,
    has_taken_any: bool,
    /// By the process's own clock.
    tried_at: Duration,
}

impl Keeper {
    /// For a process that began at `now` with the snapshot at `restored`, where there was one. Drafts that an earlier
    /// process left are removed.
    pub fn new(
        folder: PathBuf,
        identity: Identity,
        interval: Duration,
        restored: Option<JournalPosition>,
        now: Duration,
    ) -> Self {
        if let Err(error) = file::remove_drafts(&folder) {
            tracing::warn!(%error, "an unfinished state snapshot remains");
        }
        // What cannot be listed has been told by now, and nothing was restored from it.
        let mut all = file::list(&folder).unwrap_or_default().into_iter().rev();
        let older =
            all.find(|(position, path)| Some(*position) < restored && file::check(path, identity).is_ok());
        let kept = older.map(|(position, _)| position).into_iter().chain(restored).collect();
        Self {
            folder,
            identity,
            interval,
            kept,
            waiting: None,
            has_failed: false,
            has_taken_any: false,
            tried_at: now,
        }
    }

    /// Whether it is time to take one, if counting has come to `position`.
    pub fn is_due(&self, position: JournalPosition, now: Duration) -> bool {
        now.saturating_sub(self.tried_at) >= self.interval && self.would_take(position)
    }

    /// Whether one at `position` would be newer than all there are. At the start there is nothing to save: not even by which
    /// rules the first record is to be counted is known.
    pub fn would_take(&self, position: JournalPosition) -> bool {
        self.waiting.is_none() && self.kept.back().copied().unwrap_or(JournalPosition::START) < position
    }

    /// Takes one: `state` is all that counting knows at `position`.
    pub fn take(
        &mut self,
        position: JournalPosition,
        state: &impl Serialize,
        now: Duration,
    ) -> Result<PathBuf, SnapshotError> {
        self.tried_at = now;
        self.has_taken_any = true;
        let head = Head { identity: self.identity, rules_version: RULES_VERSION, position };
        let saved = file::save(&self.folder, &head, state);
        self.has_failed = saved.is_err();
        if saved.is_ok() {
            self.waiting = Some(position);
        }
        saved
    }

    /// Since this process began.
    pub fn has_taken_none(&self) -> bool {
        !self.has_taken_any
    }

    /// The store has committed up to there.
    pub fn store_reached(&mut self, committed: JournalPosition) -> Result<(), SnapshotError> {
        let Some(position) = self.waiting.take_if(|position| *position <= committed) else { return Ok(()) };
        self.kept.retain(|kept| *kept != position);
        self.kept.push_back(position);
        while self.kept.len() > KEPT {
            self.kept.pop_front();
        }
        file::remove_all_but(&self.folder, |position| self.kept.contains(&position))
    }

    /// The journal must hold all from there on, if counting has come to `position`: all that it has while there is no snapshot
    /// yet. None where it need not for the snapshots' sake.
    pub fn holds_from(&self, position: JournalPosition) -> Option<JournalPosition> {
        let is_idle = self.kept.back() == Some(&position);
        let holds = if is_idle { self.kept.back() } else { self.kept.front() };
        (!self.has_failed).then_some(holds.copied().unwrap_or(JournalPosition::START))
    }
}
