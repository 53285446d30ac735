//! Appending: what the tasks that receive see of the journal.
//!
//! Any number of tasks submit records; one thread owns the files (`worker`). Bytes on their way to it are bounded, who
//! brings more waits. Positions are given out in the order of submission.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::error::JournalError;
use super::log::Prepared;
use super::record::Record;
use super::status::{Shared, Status};
use crate::units::{ByteCount, JournalPosition, Timestamp};

/// What an appended record weighs in the queue besides its payload.
const OVERHEAD: usize = 256;

/// What the journal's thread is asked to do.
pub(super) enum Command<T> {
    Append(Append<T>),
    Commit(JournalPosition),
    NeedFrom(JournalPosition),
    Refer { at: JournalPosition, first: JournalPosition },
    SkipTo(JournalPosition),
    Maintain(Timestamp, oneshot::Sender<Result<(), JournalError>>),
    Close(oneshot::Sender<()>),
}

pub(super) struct Append<T> {
    pub prepared: Prepared,
    pub handoff: T,
    pub reply: oneshot::Sender<Result<JournalPosition, JournalError>>,
    /// Given back when the record has left memory.
    pub room: OwnedSemaphorePermit,
}

/// The writing end of a journal, to be cloned for each task. `T` is what goes with a record to counting.
pub struct Writer<T> {
    commands: Sender<Command<T>>,
    room: Arc<Semaphore>,
    queue_bytes: u32,
    largest: ByteCount,
    shared: Arc<Shared>,
}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        Self {
            commands: self.commands.clone(),
            room: self.room.clone(),
            queue_bytes: self.queue_bytes,
            largest: self.largest,
            shared: self.shared.clone(),
        }
    }
}

impl<T: Send + 'static> Writer<T> {
    pub(super) fn new(
        queue_bytes: ByteCount,
        largest: ByteCount,
        shared: Arc<Shared>,
    ) -> (Self, mpsc::Receiver<Command<T>>) {
        let queue_bytes = u32::try_from(queue_bytes.0).unwrap_or(u32::MAX);
        let room = Arc::new(Semaphore::new(queue_bytes as usize));
        let (commands, receiver) = mpsc::channel();
        (Self { commands, room, queue_bytes, largest, shared }, receiver)
    }

    /// Appends a record and waits until it is durable: the answer is its position, and `handoff` is on its way
    /// to the feed. Where this is dropped half-way the record may or may not be appended.
    pub async fn append(&self, record: Record, handoff: T) -> Result<JournalPosition, JournalError> {
        self.submit(record, handoff).await?.await
    }

    /// Queues a record, waiting only for room in the queue. It will be appended even if the ticket is dropped.
    pub async fn submit(&self, record: Record, handoff: T) -> Result<Ticket, JournalError> {
        let weight = (record.payload.len() + OVERHEAD).min(self.queue_bytes as usize);
        let prepared = Prepared::new(record, self.largest)?;
        let weight = u32::try_from(weight).unwrap_or(self.queue_bytes);
        let room = self.room.clone().acquire_many_owned(weight).await.map_err(|_| JournalError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.send(Command::Append(Append { prepared, handoff, reply, room }))?;
        Ok(Ticket { answer })
    }

    /// All before `position` is in the store: retention may drop it, but for what [`Self::need_from`] says. Never goes
    /// back, and not beyond what is appended.
    pub fn set_committed(&self, position: JournalPosition) -> Result<(), JournalError> {
        self.send(Command::Commit(position))
    }

    /// Keeps all from `position` on, committed or not: a restart would read it. Nothing at first.
    pub fn need_from(&self, position: JournalPosition) -> Result<(), JournalError> {
        self.send(Command::NeedFrom(position))
    }

    /// What is kept whatever comes: not committed, or needed for a restart.
    pub fn kept_from(&self) -> JournalPosition {
        JournalPosition(self.shared.kept_from.load(Ordering::Relaxed))
    }

    /// The record at `at`, which an earlier process appended, refers to the one at `first`: that is held with it.
    pub fn note_reference(&self, at: JournalPosition, first: JournalPosition) -> Result<(), JournalError> {
        self.send(Command::Refer { at, first })
    }

    /// Gives out no position before `position`. To be called with the store's position before anything is appended:
    /// if the journal's end was lost with its disk, new records must not be taken for ones that the store holds.
    pub fn skip_to(&self, position: JournalPosition) -> Result<(), JournalError> {
        self.send(Command::SkipTo(position))
    }

    /// Drops what is committed and older than `keep`. The owner of the clock calls this every minute or so; an error is
    /// to be told, and the next call tries again.
    pub async fn maintain(&self, now: Timestamp) -> Result<(), JournalError> {
        let (reply, done) = oneshot::channel();
        self.send(Command::Maintain(now, reply))?;
        done.await.unwrap_or(Err(JournalError::Closed))
    }

    /// Appends what was submitted before, then ends the journal: later appends fail with [`JournalError::Closed`],
    /// the feed ends behind the last record, and the folder may be opened again.
    pub async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.send(Command::Close(reply)).is_ok() {
            // An error says that the thread has ended, which is what was asked for.
            let _ = done.await;
        }
    }

    pub fn status(&self) -> Status {
        self.shared.status()
    }

    fn send(&self, command: Command<T>) -> Result<(), JournalError> {
        self.commands.send(command).map_err(|_| JournalError::Closed)
    }
}

/// A submitted record: resolves to its position when it is durable.
#[must_use = "what is not awaited is not known to be durable"]
#[derive(Debug)]
pub struct Ticket {
    answer: oneshot::Receiver<Result<JournalPosition, JournalError>>,
}

impl Future for Ticket {
    type Output = Result<JournalPosition, JournalError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context).map(|answer| answer.unwrap_or(Err(JournalError::Closed)))
    }
}
