//! Records as they are read back from the journal, turned into what would have been handed over with them.

use super::bodies::{self, Digest};
use super::counter::{CountError, Lines};
use crate::journal::{self, Entry, Record, RecordKind, Redelivery};
use crate::receiver::decode;
use crate::units::ByteCount;

/// The lines of a batch; None of a record that is none.
///
/// A reference is followed to the first copy: its lines, as received now.
pub fn lines(entry: &Entry, reader: &journal::Reader) -> Result<Option<Lines>, CountError> {
    let record = &entry.record;
    match record.kind {
        RecordKind::Batch => inflated(record, record, Some(bodies::digest(&record.payload))).map(Some),
        RecordKind::Stream | RecordKind::CutStream => inflated(record, record, None).map(Some),
        RecordKind::Redelivered => {
            let redelivery = Redelivery::from_payload(&record.payload).ok_or(CountError::BadReference)?;
            let first = first_copy(redelivery, reader)?;
            inflated(record, &first, Some(redelivery.digest)).map(Some)
        }
        RecordKind::Rules => Ok(None),
    }
}

fn first_copy(redelivery: Redelivery, reader: &journal::Reader) -> Result<Record, CountError> {
    let first = redelivery.first;
    let found = reader.read_at(first)?;
    let is_it = |record: &Record| {
        record.kind == RecordKind::Batch && bodies::digest(&record.payload) == redelivery.digest
    };
    found.map(|entry| entry.record).filter(is_it).ok_or(CountError::FirstGone { first })
}

/// `record`, with the payload of `content`.
fn inflated(record: &Record, content: &Record, digest: Option<Digest>) -> Result<Lines, CountError> {
    // It passed its limits when it was received.
    let limits = decode::Limits { inflated: ByteCount(u64::MAX), ratio: u32::MAX };
    Ok(Lines {
        source: record.source.clone(),
        received_at: record.received_at,
        lines: decode::decode(content.encoding, &content.payload, limits)?,
        tail_is_cut: record.kind == RecordKind::CutStream,
        digest,
    })
}
