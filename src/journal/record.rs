//! What one record of the journal says, and what a reader gives back.
//!
//! A record is a batch as it was received, still compressed as it came, or a fact that counting depends on. The journal
//! never looks into a payload. The numbers of [`RecordKind`] are part of the file format: never change one.

use std::sync::Arc;

use bytes::Bytes;

use crate::units::{Encoding, JournalPosition, Timestamp};

/// What a record's payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// A body of log lines, as received.
    Batch = 1,
    /// A batch that came a second time: the payload is a [`Redelivery`], the lines are at the first one's position.
    Redelivered = 2,
    /// What counting reads besides lines changed here (catalogue, lists, thresholds…); bytes of the writer's own.
    Rules = 3,
    /// A [`RecordKind::Stream`] whose last line was cut by its connection's end.
    CutStream = 4,
    /// A piece of a stream of lines. Unlike with a body, the same bytes again are other requests.
    Stream = 5,
}

impl RecordKind {
    pub const ALL: [Self; 5] = [Self::Batch, Self::Redelivered, Self::Rules, Self::CutStream, Self::Stream];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Redelivered => "redelivered",
            Self::Rules => "rules",
            Self::CutStream => "cut_stream",
            Self::Stream => "stream",
        }
    }

    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// One record: to be appended, or as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub kind: RecordKind,
    /// The source's configured name, at most 255 bytes.
    pub source: Arc<str>,
    /// How `payload` is compressed.
    pub encoding: Encoding,
    pub received_at: Timestamp,
    pub payload: Bytes,
}

impl Record {
    /// Where the first of a batch that came again stands; None of any other record.
    pub fn refers_to(&self) -> Option<JournalPosition> {
        let is_reference = self.kind == RecordKind::Redelivered;
        Some(is_reference.then(|| Redelivery::from_payload(&self.payload)).flatten()?.first)
    }
}

/// A record and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The record's own position: it is covered by every position from `position.next()` on.
    pub position: JournalPosition,
    pub record: Record,
}

/// The payload of a [`RecordKind::Redelivered`] record: which batch came again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Redelivery {
    /// Where the first one stands.
    pub first: JournalPosition,
    /// The strong hash by which the two were found to be the same.
    pub digest: [u8; 32],
}

impl Redelivery {
    /// Position (8 bytes, little-endian), then the digest.
    pub fn to_payload(self) -> Bytes {
        let mut payload = Vec::with_capacity(40);
        payload.extend_from_slice(&self.first.0.to_le_bytes());
        payload.extend_from_slice(&self.digest);
        payload.into()
    }

    /// None unless it is exactly what [`Self::to_payload`] writes.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let (first, digest) = payload.split_first_chunk::<8>()?;
        Some(Self { first: JournalPosition(u64::from_le_bytes(*first)), digest: digest.try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redelivery_is_forty_bytes_to_and_fro() {
        let redelivery = Redelivery { first: JournalPosition(0x0102_0304), digest: [7; 32] };
        let payload = redelivery.to_payload();
        assert_eq!((payload.len(), &payload[..5]), (40, &[4, 3, 2, 1, 0][..]));
        assert_eq!(Redelivery::from_payload(&payload), Some(redelivery));
        for wrong in [&payload[..39], &[&payload[..], b"x"].concat(), b""] {
            assert_eq!(Redelivery::from_payload(wrong), None);
        }
    }

    #[test]
    fn the_numbers_of_kinds_are_fixed() {
        assert_eq!(RecordKind::ALL.map(|kind| kind as u8), [1, 2, 3, 4, 5]);
        assert_eq!(RecordKind::from_number(0), None);
        assert_eq!(RecordKind::from_number(2), Some(RecordKind::Redelivered));
    }
}
