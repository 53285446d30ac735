//! What can go wrong with the journal, cheap to clone: one failed fsync answers all that waited for it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::units::{ByteCount, JournalPosition};

/// Why the journal takes no more records for the time being. It recovers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FullReason {
    /// `max_bytes` is reached and nothing more is committed.
    Bound = 1,
    /// Less than `min_free_bytes` would be left on the disk.
    Reserve = 2,
    /// The file system has no space or the quota is used up.
    Disk = 3,
}

impl FullReason {
    pub const ALL: [Self; 3] = [Self::Bound, Self::Reserve, Self::Disk];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Reserve => "reserve",
            Self::Disk => "disk",
        }
    }

    const fn explanation(self) -> &'static str {
        match self {
            Self::Bound => "its bound is reached and what it holds is not yet committed to the store",
            Self::Reserve => "the disk has no more space than is to be left free",
            Self::Disk => "the disk has no space left",
        }
    }
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// Try again later; nothing of the record was kept.
    #[error("the journal is full: {}", .0.explanation())]
    Full(FullReason),
    #[error("the journal in {} is in use by {holder}: stop that one, or give this one a data folder of its own", folder.display())]
    InUse { folder: PathBuf, holder: String },
    /// The disk refused; nothing of the record is acknowledged.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: Arc<io::Error> },
    #[error(
        "a record's payload of {bytes} bytes is more than {bound}: raise journal.max_bytes or lower the body limit"
    )]
    TooLarge { bytes: ByteCount, bound: ByteCount },
    #[error("a source's name is {bytes} bytes long, at most 255 are kept")]
    SourceTooLong { bytes: usize },
    #[error("{} has the journal format {version}, this release reads up to {known}: run the newer release", path.display())]
    NewerFormat { path: PathBuf, version: u32, known: u32 },
    #[error("{} holds segments, but neither journal.id nor any segment's head can be read: restore journal.id, or move the folder away to start anew", folder.display())]
    Unidentified { folder: PathBuf },
    /// To be appended whole.
    #[error("record {first}, which a redelivered batch is to refer to, is not held any more")]
    FirstGone { first: JournalPosition },
    /// The journal was closed, or its thread died.
    #[error("the journal is closed")]
    Closed,
}

impl JournalError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }

    /// Whether the file system said that there is no space.
    pub(super) fn is_no_space(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }
}
