//! What counting reads: every record once, in journal order, from the position it wants to begin at.
//!
//! Replay at the start, catching up and the live stream are one and the same sequence. A record just appended comes with
//! what was handed over beside it; one for which memory had no room, or which is older than the process, is read back
//! from the files. So receiving never waits for counting: the journal takes in what counting cannot follow.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::error::JournalError;
use super::reader::{Cursor, Found, Reader};
use super::record::Entry;
use super::scan::Damage;
use super::status::Shared;
use crate::units::JournalPosition;

/// What was handed over with a record that is durable now.
pub(super) struct Handoff<T> {
    pub position: JournalPosition,
    pub value: T,
}

/// The next thing to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed<T> {
    /// Appended by this process, with what its appender handed over.
    Live { position: JournalPosition, value: T },
    /// Read back from the files.
    Stored(Entry),
    /// Records that cannot be read back; counting goes on behind them.
    Damage(Damage),
}

/// The one consumer of a journal.
pub struct Feed<T> {
    handoffs: mpsc::Receiver<Handoff<T>>,
    /// Taken from the channel, not yet its turn.
    ahead: Option<Handoff<T>>,
    cursor: Cursor,
    shared: Arc<Shared>,
}

impl<T> Feed<T> {
    pub(super) fn new(handoffs: mpsc::Receiver<Handoff<T>>, reader: &Reader, shared: Arc<Shared>) -> Self {
        let cursor = reader.read_from(JournalPosition::START);
        Self { handoffs, ahead: None, cursor, shared }
    }

    /// Leaves out all before `position`: to be called first, with what the snapshot covers.
    pub fn start_at(&mut self, position: JournalPosition) {
        self.cursor.skip_to(position);
    }

    /// The position of the next record: all before it was given out.
    pub fn position(&self) -> JournalPosition {
        self.cursor.position()
    }

    /// All before it was handed on by the journal's thread: to be taken, or to be read back.
    #[cfg(test)]
    pub(super) fn offered(&self) -> u64 {
        self.shared.offered.load(Ordering::Acquire)
    }

    /// The next record; None when the journal is closed and all was given out. An error may pass: ask again. Nothing is lost
    /// if this is dropped half-way. Reads files in place, so run it on a thread of its own.
    pub async fn next(&mut self) -> Option<Result<Fed<T>, JournalError>> {
        loop {
            if let Some(fed) = self.next_now() {
                return Some(fed);
            }
            self.cursor.close_file();
            match self.handoffs.recv().await {
                Some(handoff) => self.ahead = Some(handoff),
                None => return self.next_now(),
            }
        }
    }

    /// [`Self::next`] for a thread without a runtime.
    pub fn blocking_next(&mut self) -> Option<Result<Fed<T>, JournalError>> {
        loop {
            if let Some(fed) = self.next_now() {
                return Some(fed);
            }
            self.cursor.close_file();
            match self.handoffs.blocking_recv() {
                Some(handoff) => self.ahead = Some(handoff),
                None => return self.next_now(),
            }
        }
    }

    /// The next record if there is one already.
    pub fn next_now(&mut self) -> Option<Result<Fed<T>, JournalError>> {
        loop {
            // Before the channel: what was offered by now and is not in it had no room there.
            let offered = JournalPosition(self.shared.offered.load(Ordering::Acquire));
            self.ahead = self.ahead.take().or_else(|| self.handoffs.try_recv().ok());
            let until = self.ahead.as_ref().map_or(offered, |handoff| handoff.position);
            match self.cursor.next_before(until) {
                Ok(Some(Found::Entry(entry))) => return Some(Ok(Fed::Stored(entry))),
                Ok(Some(Found::Damage(damage))) => return Some(Ok(Fed::Damage(damage))),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
            let Handoff { position, value } = self.ahead.take()?;
            if position >= self.cursor.position() {
                self.cursor.skip_to(position.next());
                return Some(Ok(Fed::Live { position, value }));
            }
            // Else it was read from the files already.
        }
    }
}
