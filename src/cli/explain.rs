//! `castmeter explain`: one row per line, saying why it did or did not count.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::config::ConfigArgs;
use super::count::offline;
use super::inputs::Inputs;
use super::output::{Format, stdout};
use crate::attribution::{Engine, Fate, Granularity, Outcome, Reason, Receipt, SessionState};
use crate::clock::{Clock, SystemClock};
use crate::event::{Request, Text, Unescaped};
use crate::units::SourceId;

/// Say of each line what became of it, and why
///
/// One row per line: its number, its fate with the reason or defect, the episode, what it delivered, and the state in
/// which it left its session (counted, repeat or partial), in the order of the file; last, what in the line decided.
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
    why: Option<String>,
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
        self.inputs.for_all_lines(|mut lines| {
            lines.try_for_each(|line| {
                number += 1;
                let room = Unescaped::default();
                let parsed = line.and_then(|line| parser.parse(line, &room));
                let outcome = engine.observe(&parsed, receipt);
                let why = why(parsed.as_ref().ok(), &outcome, &engine);
                printer.row(&Row { why, ..Row::new(number, &outcome, &engine) })
            })
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
            why: None,
        }
    }
}

/// What in the line decided, for a person who asks why it was not counted. Nothing where that is plain.
fn why(request: Option<&Request<'_>>, outcome: &Outcome, engine: &Engine) -> Option<String> {
    let request = request?;
    let text = |field: Option<Text<'_>>| String::from_utf8_lossy(field.unwrap_or_default()).into_owned();
    let Fate::Ignored(reason) = outcome.fate else { return still_needed(outcome, engine) };
    match reason {
        Reason::Redelivered => Some(format!("id {} was seen before", text(request.id))),
        Reason::Feed | Reason::NotEpisode => Some(String::from_utf8_lossy(request.url).into_owned()),
        Reason::Method => Some(text(request.method)),
        Reason::Status => Some(request.status.to_string()),
        Reason::Probe => Some(format!("{} bytes of body", request.body_bytes)),
        Reason::Watch | Reason::Bot => Some(match request.user_agent {
            None => "no user agent".to_owned(),
            Some(agent) => {
                let row = engine.agents().describe(agent);
                format!("{} ({}): {}", row.app, row.class, row.user_agent)
            }
        }),
        Reason::Datacenter | Reason::Vpn => {
            let proxy = format!("{} {}", text(request.proxy_type), text(request.proxy_description));
            Some(if proxy.trim().is_empty() {
                "on a list of networks".to_owned()
            } else {
                proxy.trim().to_owned()
            })
        }
        Reason::PreRelease => {
            let published = engine.registry().episode(outcome.episode?).published_at?;
            Some(format!("{} is before {published}", request.start))
        }
        Reason::InnerSegment | Reason::Shield | Reason::Empty | Reason::Blocked | Reason::Late => None,
    }
}

/// Of a session that is no download yet.
fn still_needed(outcome: &Outcome, engine: &Engine) -> Option<String> {
    let counted = outcome.session.filter(|counted| counted.joined.state() == SessionState::Partial)?;
    let needed = engine.needed_bytes(outcome.episode?);
    Some(format!("{} of {needed} bytes needed", counted.joined.contribution.delivered))
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
                self.columns(["line", "fate", "session", "session bytes", "delivered", "episode", "why"])
            }
            Format::Csv => writeln!(self.out, "line,fate,reason,episode,delivered,session,session_bytes,why"),
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
                let (delivered, episode, why) = (text(&row.delivered), text(&row.episode), text(&row.why));
                self.columns([&line, &fate, session, &bytes, &delivered, &episode, &why])
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
                    &text(&row.why),
                ])?;
                writer.flush()
            }
            Format::Ndjson => {
                let reason = row.fate.reason().map_or(Value::Null, Value::from);
                let object = json!({
                    "line": row.line, "fate": row.fate.name(), "reason": reason, "episode": row.episode,
                    "delivered": row.delivered, "session": row.session, "session_bytes": row.session_bytes,
                    "why": row.why,
                });
                serde_json::to_writer(&mut *self.out, &object)?;
                self.out.write_all(b"\n")
            }
        }
    }

    fn columns(&mut self, cells: [&str; 7]) -> io::Result<()> {
        let [line, fate, session, bytes, delivered, episode, why] = cells;
        let row =
            format!("{line:>8}  {fate:<24} {session:<8} {bytes:>13}  {delivered:<26} {episode:<32} {why}");
        writeln!(self.out, "{}", row.trim_end())
    }
}
