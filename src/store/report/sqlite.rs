//! Reports from SQLite, over a connection that cannot write. The service's lock does not concern it.

use std::str::FromStr;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Column, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef};

use super::{Answer, Parameter, Question, Value};
use crate::store::{Settings, StoreError};

#[derive(Debug)]
pub(super) struct Reader(SqlitePool);

impl Reader {
    pub(super) async fn open(database_url: &str, settings: &Settings) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str(database_url)
            .map_err(|error| StoreError::Url(error.to_string()))?
            .create_if_missing(false)
            .read_only(true)
            .busy_timeout(settings.lock_timeout);
        let path = options.get_filename().to_owned();
        std::fs::metadata(&path).map_err(|source| StoreError::File { path, source })?;
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(settings.connect_timeout);
        Ok(Self(pool.connect_with(options).await.map_err(StoreError::doing("opening SQLite"))?))
    }

    pub(super) async fn newest_migration(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar(include_str!("../sql/report/newest_migration.sql"))
            .fetch_one(&self.0)
            .await
            .map_err(StoreError::doing("reading the schema's version"))
    }

    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, StoreError> {
        self.answer(question).await.map_err(StoreError::doing("reading a report"))
    }

    async fn answer(&self, question: &Question) -> sqlx::Result<Answer> {
        // Made of the report's file and conditions; values are bound.
        let sql = AssertSqlSafe(question.sql.as_str()).into_sql_str();
        let statement = (&self.0).prepare(sql).await?;
        let columns = statement.columns().iter().map(|column| column.name().to_owned()).collect();
        let mut query = statement.query();
        for parameter in &question.parameters {
            query = match parameter {
                Parameter::Text(text) => query.bind(text),
                Parameter::Day(day) | Parameter::Midnight(day) => query.bind(day.to_string()),
            };
        }
        let rows = query.fetch_all(&self.0).await?;
        Ok(Answer { columns, rows: rows.iter().map(values).collect::<sqlx::Result<_>>()? })
    }
}

fn values(row: &SqliteRow) -> sqlx::Result<Vec<Value>> {
    (0..row.len()).map(|at| value(row, at)).collect()
}

/// By the value's own type: a column of an expression has none.
fn value(row: &SqliteRow, at: usize) -> sqlx::Result<Value> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match raw.type_info().name() {
        "INTEGER" => Value::Integer(row.try_get(at)?),
        "REAL" => Value::Real(row.try_get(at)?),
        _ => Value::Text(row.try_get(at)?),
    })
}
