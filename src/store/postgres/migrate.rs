//! The schema in Postgres, brought up to date under sqlx's advisory lock, and the role for readers.
//!
//! On a connection of its own: a migration may take longer than a statement may, and whatever happens the
//! lock goes with the connection.

use std::time::Duration;

use sqlx::migrate::{Migrate, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use super::set_limits;
use crate::store::{StoreError, schema};

const READER: &str = include_str!("../sql/postgres/reader.sql");

/// SQLSTATE insufficient_privilege.
const NOT_PERMITTED: &str = "42501";

pub(super) async fn run(options: &PgConnectOptions, lock_timeout: Duration) -> Result<(), StoreError> {
    let mut connection = options.connect().await.map_err(StoreError::doing("connecting"))?;
    let answer = migrate(&mut connection, lock_timeout).await;
    // Without a lock to give back nothing can be lost by a failure to say goodbye.
    drop(connection.close().await);
    answer
}

async fn migrate(connection: &mut PgConnection, lock_timeout: Duration) -> Result<(), StoreError> {
    set_limits(connection, [Duration::ZERO, lock_timeout, Duration::ZERO])
        .await
        .map_err(StoreError::doing("preparing the connection"))?;
    connection.lock().await?;
    // What is newer is judged below, by what it says of itself.
    let mut migrator: Migrator = sqlx::migrate!("migrations/postgres");
    migrator.set_ignore_missing(true).set_locking(false);
    migrator.run(&mut *connection).await?;
    let known = schema::newest_known(&migrator);
    let unknown: Vec<(i64, Option<i64>)> =
        sqlx::query_as(include_str!("../sql/shared/unknown_migrations.sql"))
            .bind(known)
            .fetch_all(&mut *connection)
            .await
            .map_err(StoreError::doing("reading the schema's version"))?;
    schema::check(known, &unknown)?;
    make_reader(connection).await
}

/// Dashboards read as a role that can do nothing else. Not every operator may make roles.
async fn make_reader(connection: &mut PgConnection) -> Result<(), StoreError> {
    match sqlx::raw_sql(READER).execute(connection).await {
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
