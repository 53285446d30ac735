//! Reads one segment from front to back, and past whatever in it cannot be read.
//!
//! A record is given out only if marker, both checksums and its sequence are right. Where one is not, the next sound head
//! is searched for; what lies between is a [`Damage`]. The file may grow meanwhile: the end is where it is when looked at.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;

use super::error::JournalError;
use super::format::{FILE_HEAD_BYTES, FileHead, Identity, Marker, RECORD_HEAD_BYTES, RecordHead};
use super::identity::newer_is_an_error;
use super::record::{Entry, Record};
use super::segment::SegmentName;
use crate::units::{Encoding, JournalPosition, Timestamp};

const BUFFER: usize = 64 << 10;
/// How much is looked through at once in search of a marker.
const STRIDE: usize = 1 << 20;

/// Why bytes of a segment could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// The segment's own head.
    FileHead,
    /// A record's head: marker, checksum or sequence.
    Head,
    /// A record's body does not match its checksum.
    Body,
    /// The file ends within a record.
    Cut,
    /// Sound, but of a kind or encoding, or with a time, that this release does not know.
    Unknown,
    /// The disk gave no bytes; the rest of the segment is passed over.
    Unreadable,
}

impl Flaw {
    pub const fn name(self) -> &'static str {
        match self {
            Self::FileHead => "file head",
            Self::Head => "record head",
            Self::Body => "body",
            Self::Cut => "cut short",
            Self::Unknown => "unknown kind",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A place in a segment that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment's first position, by which its file is named.
    pub segment: JournalPosition,
    /// Bytes into the file.
    pub offset: u64,
    pub bytes: u64,
    pub flaw: Flaw,
    /// The records that were there, as the sequences around tell.
    pub lost: u64,
}

/// What a scan comes upon.
#[derive(Debug)]
pub(super) enum Step {
    Record(Entry),
    Damage(Damage),
    /// Nothing more, or nothing that counts.
    End,
}

pub(super) struct Scan {
    name: SegmentName,
    marker: Marker,
    file: BufReader<File>,
    /// Where `file` stands.
    at: u64,
    /// Where the next record should begin.
    offset: u64,
    /// The sequence it should have.
    expected: u64,
    source: Arc<str>,
}

impl Scan {
    /// None where the file is gone.
    pub fn open(folder: &Path, name: SegmentName, identity: Identity) -> Result<Option<Self>, JournalError> {
        let path = name.path(folder);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(JournalError::io("open", &path, error)),
        };
        let mut scan = Self {
            name,
            marker: identity.marker,
            file: BufReader::with_capacity(BUFFER, file),
            at: 0,
            offset: 0,
            expected: name.first.0,
            source: "".into(),
        };
        scan.check_file_head(&path)?;
        Ok(Some(scan))
    }

    pub fn name(&self) -> SegmentName {
        self.name
    }

    /// The sequence the next record should have.
    pub fn expected(&self) -> JournalPosition {
        JournalPosition(self.expected)
    }

    /// Where the next record should begin: behind all that was read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record before `limit`, or what is in its place.
    pub fn step(&mut self, limit: JournalPosition) -> Step {
        if self.expected >= limit.0 {
            return Step::End;
        }
        match self.read_record(limit) {
            Ok(Some(record)) => Step::Record(record),
            Ok(None) => Step::End,
            Err(flaw) => self.pass_over(flaw, limit),
        }
    }

    /// Passes over records before `position` by their heads alone, as far as these are sound.
    pub fn skip_to(&mut self, position: JournalPosition) {
        while self.expected < position.0 && self.hop().is_some() {}
    }

    /// Passes over the next record by its head alone, if that is sound.
    pub fn hop(&mut self) -> Option<RecordHead> {
        if self.offset == 0 {
            return None;
        }
        let head = self.head_at(self.offset).ok()??;
        (head.sequence == self.expected).then(|| self.pass(&head))?;
        Some(head)
    }

    /// Leaves `offset` at 0 where the head is not sound, which is found again as damage.
    fn check_file_head(&mut self, path: &Path) -> Result<(), JournalError> {
        let mut bytes = Vec::new();
        if self.read(0, FILE_HEAD_BYTES, &mut bytes).is_err() {
            return Ok(());
        }
        if newer_is_an_error(FileHead::decode(&bytes), path)?.is_ok() {
            self.offset = FILE_HEAD_BYTES as u64;
        }
        Ok(())
    }

    /// The record at `offset`; None at the end of the file.
    fn read_record(&mut self, limit: JournalPosition) -> Result<Option<Entry>, Flaw> {
        if self.offset == 0 {
            return if self.length()? == 0 { Ok(None) } else { Err(Flaw::FileHead) };
        }
        let Some(head) = self.head_at(self.offset)? else { return Ok(None) };
        if head.sequence != self.expected || head.sequence >= limit.0 {
            return Err(Flaw::Head);
        }
        let mut body = Vec::new();
        let length = usize::try_from(head.body_length()).map_err(|_| Flaw::Unreadable)?;
        self.read(self.offset + RECORD_HEAD_BYTES as u64, length, &mut body)?;
        if body.len() < length {
            return Err(Flaw::Cut);
        }
        let record = self.record(&head, body)?;
        self.pass(&head);
        Ok(Some(Entry { position: JournalPosition(head.sequence), record }))
    }

    fn record(&mut self, head: &RecordHead, body: Vec<u8>) -> Result<Record, Flaw> {
        if crc32c::crc32c(&body) != head.body_checksum {
            return Err(Flaw::Body);
        }
        let (source, _) = body.split_at(usize::from(head.source_length));
        if source != self.source.as_bytes() {
            self.source = std::str::from_utf8(source).map_err(|_| Flaw::Unknown)?.into();
        }
        Ok(Record {
            kind: head.kind().ok_or(Flaw::Unknown)?,
            source: self.source.clone(),
            encoding: Encoding::from_number(head.encoding).ok_or(Flaw::Unknown)?,
            received_at: Timestamp::from_micros(head.received_at_micros).ok_or(Flaw::Unknown)?,
            payload: Bytes::from(body).slice(usize::from(head.source_length)..),
        })
    }

    fn pass(&mut self, head: &RecordHead) {
        self.offset += head.record_length();
        self.expected = head.sequence + 1;
    }

    /// Goes on behind a place that cannot be read, and says what was there.
    fn pass_over(&mut self, flaw: Flaw, limit: JournalPosition) -> Step {
        let (start, expected) = (self.offset, self.expected);
        let found = match flaw {
            Flaw::Unreadable => Err(flaw),
            // The head is sound and so is the length it tells.
            Flaw::Body | Flaw::Unknown => self.head_at(start),
            Flaw::FileHead | Flaw::Head | Flaw::Cut => self.next_head(start, limit),
        };
        match found {
            Ok(Some(head)) if matches!(flaw, Flaw::Body | Flaw::Unknown) => self.pass(&head),
            Ok(Some(head)) => self.expected = head.sequence,
            Ok(None) | Err(_) => {
                self.offset = self.length().unwrap_or(start).max(start);
                self.expected = limit.0;
            }
        }
        // Where no limit is known, nothing tells how many records a cut tail held.
        let lost = if self.expected == u64::MAX { 0 } else { self.expected - expected };
        Step::Damage(Damage {
            segment: self.name.first,
            offset: start,
            bytes: self.offset - start,
            flaw,
            lost,
        })
    }

    /// Moves `offset` to the next sound head with a plausible sequence behind `start`.
    fn next_head(&mut self, start: u64, limit: JournalPosition) -> Result<Option<RecordHead>, Flaw> {
        let finder = memmem::Finder::new(&self.marker.0).into_owned();
        let mut from = start + 1;
        let mut window = Vec::new();
        loop {
            self.read(from, STRIDE, &mut window)?;
            for hit in finder.find_iter(&window) {
                let offset = from + hit as u64;
                let Some(head) = self.head_at(offset).unwrap_or(None) else { continue };
                let at_most = self.expected + (offset - start) / RECORD_HEAD_BYTES as u64 + 1;
                if head.sequence >= self.expected && head.sequence <= at_most && head.sequence < limit.0 {
                    self.offset = offset;
                    return Ok(Some(head));
                }
            }
            if window.len() < STRIDE {
                return Ok(None);
            }
            from += (STRIDE - self.marker.0.len() + 1) as u64;
        }
    }

    /// The head at an offset; None at the end of the file.
    fn head_at(&mut self, offset: u64) -> Result<Option<RecordHead>, Flaw> {
        let mut bytes = [0; RECORD_HEAD_BYTES];
        self.seek(offset)?;
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(self.lose_place()),
            }
        }
        self.at += filled as u64;
        match filled {
            0 => Ok(None),
            RECORD_HEAD_BYTES => RecordHead::decode(&bytes, self.marker).map(Some).ok_or(Flaw::Head),
            _ => Err(Flaw::Cut),
        }
    }

    /// Up to `length` bytes from an offset, fewer at the end of the file.
    fn read(&mut self, offset: u64, length: usize, into: &mut Vec<u8>) -> Result<(), Flaw> {
        self.seek(offset)?;
        into.clear();
        into.reserve_exact(length);
        let read = (&mut self.file).take(length as u64).read_to_end(into);
        self.at += into.len() as u64;
        read.map(|_| ()).map_err(|_| self.lose_place())
    }

    fn seek(&mut self, offset: u64) -> Result<(), Flaw> {
        if self.at == offset {
            return Ok(());
        }
        let sought = match i64::try_from(offset.abs_diff(self.at)) {
            Ok(by) => self.file.seek_relative(if offset < self.at { -by } else { by }),
            Err(_) => self.file.seek(SeekFrom::Start(offset)).map(|_| ()),
        };
        sought.map_err(|_| self.lose_place())?;
        self.at = offset;
        Ok(())
    }

    /// After a failed read nobody knows where the file stands: the next seek is an absolute one.
    fn lose_place(&mut self) -> Flaw {
        self.at = u64::MAX;
        Flaw::Unreadable
    }

    fn length(&self) -> Result<u64, Flaw> {
        self.file.get_ref().metadata().map(|found| found.len()).map_err(|_| Flaw::Unreadable)
    }
}
