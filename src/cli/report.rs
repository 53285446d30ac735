//! `castmeter report`: what the tables say, at a terminal.

use chrono::NaiveDate;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use super::Failure;
use super::config::ConfigArgs;
use super::output::{Format, Rows, stdout};
use super::serve::runtime;
use crate::store::{Filter, Reader, Settings, StoreError, Value};
use crate::units::UtcDay;

/// Print what the tables say: reach, launches, listening, audience, exclusions
///
/// Reads the public views (docs/sql.md) of the configured database, or of the one given; it changes nothing and may run
/// beside the service. Days are UTC. Where rows belong to no day, --since and --until go by the day of publication.
#[derive(Debug, Args)]
pub struct Report {
    /// What to print
    #[arg(value_enum, default_value_t, value_name = "WHAT")]
    what: crate::store::Report,
    /// The database: sqlite:PATH or postgres://…; the configured one where nothing is given
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Only this show
    #[arg(long, value_name = "SLUG")]
    show: Option<String>,
    /// Only this episode
    #[arg(long, value_name = "SLUG")]
    episode: Option<String>,
    /// First day, as 2026-11-01
    #[arg(long, value_name = "DAY")]
    since: Option<NaiveDate>,
    /// Last day
    #[arg(long, value_name = "DAY")]
    until: Option<NaiveDate>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    config: ConfigArgs,
}

impl ValueEnum for crate::store::Report {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

impl Report {
    pub fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let filter = self.filter()?;
        let url = self.store.unwrap_or_else(|| config.database_url());
        let answer = runtime()?.block_on(async {
            let reader = Reader::open(&url, &Settings::default()).await.map_err(failure)?;
            reader.report(self.what, &filter).await.map_err(failure)
        })?;
        let mut rows = Rows::with_columns(answer.columns);
        for row in answer.rows {
            rows.push(row.into_iter().map(json).collect());
        }
        let mut out = stdout();
        rows.print(self.format, &mut out)?;
        Ok(std::io::Write::flush(&mut out)?)
    }

    /// What was chosen, if the report can be narrowed to it.
    fn filter(&self) -> Result<Filter, Failure> {
        let (what, name) = (self.what, self.what.name());
        let wrong = [
            (self.show.is_some() && !what.has_shows(), "--show"),
            (self.episode.is_some() && !what.has_episodes(), "--episode"),
            (self.since.is_some() && !what.has_days(), "--since"),
            (self.until.is_some() && !what.has_days(), "--until"),
        ];
        if let Some((_, flag)) = wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            return Err(Failure::Usage(format!(
                "{flag} does not apply to the report `{name}`; leave it out"
            )));
        }
        if what.is_of_few_episodes() && self.show.is_none() && self.episode.is_none() {
            return Err(Failure::Usage(format!("the report `{name}` needs --show or --episode")));
        }
        let day = |date: NaiveDate| UtcDay(date.to_epoch_days());
        Ok(Filter {
            show: self.show.clone(),
            episode: self.episode.clone(),
            since: self.since.map(day),
            until: self.until.map(day),
        })
    }
}

/// A wrong URL is the caller's to correct.
fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::Url(_) => Failure::Usage(error.to_string()),
        other => Failure::failed(other),
    }
}

fn json(value: Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => number.into(),
        Value::Real(number) => number.into(),
        Value::Text(text) => text.into(),
    }
}
