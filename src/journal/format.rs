//! The journal's bytes on disk, version 1. All numbers are little-endian.
//!
//! A folder holds
//!
//! | file | what |
//! |---|---|
//! | `journal.id` | a file head (below): who this journal is; no position before its first is given out again |
//! | `journal.lock` | locked while a process writes; holds its process id as text |
//! | `NNNNNNNNNNNNNNNNNNNN.segment` | a file head, then records; named by its first position, 20 digits |
//! | `aside/` | bytes that could not be read or were cut, for an operator to look at; never read again |
//!
//! **File head**, 64 bytes:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `CASTMJNL` |
//! | 8 | 4 | format version, 1 |
//! | 12 | 16 | journal id, random |
//! | 28 | 8 | record marker, random, the same in all files of a journal |
//! | 36 | 8 | first position |
//! | 44 | 16 | zero |
//! | 60 | 4 | CRC-32C of bytes 0 to 59 |
//!
//! **Record**, 40 bytes, then the body (the source's name in UTF-8, then the payload), then at once the next record:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | record marker |
//! | 8 | 8 | sequence: the record's position |
//! | 16 | 8 | receive time, microseconds since 1970, signed |
//! | 24 | 4 | payload length |
//! | 28 | 4 | CRC-32C of the body |
//! | 32 | 1 | kind, [`RecordKind`] |
//! | 33 | 1 | encoding of the payload, [`Encoding`](crate::units::Encoding) |
//! | 34 | 1 | length of the source's name |
//! | 35 | 1 | zero |
//! | 36 | 4 | CRC-32C of bytes 0 to 35 |
//!
//! The head's checksum covers the body's, so together they cover the record; a head that is sound can be
//! trusted for its length, so that a damaged body is skipped exactly and a reader may hop from head to head.
//!
//! What always holds:
//! - Sequences rise by one within a segment; between two segments they may jump, never fall.
//! - In a segment only sequences below the next segment's first position count: what a failed write left behind
//!   is superseded by the segment that was begun after it.
//! - The marker is random and not shown to senders, so that no payload can pass for a record when a reader
//!   searches for the next sound one behind a damage.

use crate::units::JournalPosition;

use super::record::RecordKind;

pub(super) const VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"CASTMJNL";
pub(super) const FILE_HEAD_BYTES: usize = 64;
pub(super) const RECORD_HEAD_BYTES: usize = 40;
pub(super) const LONGEST_SOURCE: usize = 255;

/// A journal's random 128-bit identity: the store fences writers by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JournalId(pub [u8; 16]);

impl std::fmt::Display for JournalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl std::fmt::Debug for JournalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JournalId({self})")
    }
}

/// What every record begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker(pub [u8; 8]);

/// Who a journal is, as its `journal.id` and every segment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub id: JournalId,
    pub marker: Marker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHead {
    pub identity: Identity,
    pub first: JournalPosition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadFileHead {
    /// Wrong magic or checksum, or too short.
    Unreadable,
    /// Sound as far as can be told, of a version this release does not know.
    Newer { version: u32 },
}

impl FileHead {
    pub fn encode(&self) -> [u8; FILE_HEAD_BYTES] {
        let mut bytes = [0; FILE_HEAD_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..28].copy_from_slice(&self.identity.id.0);
        bytes[28..36].copy_from_slice(&self.identity.marker.0);
        bytes[36..44].copy_from_slice(&self.first.0.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, BadFileHead> {
        let bytes: &[u8; FILE_HEAD_BYTES] = bytes.try_into().map_err(|_| BadFileHead::Unreadable)?;
        let sound = bytes[..8] == MAGIC && u32_at(bytes, 60) == crc32c::crc32c(&bytes[..60]);
        match (sound, u32_at(bytes, 8)) {
            (false, _) | (true, 0) => Err(BadFileHead::Unreadable),
            (true, VERSION) => Ok(Self {
                identity: Identity {
                    id: JournalId(array_at(bytes, 12)),
                    marker: Marker(array_at(bytes, 28)),
                },
                first: JournalPosition(u64_at(bytes, 36)),
            }),
            (true, version) => Err(BadFileHead::Newer { version }),
        }
    }
}

/// A record's head. Kind, encoding and time are kept as numbers: one that is not known is still a sound record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHead {
    pub sequence: u64,
    pub received_at_micros: i64,
    pub payload_length: u32,
    pub body_checksum: u32,
    pub kind: u8,
    pub encoding: u8,
    pub source_length: u8,
}

impl RecordHead {
    pub fn encode(&self, marker: Marker) -> [u8; RECORD_HEAD_BYTES] {
        let mut bytes = [0; RECORD_HEAD_BYTES];
        bytes[0..8].copy_from_slice(&marker.0);
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.received_at_micros.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.payload_length.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.body_checksum.to_le_bytes());
        bytes[32..36].copy_from_slice(&[self.kind, self.encoding, self.source_length, 0]);
        let checksum = crc32c::crc32c(&bytes[..36]);
        bytes[36..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// None unless marker and checksum are right.
    pub fn decode(bytes: &[u8; RECORD_HEAD_BYTES], marker: Marker) -> Option<Self> {
        let sound = bytes[..8] == marker.0 && u32_at(bytes, 36) == crc32c::crc32c(&bytes[..36]);
        sound.then(|| Self {
            sequence: u64_at(bytes, 8),
            received_at_micros: i64::from_le_bytes(array_at(bytes, 16)),
            payload_length: u32_at(bytes, 24),
            body_checksum: u32_at(bytes, 28),
            kind: bytes[32],
            encoding: bytes[33],
            source_length: bytes[34],
        })
    }

    pub fn kind(&self) -> Option<RecordKind> {
        RecordKind::from_number(self.kind)
    }

    /// Source and payload together.
    pub fn body_length(&self) -> u64 {
        u64::from(self.source_length) + u64::from(self.payload_length)
    }

    /// Head and body.
    pub fn record_length(&self) -> u64 {
        RECORD_HEAD_BYTES as u64 + self.body_length()
    }
}

/// The checksum of a body, without joining its two parts.
pub(super) fn body_checksum(source: &str, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(source.as_bytes()), payload)
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    *bytes[offset..].first_chunk().expect("offsets are constants within the head")
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, offset))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity { id: JournalId([0xAB; 16]), marker: Marker(*b"MARKER!!") };

    fn record_head() -> RecordHead {
        RecordHead {
            sequence: 0x0102,
            received_at_micros: -3,
            payload_length: 5,
            body_checksum: body_checksum("src", b"hello"),
            kind: 1,
            encoding: 1,
            source_length: 3,
        }
    }

    #[test]
    fn a_file_head_is_laid_out_as_documented() {
        let bytes = FileHead { identity: IDENTITY, first: JournalPosition(0x0304) }.encode();
        assert_eq!(&bytes[..8], b"CASTMJNL");
        assert_eq!(&bytes[8..12], &[1, 0, 0, 0]);
        assert_eq!((&bytes[12..28], &bytes[28..36]), (&[0xAB; 16][..], &b"MARKER!!"[..]));
        assert_eq!(&bytes[36..46], &[4, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_record_head_is_laid_out_as_documented() {
        let bytes = record_head().encode(IDENTITY.marker);
        assert_eq!(&bytes[..8], b"MARKER!!");
        assert_eq!(&bytes[8..16], &[2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&bytes[16..24], &[0xFD, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(&bytes[24..28], &[5, 0, 0, 0]);
        assert_eq!(&bytes[28..32], &crc32c::crc32c(b"srchello").to_le_bytes());
        assert_eq!(&bytes[32..36], &[1, 1, 3, 0]);
        assert_eq!(record_head().record_length(), 48);
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let file = FileHead { identity: IDENTITY, first: JournalPosition(9) };
        let record = record_head();
        assert_eq!(FileHead::decode(&file.encode()), Ok(file));
        assert_eq!(RecordHead::decode(&record.encode(IDENTITY.marker), IDENTITY.marker), Some(record));
        for bit in 0..FILE_HEAD_BYTES * 8 {
            let mut bytes = file.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FileHead::decode(&bytes), Err(BadFileHead::Unreadable), "bit {bit}");
        }
        for bit in 0..RECORD_HEAD_BYTES * 8 {
            let mut bytes = record.encode(IDENTITY.marker);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHead::decode(&bytes, IDENTITY.marker), None, "bit {bit}");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = FileHead { identity: IDENTITY, first: JournalPosition::START }.encode();
        bytes[8] = 2;
        let checksum = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(FileHead::decode(&bytes), Err(BadFileHead::Newer { version: 2 }));
        assert_eq!(FileHead::decode(&bytes[..63]), Err(BadFileHead::Unreadable));
    }
}
