//! Reports: rows of the public views, for a terminal.
//!
//! What each report asks is a `.sql` file in `sql/report`, the same for both databases; `{filters}` in it is replaced by
//! the conditions of what was chosen. A reader only reads: it takes no lock, changes nothing and may run beside the
//! service. It needs the schema of this release, which the service makes.

mod kinds;
mod postgres;
mod sqlite;

pub use kinds::Report;

use super::{Kind, Settings, StoreError};
use crate::units::UtcDay;

/// The migration that made the views.
const NEEDED_MIGRATION: i64 = 5;

/// What is asked for; everything where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Slug of a show.
    pub show: Option<String>,
    /// Slug of an episode.
    pub episode: Option<String>,
    /// First day.
    pub since: Option<UtcDay>,
    /// Last day.
    pub until: Option<UtcDay>,
}

/// A column's value in a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    /// Days as `2026-11-05`, instants in UTC as `2026-11-05T05:00:00Z`.
    Text(String),
}

/// What a report found.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub columns: Vec<String>,
    /// A value for each column.
    pub rows: Vec<Vec<Value>>,
}

/// A database, opened for reading alone.
#[derive(Debug)]
pub struct Reader(Backend);

#[derive(Debug)]
enum Backend {
    Sqlite(sqlite::Reader),
    Postgres(postgres::Reader),
}

impl Reader {
    /// Connects, and makes sure that the views are there.
    pub async fn open(database_url: &str, settings: &Settings) -> Result<Self, StoreError> {
        let reader = match Kind::of(database_url)? {
            Kind::Sqlite => Self(Backend::Sqlite(sqlite::Reader::open(database_url, settings).await?)),
            Kind::Postgres => Self(Backend::Postgres(postgres::Reader::open(database_url, settings).await?)),
        };
        let found = match &reader.0 {
            Backend::Sqlite(reader) => reader.newest_migration().await?,
            Backend::Postgres(reader) => reader.newest_migration().await?,
        };
        if found < NEEDED_MIGRATION {
            return Err(StoreError::SchemaTooOld { found, needed: NEEDED_MIGRATION });
        }
        Ok(reader)
    }

    pub async fn report(&self, report: Report, filter: &Filter) -> Result<Answer, StoreError> {
        let question = Question::new(report, filter);
        match &self.0 {
            Backend::Sqlite(reader) => reader.ask(&question).await,
            Backend::Postgres(reader) => reader.ask(&question).await,
        }
    }
}

/// A statement with what is bound to its parameters, in their order.
#[derive(Debug, PartialEq)]
struct Question {
    sql: String,
    parameters: Vec<Parameter>,
}

#[derive(Debug, PartialEq)]
enum Parameter {
    Text(String),
    /// Compared with a column of days.
    Day(UtcDay),
    /// The beginning of a day, compared with a column of instants.
    Midnight(UtcDay),
}

impl Question {
    fn new(report: Report, filter: &Filter) -> Self {
        let time = report.time();
        let mut conditions = vec!["true".to_owned()];
        let mut parameters = Vec::new();
        let mut add = |condition: &str, parameter| {
            parameters.push(parameter);
            conditions.push(format!("{condition} ${}", parameters.len()));
        };
        if let Some(show) = &filter.show {
            add("show =", Parameter::Text(show.clone()));
        }
        if let Some(episode) = &filter.episode {
            add("episode =", Parameter::Text(episode.clone()));
        }
        if let Some(column) = time {
            if let Some(since) = filter.since {
                add(&format!("{} >=", column.name()), column.parameter(since));
            }
            if let Some(until) = filter.until {
                // The day after: an instant of the last day is after its midnight.
                add(&format!("{} <", column.name()), column.parameter(UtcDay(until.0.saturating_add(1))));
            }
        }
        Self { sql: report.statement().replace("{filters}", &conditions.join(" AND ")), parameters }
    }
}

impl kinds::TimeColumn {
    fn parameter(self, day: UtcDay) -> Parameter {
        match self {
            Self::Day => Parameter::Day(day),
            Self::PublishedAt => Parameter::Midnight(day),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_becomes_conditions() {
        let everything = Question::new(Report::Audience, &Filter::default());
        assert!(
            everything.sql.contains("WHERE true\n") && everything.parameters.is_empty(),
            "{everything:?}"
        );
        let day = UtcDay(20_758);
        let filter = Filter {
            show: Some("it's".to_owned()),
            episode: None,
            since: Some(day),
            until: Some(UtcDay(day.0 + 6)),
        };
        let some = Question::new(Report::Audience, &filter);
        assert!(some.sql.contains("WHERE true AND show = $1 AND day >= $2 AND day < $3\n"), "{}", some.sql);
        let text = Parameter::Text("it's".to_owned());
        assert_eq!(some.parameters, [text, Parameter::Day(day), Parameter::Day(UtcDay(day.0 + 7))]);
        let released = Question::new(Report::Episodes, &Filter { since: Some(day), ..Filter::default() });
        assert!(released.sql.contains("AND published_at >= $1"), "{}", released.sql);
        assert_eq!(released.parameters, [Parameter::Midnight(day)]);
    }

    #[test]
    fn every_statement_takes_filters() {
        for report in Report::ALL {
            assert!(report.statement().contains("{filters}"), "{report:?}");
            assert!(!Question::new(report, &Filter::default()).sql.contains('{'), "{report:?}");
        }
    }
}
