//! A snapshot's file, and the folder of them. All numbers are little-endian.
//!
//! `NNNNNNNNNNNNNNNNNNNN.snapshot`, named by its position, 20 digits; `.draft` while it is being written.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `CASTMSTA` |
//! | 8 | 4 | format of the state, [`FORMAT_VERSION`] |
//! | 12 | 4 | version of the counting rules of the release that wrote it |
//! | 16 | 16 | journal id |
//! | 32 | 16 | check of the secret |
//! | 48 | 8 | position: all records before it are in the state, none after |
//! | 56 | 8 | length of the state |
//! | 64 | 4 | CRC-32C of the state |
//! | 68 | 4 | CRC-32C of bytes 0 to 67 |
//! | 72 | | the state, in postcard's encoding |
//!
//! The checksum is compared before anything is decoded, so that the decoder can believe the lengths it reads.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{Source, Summing};
use super::{FORMAT_VERSION, Identity, SnapshotError};
use crate::journal::JournalId;
use crate::units::JournalPosition;

const MAGIC: [u8; 8] = *b"CASTMSTA";
const HEAD_BYTES: usize = 72;
const BUFFER: usize = 1 << 18;

/// What a snapshot says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub identity: Identity,
    /// Of the release that wrote it.
    pub rules_version: u32,
    pub position: JournalPosition,
}

/// Writes a snapshot into `folder`, making that if need be; durable when this returns. One of the same position is
/// replaced.
pub fn save(folder: &Path, head: &Head, state: &impl Serialize) -> Result<PathBuf, SnapshotError> {
    let path = folder.join(format!("{:020}.snapshot", head.position.0));
    let draft = path.with_extension("draft");
    let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.map_err(|cause| SnapshotError::io("create", folder, cause))?;
    let written = write(&draft, head, state).and_then(|()| {
        std::fs::rename(&draft, &path)
            .and_then(|()| File::open(folder)?.sync_all())
            .map_err(|cause| SnapshotError::io("rename to", &path, cause))
    });
    if written.is_err() {
        // What cannot be removed now is at the next start.
        let _ = std::fs::remove_file(&draft);
    }
    written.map(|()| path)
}

fn write(draft: &Path, head: &Head, state: &impl Serialize) -> Result<(), SnapshotError> {
    let failed = |cause| SnapshotError::io("write", draft, cause);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(draft).map_err(failed)?;
    file.seek(SeekFrom::Start(HEAD_BYTES as u64)).map_err(failed)?;
    let mut summing = Summing::new(&file);
    // Flushes what it has buffered.
    let encoded = postcard::to_io(state, BufWriter::with_capacity(BUFFER, &mut summing)).map(drop);
    let Summing { bytes, checksum, error, .. } = summing;
    error.map_or(Ok(()), |cause| Err(failed(cause)))?;
    encoded?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    file.write_all(&head.encode(bytes, checksum)).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Reads a snapshot after checking every byte of it.
pub fn load<T: DeserializeOwned>(path: &Path, identity: Identity) -> Result<(Head, T), SnapshotError> {
    let failed = |cause| SnapshotError::io("read", path, cause);
    let mut file = File::open(path).map_err(failed)?;
    let (head, bytes, checksum) = read_head(&mut file, identity).map_err(|error| error.at(path))?;
    if checksum_of(&mut file).map_err(failed)? != (bytes, checksum) {
        return Err(SnapshotError::Damaged("its length or its checksum is not what its head says"));
    }
    file.seek(SeekFrom::Start(HEAD_BYTES as u64)).map_err(failed)?;
    let source = Source::new(BufReader::with_capacity(BUFFER, file));
    let mut deserializer = postcard::Deserializer::from_flavor(source);
    let state = T::deserialize(&mut deserializer)?;
    deserializer.finalize()?;
    Ok((head, state))
}

/// Reads a snapshot's head, and tells whether it is one to be used here; its state is not looked at.
pub(super) fn check(path: &Path, identity: Identity) -> Result<Head, SnapshotError> {
    let mut file = File::open(path).map_err(|cause| SnapshotError::io("read", path, cause))?;
    read_head(&mut file, identity).map(|(head, ..)| head).map_err(|error| error.at(path))
}

/// The snapshots of a folder, oldest first; nothing is said of whether they can be used.
pub fn list(folder: &Path) -> Result<Vec<(JournalPosition, PathBuf)>, SnapshotError> {
    let position = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        Some(JournalPosition(name.strip_suffix(".snapshot")?.parse().ok()?))
    };
    let mut found: Vec<_> =
        files(folder)?.into_iter().filter_map(|path| Some((position(&path)?, path))).collect();
    found.sort_unstable();
    Ok(found)
}

/// None where there is no such folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let failed = |cause| SnapshotError::io("list", folder, cause);
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        files => files.map_err(failed)?.map(|file| Ok(file.map_err(failed)?.path())).collect(),
    }
}

/// Removes the snapshots that are not to be kept.
pub(super) fn remove_all_but(
    folder: &Path,
    is_kept: impl Fn(JournalPosition) -> bool,
) -> Result<(), SnapshotError> {
    let mut superseded = list(folder)?.into_iter().filter(|(position, _)| !is_kept(*position));
    superseded.try_for_each(|(_, path)| remove(&path))
}

/// Removes what a process left that ended while it wrote.
pub(super) fn remove_drafts(folder: &Path) -> Result<(), SnapshotError> {
    let is_draft = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "draft");
    files(folder)?.into_iter().filter(is_draft).try_for_each(|path| remove(&path))
}

fn remove(path: &Path) -> Result<(), SnapshotError> {
    std::fs::remove_file(path).map_err(|cause| SnapshotError::io("remove", path, cause))
}

/// Why a head is of no use, or that it could not be read.
enum BadHead {
    Unusable(SnapshotError),
    Unreadable(io::Error),
}

impl BadHead {
    fn at(self, path: &Path) -> SnapshotError {
        match self {
            Self::Unusable(error) => error,
            Self::Unreadable(cause) => SnapshotError::io("read", path, cause),
        }
    }
}

fn read_head(file: &mut File, identity: Identity) -> Result<(Head, u64, u32), BadHead> {
    let mut bytes = [0; HEAD_BYTES];
    match file.read_exact(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return Err(BadHead::Unusable(SnapshotError::NoSnapshot));
        }
        read => read.map_err(BadHead::Unreadable)?,
    }
    Head::decode(&bytes, identity).map_err(BadHead::Unusable)
}

/// Of the rest of a file, with how long that is.
fn checksum_of(file: &mut File) -> io::Result<(u64, u32)> {
    let mut summing = Summing::new(io::sink());
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((summing.bytes, summing.checksum)),
            read => summing.write_all(&buffer[..read])?,
        }
    }
}

impl Head {
    fn encode(&self, bytes: u64, checksum: u32) -> [u8; HEAD_BYTES] {
        let mut head = [0; HEAD_BYTES];
        head[..8].copy_from_slice(&MAGIC);
        head[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        head[12..16].copy_from_slice(&self.rules_version.to_le_bytes());
        head[16..32].copy_from_slice(&self.identity.journal.0);
        head[32..48].copy_from_slice(&self.identity.secret_check);
        head[48..56].copy_from_slice(&self.position.0.to_le_bytes());
        head[56..64].copy_from_slice(&bytes.to_le_bytes());
        head[64..68].copy_from_slice(&checksum.to_le_bytes());
        let sum = crc32c::crc32c(&head[..68]);
        head[68..].copy_from_slice(&sum.to_le_bytes());
        head
    }

    /// The head, with the length and the checksum of the state.
    fn decode(head: &[u8; HEAD_BYTES], expected: Identity) -> Result<(Self, u64, u32), SnapshotError> {
        if head[..8] != MAGIC || crc32c::crc32c(&head[..68]).to_le_bytes() != head[68..] {
            return Err(SnapshotError::NoSnapshot);
        }
        let format = u32::from_le_bytes(at(head, 8));
        if format != FORMAT_VERSION {
            return Err(SnapshotError::OtherFormat { found: format });
        }
        let identity = Identity { journal: JournalId(at(head, 16)), secret_check: at(head, 32) };
        if identity.journal != expected.journal {
            let (found, expected) = (identity.journal, expected.journal);
            return Err(SnapshotError::OtherJournal { found, expected });
        }
        if identity != expected {
            return Err(SnapshotError::OtherSecret);
        }
        let this = Self {
            identity,
            rules_version: u32::from_le_bytes(at(head, 12)),
            position: JournalPosition(u64::from_le_bytes(at(head, 48))),
        };
        Ok((this, u64::from_le_bytes(at(head, 56)), u32::from_le_bytes(at(head, 64))))
    }
}

fn at<const N: usize>(bytes: &[u8; HEAD_BYTES], offset: usize) -> [u8; N] {
    bytes[offset..].first_chunk().copied().expect("within the head")
}
