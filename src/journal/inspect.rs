//! Looking at a journal's folder without changing anything, also while a service writes to it.
//!
//! What a running service is just writing may be seen half: a segment's last place then counts as damaged by
//! [`Flaw::Cut`](super::Flaw::Cut) or is not there yet. Segments may go while they are read.

use std::path::Path;

use super::error::JournalError;
use super::format::JournalId;
use super::identity;
use super::reader::{Cursor, Found};
use super::scan::Damage;
use super::segment::SegmentName;
use crate::units::{ByteCount, JournalPosition, Timestamp};

/// One segment, read through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// Its first position, by which its file is named.
    pub first: JournalPosition,
    /// Behind its last sound record.
    pub next: JournalPosition,
    pub bytes: ByteCount,
    pub records: u64,
    pub payload_bytes: ByteCount,
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
    pub damages: Vec<Damage>,
}

/// A whole journal, read through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    pub id: JournalId,
    pub segments: Vec<SegmentRow>,
}

impl Overview {
    pub fn damages(&self) -> impl Iterator<Item = &Damage> {
        self.segments.iter().flat_map(|segment| &segment.damages)
    }
}

/// Reads all segments and checks every checksum. None where the folder holds no journal.
pub fn overview(folder: &Path) -> Result<Option<Overview>, JournalError> {
    let names = SegmentName::list(folder)?;
    let Some(identity) = identity::read(folder, &names)? else { return Ok(None) };
    let mut segments = Vec::with_capacity(names.len());
    for (index, &name) in names.iter().enumerate() {
        let Ok(found) = std::fs::metadata(name.path(folder)) else { continue };
        let end = names.get(index + 1).map_or(JournalPosition(u64::MAX), |next| next.first);
        let mut row = SegmentRow {
            first: name.first,
            next: name.first,
            bytes: ByteCount(found.len()),
            records: 0,
            payload_bytes: ByteCount::ZERO,
            oldest: None,
            newest: None,
            damages: Vec::new(),
        };
        let this_and_next = names[index..].iter().take(2).copied().collect();
        let mut cursor = Cursor::detached(folder.into(), identity, this_and_next, name.first);
        while let Some(found) = cursor.next_before(end)? {
            row.take(found);
        }
        segments.push(row);
    }
    Ok(Some(Overview { id: identity.id, segments }))
}

/// Reads the records from `position` on. None where the folder holds no journal.
pub fn records(folder: &Path, position: JournalPosition) -> Result<Option<Cursor>, JournalError> {
    let names = SegmentName::list(folder)?;
    let identity = identity::read(folder, &names)?;
    Ok(identity.map(|identity| Cursor::detached(folder.into(), identity, names, position)))
}

impl SegmentRow {
    fn take(&mut self, found: Found) {
        match found {
            Found::Damage(damage) => self.damages.push(damage),
            Found::Entry(entry) => {
                let time = entry.record.received_at;
                self.next = entry.position.next();
                self.records += 1;
                self.payload_bytes += ByteCount(entry.record.payload.len() as u64);
                self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
                self.newest = self.newest.max(Some(time));
            }
        }
    }
}
