//! State snapshots: what counting knows at one position of the journal, in a file, so that a restart need not count
//! all of the journal again.
//!
//! Plain functions over a folder: [`save`], [`load`], [`list`], and [`choose`], which is what a start goes by. When one is
//! taken, and how long it is kept, is `keeper`'s to say; the bytes are laid out in `file`.
//!
//! What always holds:
//! - A file of the folder that has a snapshot's name was complete and durable before it had that name.
//! - One at position S is used only where the store has committed S or more: of what lies between a store that is behind
//!   and S, the sums would be lost.
//! - One that cannot be used costs a note in the log and the time to replay, never a start.
//!
//! It holds keyed hashes of listeners and no address, the rules in force, and no secret.

mod codec;
mod file;
mod keeper;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use file::{Head, list, load, save};
pub use keeper::Keeper;

use serde::de::DeserializeOwned;

use super::counter::CountError;
use crate::attribution::Secret;
use crate::journal::JournalId;
use crate::units::JournalPosition;

/// The layout of a saved state. To be raised with every change of it; older ones are then passed over.
pub const FORMAT_VERSION: u32 = 4;

/// What a snapshot must be of to be of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub journal: JournalId,
    /// Tells that listeners' keys are of the same secret, and nothing of the secret.
    pub secret_check: [u8; 16],
}

impl Identity {
    pub fn new(journal: JournalId, secret: &Secret) -> Self {
        let hash = blake3::derive_key("castmeter 2026-11 which secret a state snapshot is of", secret);
        let (secret_check, _) = hash.split_first_chunk().expect("32 bytes");
        Self { journal, secret_check: *secret_check }
    }
}

/// Why a snapshot is not used, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("cannot {action} {}: {cause}", path.display())]
    Io { action: &'static str, path: PathBuf, cause: io::Error },
    #[error("it is no snapshot, or its head is damaged")]
    NoSnapshot,
    #[error("it has the format {found}, this release reads {FORMAT_VERSION} only")]
    OtherFormat { found: u32 },
    #[error("it is of the journal {found}, not of {expected}")]
    OtherJournal { found: JournalId, expected: JournalId },
    #[error("it was taken under another secret")]
    OtherSecret,
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("it stands at {position}, the store only at {committed}")]
    AheadOfStore { position: JournalPosition, committed: JournalPosition },
    #[error("its state cannot be read: {0}")]
    State(#[from] postcard::Error),
    #[error("counting cannot go on from it: {0}")]
    Restore(#[from] CountError),
}

impl SnapshotError {
    fn io(action: &'static str, path: &Path, cause: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), cause }
    }
}

/// The newest snapshot in `folder` that can be used beside a store that has committed up to there, as `restore` makes
/// something of its state. Each that is passed over on the way is told, and so is a folder that cannot be read.
pub fn choose<T: DeserializeOwned, R>(
    folder: &Path,
    identity: Identity,
    committed: JournalPosition,
    mut pass_over: impl FnMut(&Path, &SnapshotError),
    restore: impl Fn(T, &Head) -> Result<R, CountError>,
) -> Option<(Head, R)> {
    let usable = |path: &Path| {
        let Head { position, .. } = file::check(path, identity)?;
        if position > committed {
            return Err(SnapshotError::AheadOfStore { position, committed });
        }
        let (head, state) = load(path, identity)?;
        Ok((head, restore(state, &head)?))
    };
    let found = list(folder).inspect_err(|error| pass_over(folder, error)).unwrap_or_default();
    let mut newest_first = found.into_iter().rev();
    newest_first.find_map(|(_, path)| usable(&path).inspect_err(|error| pass_over(&path, error)).ok())
}

/// The highest position of a snapshot in `folder`, usable as far as its head tells; the start where there is none.
pub fn newest(folder: &Path, identity: Identity) -> JournalPosition {
    let mut newest_first = list(folder).unwrap_or_default().into_iter().rev();
    let head = newest_first.find_map(|(_, path)| file::check(&path, identity).ok());
    head.map_or(JournalPosition::START, |head| head.position)
}
