//! `castmeter journal ls`: segments, or records, one a row.

use clap::Args;
use serde_json::Value;

use super::{Place, describe, instant};
use crate::cli::Failure;
use crate::cli::output::{Format, Rows, stdout};
use crate::journal::inspect::{self, SegmentRow};
use crate::journal::{Entry, Found, RecordKind, Redelivery};
use crate::units::{JournalPosition, Timestamp};

/// List the journal's segments, or its records
#[derive(Debug, Args)]
pub struct Ls {
    #[command(flatten)]
    place: Place,
    /// A row for each record
    #[arg(long)]
    records: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Ls {
    pub fn run(self) -> Result<(), Failure> {
        let rows = if self.records { self.records()? } else { self.segments()? };
        Ok(rows.print(self.format, &mut stdout())?)
    }

    fn segments(&self) -> Result<Rows, Failure> {
        Ok(segments(&self.place.look(inspect::list)?.segments))
    }

    fn records(&self) -> Result<Rows, Failure> {
        let mut rows =
            Rows::new(&["position", "kind", "source", "encoding", "bytes", "received_at", "first"]);
        for found in self.place.look(|folder| inspect::records(folder, JournalPosition::START))? {
            match found.map_err(Failure::failed)? {
                Found::Entry(entry) => rows.push(record(&entry)),
                Found::Damage(damage) => eprintln!("castmeter: {}", describe(&damage)),
            }
        }
        Ok(rows)
    }
}

/// What is known of each segment.
pub(super) fn segments(segments: &[SegmentRow]) -> Rows {
    let mut rows = Rows::new(&["first", "next", "records", "bytes", "payload_bytes", "oldest", "newest"]);
    let time = |at: Option<Timestamp>| at.map_or(Value::Null, |at| instant(at).into());
    for segment in segments {
        rows.push(vec![
            segment.first.0.into(),
            segment.next.0.into(),
            segment.records.into(),
            segment.bytes.0.into(),
            segment.payload_bytes.0.into(),
            time(segment.oldest),
            time(segment.newest),
        ]);
    }
    rows
}

/// A body that came again stands as where it came first.
fn record(Entry { position, record }: &Entry) -> Vec<Value> {
    let first = match record.kind {
        RecordKind::Redelivered => Redelivery::from_payload(&record.payload).map(|again| again.first.0),
        _ => None,
    };
    vec![
        position.0.into(),
        record.kind.name().into(),
        record.source.as_ref().into(),
        record.encoding.name().into(),
        record.payload.len().into(),
        instant(record.received_at).into(),
        first.into(),
    ]
}
