//! Bytes put aside for an operator to look at: torn tails that were cut, and places that could not be read.
//!
//! They are copies in `aside/`, named by segment and offset, never read again by castmeter. They hold log lines, so they
//! go by `keep` as the journal itself; and they have a bound of their own, the oldest giving way.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::JournalError;
use super::segment::SegmentName;
use crate::units::{ByteCount, Timestamp};

/// A journal's `aside` folder.
#[derive(Clone, Debug)]
pub(super) struct Aside {
    folder: Arc<Path>,
    bound: ByteCount,
}

struct Kept {
    path: PathBuf,
    bytes: u64,
    written: Timestamp,
}

impl Aside {
    pub fn new(journal: &Path, bound: ByteCount) -> Self {
        Self { folder: journal.join("aside").into(), bound }
    }

    /// Copies bytes of a segment; a place that was copied before is left as it is. What is larger than the bound
    /// is cut to it.
    pub fn copy(
        &self,
        journal: &Path,
        segment: SegmentName,
        offset: u64,
        bytes: u64,
    ) -> Result<(), JournalError> {
        let path = self.folder.join(format!("{:020}-{offset}.damaged", segment.first.0));
        let source = segment.path(journal);
        self.make_room(bytes)
            .and_then(|()| match File::create_new(&path) {
                Ok(file) => copy_range(&source, offset, bytes.min(self.bound.0), file),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                Err(error) => Err(error),
            })
            .map_err(|error| JournalError::io("put damaged bytes aside in", &path, error))
    }

    /// Moves a whole file here, if there is one.
    pub fn put_away(&self, file: &Path) -> Result<(), JournalError> {
        let Ok(found) = fs::metadata(file) else { return Ok(()) };
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        self.make_room(found.len())
            .and_then(|()| fs::rename(file, self.free_path(&name)))
            .map_err(|error| JournalError::io("put aside", file, error))
    }

    /// Removes what was put here before that.
    pub fn expire(&self, time: Timestamp) -> Result<(), JournalError> {
        self.kept()
            .and_then(|kept| {
                kept.iter()
                    .filter(|kept| kept.written <= time)
                    .try_for_each(|kept| fs::remove_file(&kept.path))
            })
            .map_err(|error| JournalError::io("remove old files from", &self.folder, error))
    }

    /// A name that is not taken.
    fn free_path(&self, name: &str) -> PathBuf {
        let candidates = (0_u32..).map(|number| self.folder.join(format!("{name}.{number}")));
        candidates
            .into_iter()
            .find(|path| !path.exists())
            .expect("a folder holds fewer files than there are numbers")
    }

    fn make_room(&self, bytes: u64) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut kept = self.kept()?;
        kept.sort_by_key(|kept| kept.written);
        let mut held: u64 = kept.iter().map(|kept| kept.bytes).sum();
        for old in kept {
            if held.saturating_add(bytes) <= self.bound.0 {
                break;
            }
            fs::remove_file(&old.path)?;
            held -= old.bytes;
        }
        Ok(())
    }

    fn kept(&self) -> io::Result<Vec<Kept>> {
        let files = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            files => files?,
        };
        files
            .map(|file| {
                let file = file?;
                let found = file.metadata()?;
                let written = DateTime::<Utc>::from(found.modified()?).into();
                Ok(Kept { path: file.path(), bytes: found.len(), written })
            })
            .collect()
    }
}

fn copy_range(source: &Path, offset: u64, bytes: u64, mut target: File) -> io::Result<()> {
    let mut source = File::open(source)?;
    source.seek(SeekFrom::Start(offset))?;
    io::copy(&mut source.take(bytes), &mut target)?;
    target.sync_all()
}
