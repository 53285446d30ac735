//! `castmeter journal cat`: the lines as they were received, for `castmeter count -` or a second look.

use std::io::Write;

use clap::Args;

use super::{Place, describe, unreadable};
use crate::cli::Failure;
use crate::cli::output::stdout;
use crate::journal::{Entry, Found, Record, RecordKind, inspect};
use crate::parser;
use crate::receiver::decode;
use crate::units::{ByteCount, JournalPosition, Timestamp};

/// Print the lines received, inflated, one a line, in the journal's order
///
/// A body that came again is printed once. Lines hold addresses.
#[derive(Debug, Args)]
pub struct Cat {
    #[command(flatten)]
    place: Place,
    /// First record
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    from: u64,
    /// The record to end before [default: the last is printed too]
    #[arg(long, value_name = "POSITION")]
    to: Option<u64>,
    /// Received at this instant or later, such as 2026-11-01T05:00:00Z
    #[arg(long, value_name = "INSTANT")]
    since: Option<chrono::DateTime<chrono::Utc>>,
    /// Received before this instant
    #[arg(long, value_name = "INSTANT")]
    until: Option<chrono::DateTime<chrono::Utc>>,
    /// Of this source alone
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

impl Cat {
    pub fn run(self) -> Result<(), Failure> {
        let mut out = stdout();
        let mut unread = 0_u64;
        let to = JournalPosition(self.to.unwrap_or(u64::MAX));
        for found in self.place.look(|folder| inspect::records(folder, JournalPosition(self.from)))? {
            match found.map_err(Failure::failed)? {
                Found::Entry(Entry { position, .. }) if position >= to => break,
                Found::Entry(entry) if self.wants(&entry.record) => print(&entry, &mut out)?,
                Found::Entry(_) => {}
                Found::Damage(damage) => {
                    unread += 1;
                    eprintln!("castmeter: {}", describe(&damage));
                }
            }
        }
        out.flush()?;
        match unread {
            0 => Ok(()),
            places => Err(unreadable(places)),
        }
    }

    fn wants(&self, record: &Record) -> bool {
        let instant = |at: chrono::DateTime<chrono::Utc>| Timestamp::from_micros(at.timestamp_micros());
        let since = self.since.and_then(instant);
        let until = self.until.and_then(instant);
        self.source.as_deref().is_none_or(|source| *source == *record.source)
            && since.is_none_or(|since| record.received_at >= since)
            && until.is_none_or(|until| record.received_at < until)
    }
}

fn print(Entry { position, record }: &Entry, out: &mut impl Write) -> Result<(), Failure> {
    match record.kind {
        RecordKind::Batch | RecordKind::Stream | RecordKind::CutStream => {}
        RecordKind::Redelivered | RecordKind::Rules => return Ok(()),
    }
    // It passed its limits when it was received.
    let limits = decode::Limits { inflated: ByteCount(u64::MAX), ratio: u32::MAX };
    let inflated = decode::decode(record.encoding, &record.payload, limits)
        .map_err(|error| Failure::Failed(format!("record {}: {error}", position.0)))?;
    for line in parser::lines(&inflated, usize::MAX).flatten() {
        out.write_all(line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
