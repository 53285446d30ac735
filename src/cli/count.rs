//! `castmeter count`: log files to a table, offline. Nothing is stored.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::Failure;
use super::config::ConfigArgs;
use super::inputs::Inputs;
use super::output::{Format, Rows, stdout};
use crate::attribution::{Engine, Fate, Granularity, Policy, Receipt};
use crate::catalog::Problem;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::event::{Malformed, Request};
use crate::parser::LineParser;
use crate::rollup::{EpisodeDay, EpisodeSums, LineCount, Period, add_line};
use crate::service::rules::Rules;
use crate::service::{Chapters, open_offline, secret};
use crate::units::{EpisodeId, SourceId, UtcDay, UtcHour};

/// Count log files offline; nothing is stored
///
/// One row per day, show and episode: downloads, listeners, requests (valid lines), bytes (delivered, each byte once
/// a session), and the older way of counting beside them: body_bytes, file_equivalents, addresses.
#[derive(Debug, Args)]
pub struct Count {
    #[command(flatten)]
    inputs: Inputs,
    /// Rows by day, or by hour
    #[arg(long, value_enum, default_value_t)]
    by: By,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Add a row per fate: what was counted, and why the rest was not
    #[arg(long)]
    fates: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum By {
    #[default]
    Day,
    Hour,
}

/// The rules of a configuration, with its catalogue as it is now.
pub fn read_rules(config: &Config) -> Result<Rules, Failure> {
    let tell = |problem: &Problem| eprintln!("castmeter: {problem}");
    let catalog = open_offline(config, &SystemClock::new(), Chapters::Unread, tell)?;
    Ok(Rules::read(config, catalog.map(|catalog| catalog.episodes().to_vec()))?)
}

/// An engine and a parser that count files. What is wrong with the catalogue is said, and costs what it says.
pub fn offline(config: &Config, granularity: Granularity) -> Result<(Engine, LineParser), Failure> {
    let rules = read_rules(config)?;
    let policy = Policy { granularity, ..rules.offline_policy()? };
    // Nothing is kept, so nothing has to be recognised later.
    let secret = secret::random().map_err(Failure::failed)?;
    Ok((rules.offline_engine(policy, secret)?, rules.parsers()?.other))
}

/// All that was counted.
struct Tally<P> {
    engine: Engine,
    sums: EpisodeSums<P>,
    fates: BTreeMap<Fate, LineCount>,
}

impl Count {
    pub fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        match self.by {
            By::Day => self.count::<UtcDay>(&config, Granularity::Day, &DAY_COLUMNS),
            By::Hour => self.count::<UtcHour>(&config, Granularity::Hour, &HOUR_COLUMNS),
        }
    }

    fn count<P: Columns>(
        &self,
        config: &Config,
        granularity: Granularity,
        columns: &'static [&'static str],
    ) -> Result<(), Failure> {
        let (engine, parser) = offline(config, granularity)?;
        let mut tally = Tally { engine, sums: EpisodeSums::<P>::default(), fates: BTreeMap::new() };
        // What a line without a usable start belongs to; offline, nothing else depends on receipt.
        let receipt =
            Receipt { source: SourceId::default(), at: SystemClock::new().now(), redelivered: false };
        self.inputs.for_all_lines(|lines| {
            tally.add(lines.iter().map(|line| line.and_then(|line| parser.parse(line))), receipt);
            Ok(())
        })?;
        let mut out = stdout();
        tally.rows(columns).print(self.format, &mut out)?;
        if self.fates {
            if self.format != Format::Ndjson {
                std::io::Write::write_all(&mut out, b"\n")?;
            }
            tally.fate_rows().print(self.format, &mut out)?;
        }
        Ok(std::io::Write::flush(&mut out)?)
    }
}

const DAY_COLUMNS: [&str; 10] = [
    "day",
    "show",
    "episode",
    "downloads",
    "listeners",
    "requests",
    "bytes",
    "body_bytes",
    "file_equivalents",
    "addresses",
];

const HOUR_COLUMNS: [&str; 11] = [
    "day",
    "hour",
    "show",
    "episode",
    "downloads",
    "listeners",
    "requests",
    "bytes",
    "body_bytes",
    "file_equivalents",
    "addresses",
];

/// A period as the columns before the show.
trait Columns: Period {
    fn values(self) -> Vec<Value>;
}

impl Columns for UtcDay {
    fn values(self) -> Vec<Value> {
        vec![self.to_string().into()]
    }
}

impl Columns for UtcHour {
    fn values(self) -> Vec<Value> {
        vec![self.day().to_string().into(), self.to_string().into()]
    }
}

impl<P: Columns> Tally<P> {
    fn add<'l>(&mut self, lines: impl Iterator<Item = Result<Request<'l>, Malformed>>, receipt: Receipt) {
        let Self { engine, sums, fates } = self;
        engine.observe_all(lines.map(|line| ((), line)), receipt, |(), _, outcome, changes| {
            let body_bytes = i64::try_from(outcome.body_bytes.0).unwrap_or(i64::MAX);
            fates.entry(outcome.fate).or_default().add(&LineCount { requests: 1, body_bytes });
            add_line(sums, outcome, changes);
        });
    }

    /// By period, show and episode; a row exists where any column is not zero.
    fn rows(&self, columns: &'static [&'static str]) -> Rows {
        let episodes = self.engine.registry().episodes();
        let mut sorted: Vec<_> = self
            .sums
            .iter()
            .filter(|(_, sums)| !sums.is_zero())
            .map(|((id, period), sums)| {
                let episode = &episodes[id.0 as usize];
                ((*period, episode.show.as_str(), episode.slug.as_str()), *id, sums)
            })
            .collect();
        sorted.sort_by_key(|(key, _, _)| *key);
        let mut rows = Rows::new(columns);
        for ((period, show, episode), id, sums) in sorted {
            let mut row = period.values();
            row.extend([show.into(), episode.into()]);
            row.extend(self.numbers(id, sums));
            rows.push(row);
        }
        rows
    }

    fn numbers(&self, id: EpisodeId, sums: &EpisodeDay) -> [Value; 7] {
        let size = self.engine.registry().episode(id).size;
        // A share of a file is a fraction by nature.
        #[allow(clippy::cast_precision_loss)]
        let file_equivalents = size.map(|size| sums.body_bytes as f64 / size as f64);
        [
            sums.downloads.into(),
            sums.listeners.into(),
            sums.requests.into(),
            sums.delivered_bytes.into(),
            sums.body_bytes.into(),
            file_equivalents.into(),
            sums.addresses.into(),
        ]
    }

    fn fate_rows(&self) -> Rows {
        let mut rows = Rows::new(&["fate", "reason", "requests", "body_bytes"]);
        for (fate, count) in &self.fates {
            let reason = fate.reason().map_or(Value::Null, Value::from);
            rows.push(vec![fate.name().into(), reason, count.requests.into(), count.body_bytes.into()]);
        }
        rows
    }
}
