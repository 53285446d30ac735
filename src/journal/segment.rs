//! Segment files: their names, and the one that is being written.
//!
//! A segment is written by one process life and never opened for writing again; after a fault, too, the next record goes
//! to a new one. So whatever a failed disk left at the end of a file is never built upon.

use std::fs::{self, File};
use std::io::IoSlice;
use std::path::{Path, PathBuf};

use super::aside::Aside;
use super::disk::Disk;
use super::error::JournalError;
use super::format::{FILE_HEAD_BYTES, FileHead, Identity};
use crate::units::{JournalPosition, Timestamp};

const EXTENSION: &str = "segment";

/// A segment by its first position. Ordered as the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SegmentName {
    pub first: JournalPosition,
}

impl SegmentName {
    pub fn path(self, folder: &Path) -> PathBuf {
        folder.join(format!("{:020}.{EXTENSION}", self.first.0))
    }

    fn parse(name: &str) -> Option<Self> {
        let digits = name.strip_suffix(EXTENSION)?.strip_suffix('.')?;
        let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok())?.map(|first| Self { first: JournalPosition(first) })
    }

    /// All segments of a folder, oldest first. Other files are left alone.
    pub fn list(folder: &Path) -> Result<Vec<Self>, JournalError> {
        let failed = |error| JournalError::io("list", folder, error);
        let mut names = Vec::new();
        for file in fs::read_dir(folder).map_err(failed)? {
            names.extend(file.map_err(failed)?.file_name().to_str().and_then(Self::parse));
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// A segment that is not written any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed {
    pub name: SegmentName,
    pub bytes: u64,
    /// When its newest record was received, as well as can be told without reading it all.
    pub newest: Option<Timestamp>,
}

/// The segment that is being written.
pub(super) struct Active {
    pub name: SegmentName,
    path: PathBuf,
    file: File,
    /// Where the last durable record ends.
    end: u64,
    times: Option<(Timestamp, Timestamp)>,
}

impl Active {
    /// A new file with its head. Durable with the first sync; its name is durable at once.
    pub fn create(
        disk: &Disk,
        folder: &Path,
        identity: Identity,
        first: JournalPosition,
        aside: &Aside,
    ) -> Result<Self, JournalError> {
        let name = SegmentName { first };
        let path = name.path(folder);
        // Nothing durable is ever in a file of this name: at most what a fault left that could not be removed.
        aside.put_away(&path)?;
        let file = disk.create(&path)?;
        let head = FileHead { identity, first }.encode();
        let made =
            disk.append(&file, &path, &mut [IoSlice::new(&head)]).and_then(|()| disk.sync_folder(folder));
        match made {
            Ok(()) => Ok(Self { name, path, file, end: FILE_HEAD_BYTES as u64, times: None }),
            Err(error) => {
                // An empty file of that name is put away when the name is next needed, so a second failure is no loss.
                let _ = disk.remove(&path);
                Err(error)
            }
        }
    }

    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// When the first record was received.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.times.map(|(oldest, _)| oldest)
    }

    /// Writes records behind the last durable one, not yet durable.
    pub fn append(&self, disk: &Disk, slices: &mut [IoSlice<'_>]) -> Result<(), JournalError> {
        disk.append(&self.file, &self.path, slices)
    }

    /// Makes durable what was written.
    pub fn sync(&self, disk: &Disk) -> Result<(), JournalError> {
        disk.sync(&self.file, &self.path)
    }

    /// Takes what was made durable into account: `bytes` of records, received from `oldest` to `newest`.
    pub fn advance(&mut self, bytes: u64, oldest: Timestamp, newest: Timestamp) {
        self.end += bytes;
        self.times = Some(match self.times {
            None => (oldest, newest),
            Some((first, last)) => (first, last.max(newest)),
        });
    }

    /// Cuts off what was written since the last durable record.
    pub fn roll_back(&self, disk: &Disk) -> Result<(), JournalError> {
        disk.truncate(&self.file, &self.path, self.end)
    }

    /// Ends the segment: None for one that holds no record, which is removed.
    pub fn seal(self, disk: &Disk) -> Option<Sealed> {
        match self.times {
            Some((_, newest)) => Some(Sealed { name: self.name, bytes: self.end, newest: Some(newest) }),
            None => {
                // If it cannot be removed now, it is put away when its name is next needed.
                let _ = disk.remove(&self.path);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_are_segments() {
        let table = [
            ("00000000000000000042.segment", Some(42)),
            ("18446744073709551615.segment", Some(u64::MAX)),
            ("18446744073709551616.segment", None),
            ("42.segment", None),
            ("+0000000000000000042.segment", None),
            ("00000000000000000042.segment.new", None),
            ("00000000000000000042segment", None),
            ("journal.id", None),
        ];
        for (name, expected) in table {
            assert_eq!(SegmentName::parse(name).map(|name| name.first.0), expected, "{name}");
        }
    }

    #[test]
    fn a_folder_is_listed_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for first in [30, 4, 100] {
            fs::write(SegmentName { first: JournalPosition(first) }.path(folder.path()), b"").unwrap();
        }
        fs::write(folder.path().join("notes.txt"), b"").unwrap();
        let firsts =
            SegmentName::list(folder.path()).unwrap().iter().map(|name| name.first.0).collect::<Vec<_>>();
        assert_eq!(firsts, [4, 30, 100]);
    }
}
