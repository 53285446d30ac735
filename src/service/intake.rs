//! From the receivers into the journal: a batch is taken once it is durable.

use std::time::Duration;

use super::bodies;
use super::counter::{Handoff, Lines};
use crate::journal::{JournalError, Record, RecordKind, Writer};
use crate::receiver::{Batch, Intake, Refused, Tail};

/// When a sender that was refused should try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What a transport's batches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bodies: the same bytes again are the same batch again.
    Body,
    /// Pieces of a stream, cut as they happened to arrive.
    Stream,
}

/// Takes batches into the journal.
pub struct JournalIntake {
    writer: Writer<Handoff>,
    unit: Unit,
}

impl JournalIntake {
    pub fn new(writer: Writer<Handoff>, unit: Unit) -> Self {
        Self { writer, unit }
    }
}

impl Intake for JournalIntake {
    async fn accept(&self, batch: Batch) -> Result<(), Refused> {
        let kind = match (self.unit, batch.tail) {
            (Unit::Body, _) => RecordKind::Batch,
            (Unit::Stream, Tail::Whole) => RecordKind::Stream,
            (Unit::Stream, Tail::Truncated) => RecordKind::CutStream,
        };
        let handoff = Handoff::Lines(Lines {
            source: batch.source.clone(),
            received_at: batch.received_at,
            lines: batch.lines,
            tail_is_cut: kind == RecordKind::CutStream,
            digest: (kind == RecordKind::Batch).then(|| bodies::digest(&batch.payload)),
        });
        let record = Record {
            kind,
            source: batch.source,
            encoding: batch.encoding,
            received_at: batch.received_at,
            payload: batch.payload,
        };
        match self.writer.append(record, handoff).await {
            Ok(_) => Ok(()),
            Err(JournalError::Closed) => Err(Refused::ShuttingDown),
            Err(JournalError::Full(_)) => Err(Refused::Full { retry_after: RETRY_AFTER }),
            Err(error) => {
                tracing::error!(%error, "the journal did not take a batch");
                Err(Refused::Failed { retry_after: RETRY_AFTER })
            }
        }
    }
}
