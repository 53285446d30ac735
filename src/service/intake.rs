//! From the receivers into the journal: a batch is taken once it is durable.

use std::time::Duration;

use super::counter::Handoff;
use crate::journal::{JournalError, Record, RecordKind, Writer};
use crate::receiver::{Batch, Intake, Refused, Tail};

/// When a sender that was refused should try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Takes batches into the journal.
pub struct JournalIntake {
    writer: Writer<Handoff>,
}

impl JournalIntake {
    pub fn new(writer: Writer<Handoff>) -> Self {
        Self { writer }
    }
}

impl Intake for JournalIntake {
    async fn accept(&self, batch: Batch) -> Result<(), Refused> {
        let tail_is_cut = batch.tail == Tail::Truncated;
        let record = Record {
            kind: if tail_is_cut { RecordKind::CutBatch } else { RecordKind::Batch },
            source: batch.source.clone(),
            encoding: batch.encoding,
            received_at: batch.received_at,
            payload: batch.payload,
        };
        let handoff = Handoff::Batch {
            source: batch.source,
            received_at: batch.received_at,
            lines: batch.lines,
            tail_is_cut,
        };
        match self.writer.append(record, handoff).await {
            Ok(_) => Ok(()),
            Err(JournalError::Closed) => Err(Refused::ShuttingDown),
            Err(JournalError::Full { .. }) => Err(Refused::Full { retry_after: RETRY_AFTER }),
            Err(error) => {
                tracing::error!(%error, "the journal did not take a batch");
                Err(Refused::Failed { retry_after: RETRY_AFTER })
            }
        }
    }
}
