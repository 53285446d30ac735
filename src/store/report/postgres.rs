//! Reports from Postgres, over a connection that cannot write.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Column, Executor, Row, SqlSafeStr, Statement, TypeInfo};

use super::{Answer, Parameter, Question, Value};
use crate::store::{Settings, StoreError};

#[derive(Debug)]
pub(super) struct Reader(PgPool);

impl Reader {
    pub(super) async fn open(database_url: &str, settings: &Settings) -> Result<Self, StoreError> {
        let timeout = format!("{}ms", settings.statement_timeout.as_millis());
        let options = PgConnectOptions::from_str(database_url)
            .map_err(|error| StoreError::Url(error.to_string()))?
            // Compiling a statement over some dozen partitions takes longer than running it.
            .options([
                ("default_transaction_read_only", "on"),
                ("jit", "off"),
                ("statement_timeout", &timeout),
            ]);
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(settings.connect_timeout);
        Ok(Self(pool.connect_with(options).await.map_err(StoreError::doing("connecting to Postgres"))?))
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
                Parameter::Day(day) => query.bind(day.to_date()),
                Parameter::Midnight(day) => query.bind(day.start().to_utc()),
            };
        }
        let rows = query.fetch_all(&self.0).await?;
        Ok(Answer { columns, rows: rows.iter().map(values).collect::<sqlx::Result<_>>()? })
    }
}

fn values(row: &PgRow) -> sqlx::Result<Vec<Value>> {
    (0..row.len()).map(|at| value(row, at)).collect()
}

/// In the types that the views have, as SQLite has them.
fn value(row: &PgRow, at: usize) -> sqlx::Result<Value> {
    Ok(match row.column(at).type_info().name() {
        "INT8" => row.try_get::<Option<i64>, _>(at)?.map_or(Value::Null, Value::Integer),
        "INT4" => row.try_get::<Option<i32>, _>(at)?.map_or(Value::Null, |n| Value::Integer(n.into())),
        "FLOAT8" => row.try_get::<Option<f64>, _>(at)?.map_or(Value::Null, Value::Real),
        "DATE" => {
            row.try_get::<Option<NaiveDate>, _>(at)?.map_or(Value::Null, |day| Value::Text(day.to_string()))
        }
        "TIMESTAMPTZ" => row
            .try_get::<Option<DateTime<Utc>>, _>(at)?
            .map_or(Value::Null, |time| Value::Text(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))),
        _ => row.try_get::<Option<String>, _>(at)?.map_or(Value::Null, Value::Text),
    })
}
