//! The files as their one owner sees them: groups of records go in, each durable or not there at all.
//!
//! After an operation failed its segment is left for good, cut back to its last durable record: pages whose fsync
//! failed may count as clean, so syncing them again proves nothing. The group is written once more to a new segment.
//! Positions of a group that failed are given out again; the next segment's name hides what the old one may still hold.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::aside::Aside;
use super::disk::Disk;
use super::error::{FullReason, JournalError};
use super::format::{
    FILE_HEAD_BYTES, FileHead, Identity, LONGEST_SOURCE, RECORD_HEAD_BYTES, RecordHead, body_checksum,
};
use super::held::Held;
use super::identity;
use super::record::Record;
use super::segment::Active;
use super::settings::Settings;
use super::status::{Shared, moment};
use crate::units::{ByteCount, JournalPosition, Timestamp};

/// A segment that is being written is closed when its first record is this part of `keep` old, so that no record
/// outlives `keep` by much where little comes in.
const SEAL_AFTER: u32 = 24;

/// A record ready to be written, but for its position.
pub(super) struct Prepared {
    record: Record,
    body_checksum: u32,
}

impl Prepared {
    /// Checks the bounds and takes the checksum, here, in the appender's task and not in the journal's thread.
    pub fn new(record: Record, bound: ByteCount) -> Result<Self, JournalError> {
        let bytes = ByteCount(record.payload.len() as u64);
        if bytes > bound {
            return Err(JournalError::TooLarge { bytes, bound });
        }
        if record.source.len() > LONGEST_SOURCE {
            return Err(JournalError::SourceTooLong { bytes: record.source.len() });
        }
        Ok(Self { body_checksum: body_checksum(&record.source, &record.payload), record })
    }

    /// See [`Record::refers_to`].
    pub fn refers_to(&self) -> Option<JournalPosition> {
        self.record.refers_to()
    }

    /// On disk.
    pub fn bytes(&self) -> u64 {
        (RECORD_HEAD_BYTES + self.record.source.len() + self.record.payload.len()) as u64
    }

    fn head(&self, position: JournalPosition) -> RecordHead {
        RecordHead {
            sequence: position.0,
            received_at_micros: self.record.received_at.micros(),
            payload_length: u32::try_from(self.record.payload.len())
                .expect("checked against a bound of 1 GiB"),
            body_checksum: self.body_checksum,
            kind: self.record.kind as u8,
            encoding: self.record.encoding as u8,
            source_length: u8::try_from(self.record.source.len()).expect("checked against 255"),
        }
    }
}

pub(super) struct Log {
    pub folder: Arc<Path>,
    pub identity: Identity,
    pub settings: Settings,
    pub disk: Disk,
    pub aside: Aside,
    pub held: Held,
    pub shared: Arc<Shared>,
    /// Holds a record at least.
    pub active: Option<Active>,
    /// The next record's position.
    pub next: JournalPosition,
}

impl Log {
    /// Appends a group; when this returns without an error all of it is durable, else none of it will be read.
    pub fn append(&mut self, group: &[Prepared]) -> Result<(), JournalError> {
        let bytes = group.iter().map(Prepared::bytes).sum();
        // Before room is made: what they refer to must not make it.
        self.hold_references(group);
        let result = self.make_room(bytes).and_then(|()| self.append_in_room(group, bytes));
        if result.is_err() {
            self.held.forget_references_from(self.next);
        }
        match &result {
            Err(JournalError::Full(reason)) => {
                self.shared.set_full(Some(*reason));
                self.shared.refused.fetch_add(group.len() as u64, Ordering::Relaxed);
            }
            Err(_) => {}
            Ok(()) => self.shared.set_full(None),
        }
        self.publish();
        result
    }

    /// Looks whether a journal that was full has room again for a group of so many bytes.
    pub fn look_for_room(&mut self, bytes: u64) {
        match self.make_room(bytes) {
            Ok(()) => self.shared.set_full(None),
            Err(JournalError::Full(reason)) => self.shared.set_full(Some(reason)),
            Err(error) => tracing::warn!(%error, "the journal cannot look for room"),
        }
        self.publish();
    }

    fn hold_references(&mut self, group: &[Prepared]) {
        for (prepared, at) in group.iter().zip(self.next.0..) {
            if let Some(first) = prepared.refers_to() {
                self.held.refer(JournalPosition(at), first);
            }
        }
    }

    /// Whether the record is there to be read.
    pub fn holds(&self, position: JournalPosition) -> bool {
        let oldest = self.held.first().or(self.active.as_ref().map(|active| active.name.first));
        oldest.is_some_and(|oldest| oldest <= position) && position < self.next
    }

    /// Notes what the store has.
    pub fn commit(&mut self, position: JournalPosition) {
        self.held.commit(position.min(self.next));
    }

    /// Gives out no position before this one. A store that holds more than the journal means that the journal's end was
    /// lost; what is new must not be taken for what the store holds.
    pub fn skip_to(&mut self, position: JournalPosition) {
        if position > self.next {
            tracing::warn!(journal = %self.next, skips_to = %position, "the end of the journal was lost: it goes on behind");
            self.seal();
            self.next = position;
            self.publish();
        }
    }

    /// Retention by time; call it now and then.
    pub fn maintain(&mut self, now: Timestamp) -> Result<(), JournalError> {
        let keep = self.settings.keep;
        let started = self.active.as_ref().and_then(Active::oldest);
        if started.is_some_and(|oldest| oldest.plus(keep / SEAL_AFTER) <= now) {
            self.seal();
        }
        let mut expired = Ok(true);
        while matches!(expired, Ok(true)) && self.held.oldest_was_received_before(now.minus(keep)) {
            expired = self.drop_oldest();
        }
        self.publish();
        expired.and(self.aside.expire(now.minus(keep)))
    }

    fn append_in_room(&mut self, group: &[Prepared], bytes: u64) -> Result<(), JournalError> {
        let mut tried_before = false;
        loop {
            match self.write(group, bytes) {
                Ok(()) => return Ok(()),
                Err(error) if error.is_no_space() => {
                    if !self.drop_oldest()? {
                        return Err(JournalError::Full(FullReason::Disk));
                    }
                }
                Err(error) if tried_before => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "the journal goes on in a new segment");
                    tried_before = true;
                }
            }
        }
    }

    fn write(&mut self, group: &[Prepared], bytes: u64) -> Result<(), JournalError> {
        let mut active = self.take_segment_for(bytes)?;
        if let Err(error) = self.write_and_sync(&active, group) {
            self.abandon(active);
            return Err(error);
        }
        let times = || group.iter().map(|prepared| prepared.record.received_at);
        if let (Some(oldest), Some(newest)) = (times().min(), times().max()) {
            active.advance(bytes, oldest, newest);
        }
        self.active = Some(active);
        self.next = JournalPosition(self.next.0 + group.len() as u64);
        Ok(())
    }

    /// Writes a group's heads and payloads, each payload from where it lies, and syncs them.
    fn write_and_sync(&self, active: &Active, group: &[Prepared]) -> Result<(), JournalError> {
        let mut heads = Vec::with_capacity(group.len() * (RECORD_HEAD_BYTES + 32));
        let mut ends = Vec::with_capacity(group.len());
        let mut position = self.next;
        for prepared in group {
            heads.extend_from_slice(&prepared.head(position).encode(self.identity.marker));
            heads.extend_from_slice(prepared.record.source.as_bytes());
            ends.push(heads.len());
            position = position.next();
        }
        let mut slices = Vec::with_capacity(2 * group.len());
        let mut start = 0;
        for (prepared, &end) in group.iter().zip(&ends) {
            slices.extend([IoSlice::new(&heads[start..end]), IoSlice::new(&prepared.record.payload)]);
            start = end;
        }
        active.append(&self.disk, &mut slices)?;
        let begun = moment();
        let synced = active.sync(&self.disk);
        self.shared.note_sync(begun.elapsed(), synced.is_err());
        synced
    }

    /// The segment that so many bytes go to: a new one where there is none or it would grow too large.
    fn take_segment_for(&mut self, bytes: u64) -> Result<Active, JournalError> {
        let bound = self.settings.segment_bytes.0;
        if self.active.as_ref().is_some_and(|active| active.bytes() + bytes > bound) {
            self.seal();
        }
        if let Some(active) = self.active.take() {
            return Ok(active);
        }
        let made = Active::create(&self.disk, &self.folder, self.identity, self.next, &self.aside);
        // After the file is there: a reader that sees the number finds it.
        self.shared.generation.fetch_add(1, Ordering::Release);
        made
    }

    /// Leaves a segment in which an operation failed.
    fn abandon(&mut self, active: Active) {
        if let Err(error) = active.roll_back(&self.disk) {
            // The bytes that remain are hidden by the next segment's name, or cut as a torn tail.
            tracing::warn!(%error, "the end of a segment that failed remains");
        }
        self.active = Some(active);
        self.seal();
    }

    fn seal(&mut self) {
        if let Some(sealed) = self.active.take().and_then(|active| active.seal(&self.disk)) {
            self.held.push(sealed);
        }
        self.shared.generation.fetch_add(1, Ordering::Release);
    }

    /// Drops committed segments until so many bytes may be written.
    fn make_room(&mut self, bytes: u64) -> Result<(), JournalError> {
        let needed = bytes + FILE_HEAD_BYTES as u64;
        while let Some(reason) = self.lack_of_room(needed)? {
            if !self.drop_oldest()? {
                return Err(JournalError::Full(reason));
            }
        }
        Ok(())
    }

    fn lack_of_room(&self, bytes: u64) -> Result<Option<FullReason>, JournalError> {
        if self.bytes() + bytes > self.settings.max_bytes.0 {
            return Ok(Some(FullReason::Bound));
        }
        let free = self.disk.free_space(&self.folder)?;
        Ok((free < self.settings.min_free_bytes + ByteCount(bytes)).then_some(FullReason::Reserve))
    }

    /// Drops the oldest segment, closing the one that is written if it is the last and all of it is committed.
    fn drop_oldest(&mut self) -> Result<bool, JournalError> {
        if self.held.count() == 0 && self.next <= self.held.droppable() {
            self.seal();
        }
        let end = self.end_of_held();
        if !self.held.oldest_is_committed(end) {
            return Ok(false);
        }
        if self.held.count() == 1 && self.active.is_none() {
            // Nothing else would tell a new process how far the journal has come.
            match identity::write(&self.disk, &self.folder, FileHead { identity: self.identity, first: end })
            {
                Err(error) if error.is_no_space() => return Ok(false),
                written => written?,
            }
        }
        self.held.drop_oldest(&self.disk)?;
        Ok(true)
    }

    /// Where the last segment that is not written any more ends.
    fn end_of_held(&self) -> JournalPosition {
        self.active.as_ref().map_or(self.next, |active| active.name.first)
    }

    fn bytes(&self) -> u64 {
        self.held.bytes() + self.active.as_ref().map_or(0, Active::bytes)
    }

    /// Shows what is there. The durable end comes last: who sees it sees the segments that hold it.
    pub fn publish(&self) {
        let first = self.held.first().or(self.active.as_ref().map(|active| active.name.first));
        let segments = self.held.count() as u64 + u64::from(self.active.is_some());
        self.shared.first.store(first.unwrap_or(self.next).0, Ordering::Relaxed);
        self.shared.bytes.store(self.bytes(), Ordering::Relaxed);
        self.shared.segments.store(segments, Ordering::Relaxed);
        self.shared.durable.store(self.next.0, Ordering::Release);
    }
}
