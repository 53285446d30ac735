//! The journal's thread: groups what is submitted, has it written, answers, and hands it on in journal order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::error::JournalError;
use super::feed::Handoff;
use super::lock::Lock;
use super::log::{Log, Prepared};
use super::status::{Shared, moment};
use super::writer::{Append, Command};
use crate::units::JournalPosition;

/// At most so many records and bytes share an fsync; a single record may be larger.
const GROUP_RECORDS: usize = 512;
const GROUP_BYTES: u64 = 16 << 20;
/// How often it is looked for more until then: to be woken for each record takes longer than to take it.
const GATHER_PAUSE: Duration = Duration::from_millis(5);
/// How often a full journal looks whether there is room again while nobody asks anything of it.
const FULL_RECHECK: Duration = Duration::from_millis(200);

pub(super) struct Worker<T> {
    pub log: Log,
    pub commands: Receiver<Command<T>>,
    pub handoffs: mpsc::Sender<Handoff<T>>,
    /// Held until the files are closed.
    pub _lock: Lock,
    /// Came while a group was gathered and comes after it.
    pub pending: Option<Command<T>>,
    pub last_sync: Option<Instant>,
    /// The bytes of the last group that found no room.
    pub refused_bytes: u64,
}

/// Marks the journal as stopped however its thread ends.
struct StopMark(Arc<Shared>);

impl Drop for StopMark {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

struct Group<T> {
    prepared: Vec<Prepared>,
    waiting: Vec<Waiting<T>>,
    bytes: u64,
}

struct Waiting<T> {
    handoff: T,
    reply: oneshot::Sender<Result<JournalPosition, JournalError>>,
    _room: tokio::sync::OwnedSemaphorePermit,
}

impl<T> Group<T> {
    fn of(append: Append<T>) -> Self {
        let mut group = Self { prepared: Vec::new(), waiting: Vec::new(), bytes: 0 };
        group.push(append);
        group
    }

    fn push(&mut self, append: Append<T>) {
        self.bytes += append.prepared.bytes();
        self.prepared.push(append.prepared);
        self.waiting.push(Waiting { handoff: append.handoff, reply: append.reply, _room: append.room });
    }
}

impl<T: Send + 'static> Worker<T> {
    /// Until it is closed or all writers are gone.
    pub fn run(mut self) {
        let mark = StopMark(self.log.shared.clone());
        let closer = loop {
            match self.next_command() {
                Some(Command::Append(append)) => {
                    if let Some(append) = self.admit(append) {
                        let group = self.gather(append);
                        self.write(group);
                    }
                }
                Some(Command::Commit(position)) => self.log.commit(position),
                Some(Command::NeedFrom(position)) => self.log.held.need_from(position),
                Some(Command::Refer { at, first }) => self.log.held.refer(at, first),
                Some(Command::SkipTo(position)) => {
                    self.log.skip_to(position);
                    self.log.shared.offered.store(self.log.next.0, Ordering::Release);
                }
                Some(Command::Maintain(now, reply)) => {
                    let _ = reply.send(self.log.maintain(now));
                }
                Some(Command::Close(done)) => break Some(done),
                None => break None,
            }
        };
        drop(mark);
        // The lock goes before the answer, so that who asked may open the folder again.
        drop(self);
        if let Some(done) = closer {
            let _ = done.send(());
        }
    }

    /// None when all writers are gone.
    fn next_command(&mut self) -> Option<Command<T>> {
        if let Some(command) = self.pending.take() {
            return Some(command);
        }
        loop {
            if !self.log.shared.is_full() {
                return self.commands.recv().ok();
            }
            match self.commands.recv_timeout(FULL_RECHECK) {
                Ok(command) => return Some(command),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.log.look_for_room(self.refused_bytes),
            }
        }
    }

    /// Sends back a reference to what is gone. Nothing is dropped between this and the writing.
    fn admit(&self, append: Append<T>) -> Option<Append<T>> {
        match append.prepared.refers_to() {
            Some(first) if !self.log.holds(first) => {
                let _ = append.reply.send(Err(JournalError::FirstGone { first }));
                None
            }
            _ => Some(append),
        }
    }

    /// The first record and those that come until the next fsync is due.
    fn gather(&mut self, first: Append<T>) -> Group<T> {
        let mut group = Group::of(first);
        let interval = self.log.settings.sync_interval;
        if interval.is_zero() {
            return group;
        }
        let most_bytes = GROUP_BYTES.min(self.log.settings.segment_bytes.0);
        let due = self.last_sync.map(|last| last + interval);
        while group.prepared.len() < GROUP_RECORDS {
            match self.commands.try_recv() {
                Ok(Command::Append(append)) if group.bytes + append.prepared.bytes() <= most_bytes => {
                    self.admit(append).into_iter().for_each(|append| group.push(append));
                }
                Ok(command) => {
                    self.pending = Some(command);
                    break;
                }
                Err(_) => match due.map(|due| due.saturating_duration_since(moment())) {
                    Some(left) if !left.is_zero() => thread::sleep(left.min(GATHER_PAUSE)),
                    _ => break,
                },
            }
        }
        group
    }

    fn write(&mut self, group: Group<T>) {
        self.last_sync = Some(moment());
        let first = self.log.next;
        match self.log.append(&group.prepared) {
            Ok(()) => self.answer(first, group),
            Err(error) => {
                self.refused_bytes = group.bytes;
                for waiting in group.waiting {
                    // Who does not wait any more need not know.
                    let _ = waiting.reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// Answers all of a durable group first, as that costs nothing, then hands it on.
    fn answer(&mut self, first: JournalPosition, group: Group<T>) {
        let shared = &self.log.shared;
        shared.appended.fetch_add(group.prepared.len() as u64, Ordering::Relaxed);
        shared.appended_bytes.fetch_add(group.bytes, Ordering::Relaxed);
        let mut position = first;
        let mut handoffs = Vec::with_capacity(group.waiting.len());
        for waiting in group.waiting {
            let _ = waiting.reply.send(Ok(position));
            handoffs.push(Handoff { position, value: waiting.handoff });
            position = position.next();
        }
        for handoff in handoffs {
            // What finds no room is read back from the files: the journal takes in bursts that counting cannot follow.
            let _ = self.handoffs.try_send(handoff);
        }
        shared.offered.store(position.0, Ordering::Release);
    }
}
