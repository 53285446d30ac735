//! From the receivers into the journal: a batch is taken once it is durable.
//!
//! A body whose first copy is durable already is noted as a reference to it, and acknowledged when that is durable. While
//! the first copy is still on its way the second is written whole, like any other: counting finds by itself that they
//! are the same.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::bodies::{self, Digest, FirstCopies};
use super::counter::{Handoff, Lines};
use crate::journal::{JournalError, Record, RecordKind, Redelivery, Writer};
use crate::receiver::{Batch, Intake, Refused, Tail};
use crate::units::{Encoding, JournalPosition};

/// When a sender that was refused should try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What a transport's batches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bodies: the same bytes again, within the window, are the same batch again.
    Body { redelivery_window: Duration },
    /// Pieces of a stream, cut as they happened to arrive.
    Stream,
}

/// Takes batches into the journal.
pub struct JournalIntake {
    writer: Writer<Handoff>,
    /// None where batches are pieces of a stream.
    first_copies: Option<Mutex<FirstCopies>>,
}

impl JournalIntake {
    pub fn new(writer: Writer<Handoff>, unit: Unit) -> Self {
        let first_copies = match unit {
            Unit::Body { redelivery_window } => Some(Mutex::new(FirstCopies::new(redelivery_window))),
            Unit::Stream => None,
        };
        Self { writer, first_copies }
    }

    async fn append_piece(&self, batch: Batch) -> Result<JournalPosition, JournalError> {
        let kind = match batch.tail {
            Tail::Whole => RecordKind::Stream,
            Tail::Truncated => RecordKind::CutStream,
        };
        let (record, lines) = parts(batch, kind, None);
        self.writer.append(record, Handoff::Lines(lines)).await
    }

    async fn append_body(
        &self,
        batch: Batch,
        first_copies: &Mutex<FirstCopies>,
    ) -> Result<JournalPosition, JournalError> {
        let digest = bodies::digest(&batch.payload);
        let (whole, lines) = parts(batch, RecordKind::Batch, Some(digest));
        let first = locked(first_copies).find(&digest, whole.encoding, whole.received_at);
        if let Some(first) = first.filter(|first| self.is_held(*first)) {
            let payload = Redelivery { first, digest }.to_payload();
            let reference = Record {
                kind: RecordKind::Redelivered,
                encoding: Encoding::Identity,
                payload,
                ..whole.clone()
            };
            match self.writer.append(reference, Handoff::Lines(lines.clone())).await {
                // Dropped just now.
                Err(JournalError::FirstGone { .. }) => {}
                result => return result,
            }
        }
        let (encoding, received_at) = (whole.encoding, whole.received_at);
        let position = self.writer.append(whole, Handoff::Lines(lines)).await?;
        locked(first_copies).remember(digest, encoding, received_at, position);
        Ok(position)
    }

    /// Whether the journal has to hold the record anyway. A reference to an older one would hold up to a window's worth
    /// of records that could go otherwise, where space is short.
    fn is_held(&self, position: JournalPosition) -> bool {
        self.writer.kept_from() <= position
    }
}

/// The record, and what is handed over beside it.
fn parts(batch: Batch, kind: RecordKind, digest: Option<Digest>) -> (Record, Lines) {
    let lines = Lines {
        source: batch.source.clone(),
        received_at: batch.received_at,
        lines: batch.lines,
        tail_is_cut: kind == RecordKind::CutStream,
        digest,
    };
    let record = Record {
        kind,
        source: batch.source,
        encoding: batch.encoding,
        received_at: batch.received_at,
        payload: batch.payload,
    };
    (record, lines)
}

fn locked(first_copies: &Mutex<FirstCopies>) -> MutexGuard<'_, FirstCopies> {
    first_copies.lock().expect("nothing panics with it held")
}

impl Intake for JournalIntake {
    async fn accept(&self, batch: Batch) -> Result<(), Refused> {
        let appended = match &self.first_copies {
            Some(first_copies) => self.append_body(batch, first_copies).await,
            None => self.append_piece(batch).await,
        };
        match appended {
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
