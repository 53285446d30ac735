//! Who a journal is, and where it goes on when it holds nothing.
//!
//! The identity is made up once, kept in `journal.id` and repeated in every segment's head, so that either restores
//! the other. Beside it `journal.id` keeps a position, the floor: none before it is ever given out again. It is
//! raised before segments go that alone told how far the journal had come.

use std::fs;
use std::io::{ErrorKind, IoSlice, Read};
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::error::JournalError;
use super::format::{BadFileHead, FILE_HEAD_BYTES, FileHead, Identity, JournalId, Marker, VERSION};
use super::segment::SegmentName;
use crate::units::JournalPosition;

const NAME: &str = "journal.id";

/// The folder's identity and its floor; made if there is neither one nor a segment, restored from a segment if lost.
pub(super) fn establish(
    disk: &Disk,
    folder: &Path,
    segments: &[SegmentName],
) -> Result<FileHead, JournalError> {
    if let Some(Ok(head)) = read_head(&folder.join(NAME))? {
        return Ok(head);
    }
    let identity = match find(folder, segments)? {
        Some(identity) => identity,
        None => random(folder)?,
    };
    let head = FileHead { identity, first: JournalPosition::START };
    write(disk, folder, head)?;
    Ok(head)
}

/// The folder's identity without changing anything; None for a folder that holds no journal yet.
pub(super) fn read(folder: &Path, segments: &[SegmentName]) -> Result<Option<Identity>, JournalError> {
    match read_head(&folder.join(NAME))? {
        Some(Ok(head)) => Ok(Some(head.identity)),
        _ => find(folder, segments),
    }
}

/// The identity that the first readable segment names; None only where there is no segment.
fn find(folder: &Path, segments: &[SegmentName]) -> Result<Option<Identity>, JournalError> {
    for segment in segments {
        if let Some(Ok(head)) = read_head(&segment.path(folder))? {
            return Ok(Some(head.identity));
        }
    }
    match segments {
        [] => Ok(None),
        _ => Err(JournalError::Unidentified { folder: folder.to_owned() }),
    }
}

/// None where there is no such file, an inner error where it is damaged; an outer one where it is of a newer format.
fn read_head(path: &Path) -> Result<Option<Result<FileHead, BadFileHead>>, JournalError> {
    let mut bytes = Vec::with_capacity(FILE_HEAD_BYTES);
    let read =
        fs::File::open(path).and_then(|file| file.take(FILE_HEAD_BYTES as u64).read_to_end(&mut bytes));
    match read {
        Ok(_) => newer_is_an_error(FileHead::decode(&bytes), path).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(JournalError::io("read", path, error)),
    }
}

/// Turns a head of a newer format into an error; damage stays what it is.
pub(super) fn newer_is_an_error(
    head: Result<FileHead, BadFileHead>,
    path: &Path,
) -> Result<Result<FileHead, BadFileHead>, JournalError> {
    match head {
        Err(BadFileHead::Newer { version }) => {
            Err(JournalError::NewerFormat { path: path.to_owned(), version, known: VERSION })
        }
        head => Ok(head),
    }
}

fn random(folder: &Path) -> Result<Identity, JournalError> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)
        .map_err(|error| JournalError::io("draw a random id for", folder, error.into()))?;
    let (id, marker) = bytes.split_at(16);
    Ok(Identity {
        id: JournalId(id.try_into().expect("16 bytes")),
        marker: Marker(marker.try_into().expect("8 bytes")),
    })
}

/// Writes identity and floor, beside and renamed, so that there is never half a file of that name.
pub(super) fn write(disk: &Disk, folder: &Path, head: FileHead) -> Result<(), JournalError> {
    let beside: PathBuf = folder.join("journal.id.new");
    disk.remove(&beside)?;
    let file = disk.create(&beside)?;
    disk.append(&file, &beside, &mut [IoSlice::new(&head.encode())])?;
    disk.sync(&file, &beside)?;
    let path = folder.join(NAME);
    fs::rename(&beside, &path).map_err(|error| JournalError::io("rename to", &path, error))?;
    disk.sync_folder(folder)
}
