//! The schema in Postgres, brought up to date under sqlx's advisory lock, and the role for readers.
//!
//! On a connection of its own: a migration may take longer than a statement may, and whatever happens the
//! lock goes with the connection.

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool};

use super::Limits;
use crate::store::{StoreError, schema};

const READER: &str = include_str!("../sql/postgres/reader.sql");

/// SQLSTATE insufficient_privilege.
const NOT_PERMITTED: &str = "42501";

pub(super) async fn run(options: PgConnectOptions, limits: Limits) -> Result<(), StoreError> {
    let pool =
        Limits { statement: Duration::ZERO, transaction: Duration::ZERO, ..limits }.pool().max_connections(1);
    let pool = pool.connect_lazy_with(options);
    let answer = migrate(&pool).await;
    pool.close().await;
    answer
}

async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    // What is newer is judged below, by what it says of itself.
    let mut migrator: Migrator = sqlx::migrate!("migrations/postgres");
    migrator.set_ignore_missing(true).run(pool).await?;
    let known = schema::newest_known(&migrator);
    let unknown: Vec<(i64, Option<i64>)> =
        sqlx::query_as(include_str!("../sql/shared/unknown_migrations.sql"))
            .bind(known)
            .fetch_all(pool)
            .await
            .map_err(StoreError::doing("reading the schema's version"))?;
    schema::check(known, &unknown)?;
    make_reader(pool).await
}

/// Dashboards read as a role that can do nothing else. Not every operator may make roles.
async fn make_reader(pool: &PgPool) -> Result<(), StoreError> {
    match sqlx::raw_sql(READER).execute(pool).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NOT_PERMITTED) => {
            tracing::warn!(
                "the role castmeter_reader for dashboards could not be made ({error}); let someone who may make \
                 roles run, in this database:\n{READER}"
            );
            Ok(())
        }
        answer => answer.map(drop).map_err(StoreError::doing("making the role castmeter_reader")),
    }
}
