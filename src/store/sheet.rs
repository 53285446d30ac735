//! Rows of one table on their way to a database, column by column.
//!
//! Postgres takes a column as one array, SQLite the values of some hundred rows. So each table has a statement for
//! either, and neither database knows the tables.

use std::borrow::Cow;

use super::sqlite::ManyRows;

use crate::units::{Country, UtcDay, UtcHour};

/// The rows of one table, sorted by its key, each key once.
pub(super) struct Sheet<'a> {
    /// What is being done, for errors.
    pub(super) doing: &'static str,
    pub(super) statement: Statement,
    /// The rows are those of an instance, which is the statement's first parameter.
    pub(super) by_instance: bool,
    /// All of the same length, in the order of the statement's parameters after the instance.
    pub(super) columns: Vec<Column<'a>>,
}

/// The same in either database: the parameters are the instance, if any, then columns (Postgres), or for each row the
/// instance and the values (SQLite).
#[derive(Clone, Copy)]
pub(super) struct Statement {
    pub(super) sqlite: &'static ManyRows,
    pub(super) postgres: &'static str,
}

pub(super) enum Column<'a> {
    Integers(Vec<i64>),
    /// A null is not known.
    MaybeIntegers(Vec<Option<i64>>),
    Texts(Vec<Cow<'a, str>>),
    MaybeTexts(Vec<Option<&'a str>>),
    Countries(Vec<Country>),
    Days(Vec<UtcDay>),
    Hours(Vec<UtcHour>),
    Bytes(Vec<&'a [u8]>),
}

impl Column<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::MaybeIntegers(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::MaybeTexts(values) => values.len(),
            Self::Countries(values) => values.len(),
            Self::Days(values) => values.len(),
            Self::Hours(values) => values.len(),
            Self::Bytes(values) => values.len(),
        }
    }
}

impl Sheet<'_> {
    pub(super) fn rows(&self) -> usize {
        let rows = self.columns.first().map_or(0, Column::len);
        debug_assert!(self.columns.iter().all(|column| column.len() == rows), "{}", self.doing);
        rows
    }
}

/// The statements of a table, from their files.
macro_rules! statement {
    ($sqlite:literal, $postgres:literal) => {{
        static SQLITE: std::sync::LazyLock<crate::store::sqlite::ManyRows> = std::sync::LazyLock::new(|| {
            crate::store::sqlite::ManyRows::new(include_str!(concat!("sql/sqlite/", $sqlite, ".sql")))
        });
        Statement { sqlite: &SQLITE, postgres: include_str!(concat!("sql/postgres/", $postgres, ".sql")) }
    }};
}
pub(super) use statement;
