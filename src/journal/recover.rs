//! What is done with a folder's segments before writing goes on: the tail of the last one is examined.
//!
//! A process that died while it wrote leaves a torn tail. None of it was acknowledged, so it is put aside and cut. Older
//! segments were complete when they were left, and are not read here; a reader finds what is wrong in them.
//!
//! The next position lies beyond any that the cut bytes can have held: should they have been sound once (a bit that
//! fell over in the very last record), then no position is ever given out twice.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::aside::Aside;
use super::disk::Disk;
use super::error::JournalError;
use super::format::{FILE_HEAD_BYTES, FileHead, Identity, JournalId, RECORD_HEAD_BYTES, RecordHead};
use super::identity;
use super::scan::{Damage, Flaw, Scan, Step};
use super::segment::{Sealed, SegmentName};
use crate::units::{ByteCount, JournalPosition, Timestamp};

/// What was found when the journal was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReport {
    pub id: JournalId,
    /// The first position held.
    pub first: JournalPosition,
    /// The position the next record gets.
    pub next: JournalPosition,
    pub segments: usize,
    pub bytes: ByteCount,
    /// Torn tails that were cut: one after a crash, none after an orderly end.
    pub cuts: Vec<CutTail>,
    /// Places in the last segment that could not be read; those in older ones a reader tells.
    pub damages: Vec<Damage>,
}

/// A torn tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutTail {
    /// The segment's first position, by which its file is named.
    pub segment: JournalPosition,
    pub offset: u64,
    pub bytes: ByteCount,
    /// Whether the bytes are in the `aside` folder; false where that had no room.
    pub kept_aside: bool,
}

pub(super) struct Recovered {
    pub sealed: VecDeque<Sealed>,
    pub next: JournalPosition,
    pub report: OpenReport,
}

pub(super) fn recover(
    disk: &Disk,
    folder: &Path,
    mut names: Vec<SegmentName>,
    head: FileHead,
    aside: &Aside,
) -> Result<Recovered, JournalError> {
    let identity = head.identity;
    let mut examined = Vec::new();
    while let Some(name) = names.last().copied() {
        let segment = Examined::segment(folder, name, identity)?;
        let holds_records = segment.holds_records();
        examined.push(segment);
        if holds_records {
            break;
        }
        names.pop();
    }
    let next = examined.iter().map(Examined::next).fold(head.first, JournalPosition::max);
    let cuts = clean_up(&examined, disk, folder, FileHead { identity, first: next }, aside)?;
    let sealed = sealed(folder, &names, identity, examined.last().and_then(|segment| segment.newest))?;
    let report = OpenReport {
        id: identity.id,
        first: names.first().map_or(next, |name| name.first),
        next,
        segments: sealed.len(),
        bytes: sealed.iter().map(|segment| ByteCount(segment.bytes)).sum(),
        cuts,
        damages: examined.into_iter().flat_map(|segment| segment.damages).collect(),
    };
    Ok(Recovered { sealed, next, report })
}

/// Cuts and removes, having noted before how far the journal may have come. Where there is no space for that note all
/// stays as it is, as a journal on a full disk must start too.
fn clean_up(
    examined: &[Examined],
    disk: &Disk,
    folder: &Path,
    head: FileHead,
    aside: &Aside,
) -> Result<Vec<CutTail>, JournalError> {
    if examined.iter().any(|segment| segment.tail() > 0 || !segment.holds_records()) {
        match identity::write(disk, folder, head) {
            Ok(()) => {}
            Err(error) if error.is_no_space() => {
                tracing::warn!(%error, "torn tails remain in the journal");
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        }
    }
    let mut cuts = Vec::new();
    for segment in examined {
        cuts.extend(segment.clean_up(disk, folder, aside)?);
    }
    disk.sync_folder(folder)?;
    Ok(cuts)
}

/// A segment that was read to its end.
struct Examined {
    name: SegmentName,
    length: u64,
    /// Behind the last sound record.
    end: u64,
    /// Behind the last sound record's position.
    expected: JournalPosition,
    newest: Option<Timestamp>,
    damages: Vec<Damage>,
    /// The disk refused to give all of it: nothing is cut.
    unreadable: bool,
}

impl Examined {
    fn segment(folder: &Path, name: SegmentName, identity: Identity) -> Result<Self, JournalError> {
        let path = name.path(folder);
        let length = std::fs::metadata(&path).map_err(|error| JournalError::io("read", &path, error))?.len();
        let mut examined = Self {
            name,
            length,
            end: 0,
            expected: name.first,
            newest: None,
            damages: Vec::new(),
            unreadable: false,
        };
        let Some(mut scan) = Scan::open(folder, name, identity)? else { return Ok(examined) };
        examined.end = scan.offset();
        let mut doubtful = Vec::new();
        loop {
            match scan.step(JournalPosition(u64::MAX)) {
                Step::End => return Ok(examined),
                Step::Record(entry) => {
                    examined.newest = examined.newest.max(Some(entry.record.received_at));
                    examined.take(&scan, &mut doubtful);
                }
                Step::Damage(damage) => {
                    doubtful.push(damage);
                    match damage.flaw {
                        // Sound, if not understood.
                        Flaw::Unknown => examined.take(&scan, &mut doubtful),
                        Flaw::Unreadable => examined.unreadable = true,
                        Flaw::FileHead | Flaw::Head | Flaw::Body | Flaw::Cut => {}
                    }
                }
            }
        }
    }

    /// All up to here is kept: what was doubtful lies before something sound, so it is damage and no torn tail.
    fn take(&mut self, scan: &Scan, doubtful: &mut Vec<Damage>) {
        self.end = scan.offset();
        self.expected = scan.expected();
        self.damages.append(doubtful);
    }

    fn holds_records(&self) -> bool {
        self.unreadable || self.expected > self.name.first
    }

    /// The bytes behind the last sound record.
    fn tail(&self) -> u64 {
        self.length - self.end
    }

    /// Beyond any position that can have been in this segment.
    fn next(&self) -> JournalPosition {
        match self.tail() {
            0 => self.expected,
            tail => JournalPosition(self.expected.0 + tail / RECORD_HEAD_BYTES as u64 + 1),
        }
    }

    /// Cuts the tail, or removes a segment without any record; what remains is durable then.
    fn clean_up(&self, disk: &Disk, folder: &Path, aside: &Aside) -> Result<Option<CutTail>, JournalError> {
        let path = self.name.path(folder);
        let tail = self.tail();
        let kept_aside =
            tail > 0 && !self.unreadable && aside.copy(folder, self.name, self.end, tail).is_ok();
        if !self.holds_records() {
            disk.remove(&path)?;
        } else {
            let file = OpenOptions::new()
                .write(true)
                .open(&path)
                .map_err(|error| JournalError::io("open", &path, error))?;
            if tail > 0 && !self.unreadable {
                disk.truncate(&file, &path, self.end)?;
            }
            disk.sync(&file, &path)?;
        }
        let cut = CutTail { segment: self.name.first, offset: self.end, bytes: ByteCount(tail), kept_aside };
        Ok((tail > 0 && !self.unreadable).then_some(cut))
    }
}

/// Sizes and times of the segments. A segment's newest record is taken to be as old as the next one's first.
fn sealed(
    folder: &Path,
    names: &[SegmentName],
    identity: Identity,
    last: Option<Timestamp>,
) -> Result<VecDeque<Sealed>, JournalError> {
    let mut newest = last;
    let mut sealed = VecDeque::with_capacity(names.len());
    for &name in names.iter().rev() {
        let path = name.path(folder);
        let found = std::fs::metadata(&path).map_err(|error| JournalError::io("read", &path, error))?;
        sealed.push_front(Sealed { name, bytes: found.len(), newest });
        newest = first_time(&path, identity).or(newest);
    }
    Ok(sealed)
}

/// When a segment's first record was received, where its head can be read.
fn first_time(path: &Path, identity: Identity) -> Option<Timestamp> {
    let mut bytes = [0; RECORD_HEAD_BYTES];
    let mut file = std::fs::File::open(path).ok()?;
    file.seek(SeekFrom::Start(FILE_HEAD_BYTES as u64)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Timestamp::from_micros(RecordHead::decode(&bytes, identity.marker)?.received_at_micros)
}
