//! Looking at a journal's folder from outside, without changing anything, also while a service writes to it.
//!
//! What a service is just writing may be seen half: that is the `tail`, and no damage. Segments that go while they are
//! looked at are left out.

use std::path::Path;

use super::error::JournalError;
use super::format::{Identity, JournalId};
use super::identity;
use super::reader::{Cursor, Found};
use super::record::Entry;
use super::scan::{Damage, Scan};
use super::segment::SegmentName;
use crate::units::{ByteCount, JournalPosition, Timestamp};

/// One segment, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// Its first position, by which its file is named.
    pub first: JournalPosition,
    /// Behind its last record.
    pub next: JournalPosition,
    /// The file's size.
    pub bytes: ByteCount,
    pub records: u64,
    /// Of the payloads, as received.
    pub payload_bytes: ByteCount,
    /// Receive times of the earliest and the latest record.
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
}

/// A journal by the heads of its records; their bodies are not looked at, nor anything behind a damaged head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub id: JournalId,
    pub segments: Vec<SegmentRow>,
}

/// A journal of which every byte was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    pub id: JournalId,
    pub segments: Vec<SegmentRow>,
    /// Places that cannot be read, with sound records behind them.
    pub damages: Vec<Damage>,
    /// What cannot be read at the very end: being written just now, or torn by a crash and cut at the next start.
    pub tail: Option<Damage>,
}

/// Lists the segments. None where the folder holds no journal.
pub fn list(folder: &Path) -> Result<Option<Listing>, JournalError> {
    let Some((identity, names)) = open(folder)? else { return Ok(None) };
    let mut segments = Vec::with_capacity(names.len());
    for &name in &names {
        let Some(mut row) = SegmentRow::new(folder, name) else { continue };
        let Some(mut scan) = Scan::open(folder, name, identity)? else { continue };
        while let Some(head) = scan.hop() {
            let received = Timestamp::from_micros(head.received_at_micros);
            row.add(JournalPosition(head.sequence), received, u64::from(head.payload_length));
        }
        segments.push(row);
    }
    Ok(Some(Listing { id: identity.id, segments }))
}

/// Reads the records from `position` on. None where the folder holds no journal.
pub fn records(folder: &Path, position: JournalPosition) -> Result<Option<Cursor>, JournalError> {
    let found = open(folder)?;
    Ok(found.map(|(identity, names)| Cursor::detached(folder.into(), identity, names, position)))
}

/// Checks every checksum. None where the folder holds no journal.
pub fn verify(folder: &Path) -> Result<Option<Verification>, JournalError> {
    let Some((identity, names)) = open(folder)? else { return Ok(None) };
    let mut verified = Verification {
        id: identity.id,
        segments: Vec::with_capacity(names.len()),
        damages: Vec::new(),
        tail: None,
    };
    for (index, &name) in names.iter().enumerate() {
        let Some(mut row) = SegmentRow::new(folder, name) else { continue };
        let this_and_next = names[index..].iter().take(2).copied().collect::<Vec<_>>();
        let end = this_and_next.get(1).map_or(JournalPosition(u64::MAX), |next| next.first);
        let mut cursor = Cursor::detached(folder.into(), identity, this_and_next, name.first);
        while let Some(found) = cursor.next_before(end)? {
            match found {
                Found::Entry(Entry { position, record }) => {
                    row.add(position, Some(record.received_at), record.payload.len() as u64);
                }
                // The tail of all is the one place for which nothing tells what was lost.
                Found::Damage(damage) if cursor.position() == JournalPosition(u64::MAX) => {
                    verified.tail = Some(damage);
                }
                Found::Damage(damage) => verified.damages.push(damage),
            }
        }
        verified.segments.push(row);
    }
    Ok(Some(verified))
}

fn open(folder: &Path) -> Result<Option<(Identity, Vec<SegmentName>)>, JournalError> {
    let names = SegmentName::list(folder)?;
    Ok(identity::read(folder, &names)?.map(|identity| (identity, names)))
}

impl SegmentRow {
    /// None where the file is gone.
    fn new(folder: &Path, name: SegmentName) -> Option<Self> {
        let bytes = ByteCount(std::fs::metadata(name.path(folder)).ok()?.len());
        let (records, payload_bytes) = (0, ByteCount::ZERO);
        let (oldest, newest) = (None, None);
        Some(Self { first: name.first, next: name.first, bytes, records, payload_bytes, oldest, newest })
    }

    fn add(&mut self, position: JournalPosition, received: Option<Timestamp>, payload: u64) {
        self.next = position.next();
        self.records += 1;
        self.payload_bytes += ByteCount(payload);
        self.oldest = self.oldest.into_iter().chain(received).min();
        self.newest = self.newest.max(received);
    }
}
