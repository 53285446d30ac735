//! The file operations the journal's promises hang on, each of them made to fail where a [`Faults`] plan says so.
//!
//! The files are always real ones; a plan only comes between. Without a plan each operation is the plain call. What a
//! failed operation left behind is the caller's to clean up, exactly as with a real disk.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use super::error::JournalError;
use crate::units::ByteCount;

/// A file operation that is about to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    /// `bytes` are to be appended to the file.
    Write {
        bytes: u64,
    },
    /// The file's data are to be made durable.
    Sync,
    Truncate,
    Remove,
    /// The folder's entries are to be made durable.
    SyncFolder,
    /// The disk's free space is to be looked at; a failure means there is none.
    FreeSpace,
}

/// What shall become of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Proceed,
    Fail(ErrorKind),
    /// For a write: its first bytes reach the file, then it fails. Any other operation fails.
    Tear {
        written: u64,
        error: ErrorKind,
    },
}

/// Decides over each file operation before it happens. It may also block, to hold the journal at a chosen point.
pub trait Faults: Send + Sync {
    fn before(&self, operation: Operation, path: &Path) -> Verdict;
}

impl<F: Fn(Operation, &Path) -> Verdict + Send + Sync> Faults for F {
    fn before(&self, operation: Operation, path: &Path) -> Verdict {
        self(operation, path)
    }
}

#[derive(Clone)]
pub(super) struct Disk {
    faults: Option<Arc<dyn Faults>>,
}

impl Disk {
    pub fn new(faults: Option<Arc<dyn Faults>>) -> Self {
        Self { faults }
    }

    /// A new file that only grows at its end. Fails where there is one of that name.
    pub fn create(&self, path: &Path) -> Result<File, JournalError> {
        self.allow(Operation::Create, path)
            .and_then(|()| OpenOptions::new().append(true).create_new(true).mode(0o600).open(path))
            .map_err(|error| JournalError::io("create", path, error))
    }

    /// Appends all slices; after an error any part of them may have been written.
    pub fn append(&self, file: &File, path: &Path, slices: &mut [IoSlice<'_>]) -> Result<(), JournalError> {
        let bytes = slices.iter().map(|slice| slice.len() as u64).sum();
        match self.verdict(Operation::Write { bytes }, path) {
            Verdict::Proceed => append_all(file, slices),
            Verdict::Fail(error) => Err(error.into()),
            Verdict::Tear { written, error } => append_part(file, slices, written).and(Err(error.into())),
        }
        .map_err(|error| JournalError::io("write to", path, error))
    }

    pub fn sync(&self, file: &File, path: &Path) -> Result<(), JournalError> {
        self.allow(Operation::Sync, path)
            .and_then(|()| file.sync_data())
            .map_err(|error| JournalError::io("sync", path, error))
    }

    pub fn truncate(&self, file: &File, path: &Path, length: u64) -> Result<(), JournalError> {
        self.allow(Operation::Truncate, path)
            .and_then(|()| file.set_len(length))
            .map_err(|error| JournalError::io("truncate", path, error))
    }

    /// Removes the file; one that is gone already is no error.
    pub fn remove(&self, path: &Path) -> Result<(), JournalError> {
        match self.allow(Operation::Remove, path).and_then(|()| std::fs::remove_file(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result.map_err(|error| JournalError::io("remove", path, error)),
        }
    }

    pub fn sync_folder(&self, folder: &Path) -> Result<(), JournalError> {
        self.allow(Operation::SyncFolder, folder)
            .and_then(|()| File::open(folder)?.sync_all())
            .map_err(|error| JournalError::io("sync the folder", folder, error))
    }

    /// What an unprivileged process may still write to the folder's disk.
    pub fn free_space(&self, folder: &Path) -> Result<ByteCount, JournalError> {
        if self.verdict(Operation::FreeSpace, folder) != Verdict::Proceed {
            return Ok(ByteCount::ZERO);
        }
        free_space(folder)
    }

    fn verdict(&self, operation: Operation, path: &Path) -> Verdict {
        self.faults.as_ref().map_or(Verdict::Proceed, |faults| faults.before(operation, path))
    }

    fn allow(&self, operation: Operation, path: &Path) -> io::Result<()> {
        match self.verdict(operation, path) {
            Verdict::Proceed => Ok(()),
            Verdict::Fail(error) | Verdict::Tear { error, .. } => Err(error.into()),
        }
    }
}

fn append_all(mut file: &File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Appends the first `bytes` bytes of the slices.
fn append_part(mut file: &File, slices: &[IoSlice<'_>], bytes: u64) -> io::Result<()> {
    let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
    for slice in slices {
        let part = left.min(slice.len());
        file.write_all(&slice[..part])?;
        left -= part;
    }
    Ok(())
}

/// What an unprivileged process may still write to the folder's disk.
pub fn free_space(folder: &Path) -> Result<ByteCount, JournalError> {
    let disk = rustix::fs::statvfs(folder)
        .map_err(|error| JournalError::io("read the free space of", folder, error.into()))?;
    Ok(ByteCount(disk.f_bavail.saturating_mul(disk.f_frsize)))
}
