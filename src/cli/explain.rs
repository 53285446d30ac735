//! `castmeter explain`: one row per line, saying why it did or did not count.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::config::ConfigArgs;
use super::count::offline;
use super::inputs::Inputs;
use super::output::{Format, stdout};
use crate::attribution::{Engine, Fate, Granularity, Outcome, Receipt};
use crate::clock::{Clock, SystemClock};
use crate::units::SourceId;

/// Say of each line what became of it, and why
///
/// One row per line: its number, its fate with the reason or defect, the episode, what it delivered, and the state in
/// which it left its session (counted, repeat or partial), in the order of the file.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    inputs: Inputs,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    config: ConfigArgs,
}

/// One line, explained.
struct Row {
    line: u64,
    fate: Fate,
    episode: Option<String>,
    delivered: Option<String>,
    session: Option<&'static str>,
    session_bytes: Option<u64>,
}

impl Explain {
    pub fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let (mut engine, parser) = offline(&config, Granularity::Day)?;
        let receipt =
            Receipt { source: SourceId::default(), at: SystemClock::new().now(), redelivered: false };
        let mut out = stdout();
        let mut printer = Printer { format: self.format, out: &mut out };
        printer.head()?;
        let mut number = 0;
        self.inputs.for_each_line(|line| {
            number += 1;
            let outcome = engine.observe(&line.and_then(|line| parser.parse(line)), receipt);
            printer.row(&Row::new(number, &outcome, &engine))
        })?;
        Ok(out.flush()?)
    }
}

impl Row {
    fn new(line: u64, outcome: &Outcome, engine: &Engine) -> Self {
        let name = |id| {
            let episode = engine.registry().episode(id);
            format!("{}/{}", episode.show, episode.slug)
        };
        let session = outcome.session.as_ref();
        Self {
            line,
            fate: outcome.fate,
            episode: outcome.episode.map(name),
            delivered: session.map(|counted| counted.delivery.to_string()),
            session: session.map(|counted| counted.joined.state().name()),
            session_bytes: session.map(|counted| counted.joined.contribution.delivered.0),
        }
    }
}

/// Rows as they come: a log may be longer than memory.
struct Printer<'a, W> {
    format: Format,
    out: &'a mut W,
}

impl<W: Write> Printer<'_, W> {
    fn head(&mut self) -> io::Result<()> {
        match self.format {
            Format::Table => {
                let [line, fate, session, bytes, delivered, episode] =
                    ["line", "fate", "session", "session bytes", "delivered", "episode"];
                self.columns([line, fate, session, bytes, delivered, episode])
            }
            Format::Csv => writeln!(self.out, "line,fate,reason,episode,delivered,session,session_bytes"),
            Format::Ndjson => Ok(()),
        }
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let bytes = row.session_bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
        let session = row.session.unwrap_or_default();
        match self.format {
            Format::Table => {
                let (line, fate) = (row.line.to_string(), row.fate.to_string());
                self.columns([&line, &fate, session, &bytes, &text(&row.delivered), &text(&row.episode)])
            }
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(&mut self.out);
                let reason = row.fate.reason().unwrap_or_default();
                writer.write_record([
                    &row.line.to_string(),
                    row.fate.name(),
                    reason,
                    &text(&row.episode),
                    &text(&row.delivered),
                    session,
                    &bytes,
                ])?;
                writer.flush()
            }
            Format::Ndjson => {
                let reason = row.fate.reason().map_or(Value::Null, Value::from);
                let object = json!({
                    "line": row.line, "fate": row.fate.name(), "reason": reason, "episode": row.episode,
                    "delivered": row.delivered, "session": row.session, "session_bytes": row.session_bytes,
                });
                serde_json::to_writer(&mut *self.out, &object)?;
                self.out.write_all(b"\n")
            }
        }
    }

    fn columns(&mut self, [line, fate, session, bytes, delivered, episode]: [&str; 6]) -> io::Result<()> {
        let row = format!("{line:>8}  {fate:<24} {session:<8} {bytes:>13}  {delivered:<26} {episode}");
        writeln!(self.out, "{}", row.trim_end())
    }
}
