//! `castmeter count`: log files to a table, offline. Nothing is stored.

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::Failure;
use super::config::ConfigArgs;
use super::inputs::Inputs;
use super::output::{Format, Rows, stdout};
use super::tally::{Counting, Tally};
use crate::attribution::{Engine, Granularity, Policy, Receipt, Registry, Secret};
use crate::catalog::Problem;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::parser::LineParser;
use crate::rollup::{EpisodeDay, Period};
use crate::service::rules::Rules;
use crate::service::{Chapters, open_offline, secret};
use crate::units::{SourceId, UtcDay, UtcHour};

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
    /// Threads to count on; the table is the same whatever their number
    #[arg(long, value_name = "N", default_value = "1")]
    threads: NonZeroUsize,
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
    let (engine, parser, _) = offline_with_secret(config, granularity)?;
    Ok((engine, parser))
}

fn offline_with_secret(
    config: &Config,
    granularity: Granularity,
) -> Result<(Engine, LineParser, Secret), Failure> {
    let rules = read_rules(config)?;
    let policy = Policy { granularity, ..rules.offline_policy()? };
    // Nothing is kept, so nothing has to be recognised later.
    let secret = secret::random().map_err(Failure::failed)?;
    Ok((rules.offline_engine(policy, secret)?, rules.parsers()?.other, secret))
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
        let (engine, parser, secret) = offline_with_secret(config, granularity)?;
        // What a line without a usable start belongs to; offline, nothing else depends on receipt.
        let receipt =
            Receipt { source: SourceId::default(), at: SystemClock::new().now(), redelivered: false };
        let counting = Counting { parser, receipt };
        let (registry, tally): (_, Tally<P>) = match self.threads.get() {
            1 => counting.on_one(engine, &self.inputs)?,
            threads => counting.on_many(engine, secret, threads, &self.inputs)?,
        };
        let mut out = stdout();
        rows(&tally, &registry, columns).print(self.format, &mut out)?;
        if self.fates {
            if self.format != Format::Ndjson {
                std::io::Write::write_all(&mut out, b"\n")?;
            }
            fate_rows(&tally).print(self.format, &mut out)?;
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
trait Columns: Period + Send {
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

/// By period, show and episode; a row exists where any column is not zero.
fn rows<P: Columns>(tally: &Tally<P>, registry: &Registry, columns: &'static [&'static str]) -> Rows {
    let mut sorted: Vec<_> = tally
        .sums
        .iter()
        .filter(|(_, sums)| !sums.is_zero())
        .map(|((id, period), sums)| {
            let episode = registry.episode(*id);
            ((*period, episode.show.as_str(), episode.slug.as_str()), episode.size, sums)
        })
        .collect();
    sorted.sort_by_key(|(key, _, _)| *key);
    let mut rows = Rows::new(columns);
    for ((period, show, episode), size, sums) in sorted {
        let mut row = period.values();
        row.extend([show.into(), episode.into()]);
        row.extend(numbers(size, sums));
        rows.push(row);
    }
    rows
}

fn numbers(size: Option<u64>, sums: &EpisodeDay) -> [Value; 7] {
    // A share of a file is a fraction by nature.
    #[allow(clippy::cast_precision_loss)]
    let file_equivalents = size.map(|size| sums.body_bytes as f64 / size as f64);
    [
        sums.downloads.into(),
        sums.listeners.into(),
        sums.requests.into(),
        sums.delivered().into(),
        sums.body_bytes.into(),
        file_equivalents.into(),
        sums.addresses.into(),
    ]
}

fn fate_rows<P>(tally: &Tally<P>) -> Rows {
    let mut rows = Rows::new(&["fate", "reason", "requests", "body_bytes"]);
    for (fate, count) in tally.fates() {
        let reason = fate.reason().map_or(Value::Null, Value::from);
        rows.push(vec![fate.name().into(), reason, count.requests.into(), count.body_bytes.into()]);
    }
    rows
}
