//! Postgres 13 or newer, through a bounded pool whose connections wait for nothing for ever.
//!
//! `sslmode` and the other parameters of the URL are honoured as sqlx documents them. Connections must be
//! sessions: a pooler in between has to pool sessions, not transactions or statements.

mod migrate;
mod transaction;

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use chrono::{Datelike, NaiveDate};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use super::annotation::Annotation;
use super::backend::{Claim, Database, Epoch, InstanceId, Months, from_column};
use super::summary::{EpisodeDownloads, FateTotal, Totals};
use super::{Commit, Settings, StoreError, names, reach};
use crate::units::{JournalPosition, UtcDay};
use transaction::PostgresTransaction;

/// A connection is replaced after this time, so that one to a server that lost its role does not stay.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Debug)]
pub(super) struct Postgres {
    pool: PgPool,
    limits: Limits,
}

impl Postgres {
    pub(super) fn open(database_url: &str, settings: &Settings) -> Result<Self, StoreError> {
        let mut options =
            PgConnectOptions::from_str(database_url).map_err(|error| StoreError::Url(error.to_string()))?;
        if options.get_application_name().is_none() {
            options = options.application_name("castmeter");
        }
        let limits = Limits {
            connect: settings.connect_timeout,
            statement: settings.statement_timeout,
            lock: settings.lock_timeout,
            transaction: settings.commit_timeout,
        };
        let pool = limits.pool().max_connections(settings.max_connections).connect_lazy_with(options);
        Ok(Self { pool, limits })
    }

    async fn add_month(&self, month: NaiveDate) -> Result<(), StoreError> {
        sqlx::query(include_str!("../sql/postgres/add_month.sql"))
            .bind(month)
            .execute(&self.pool)
            .await
            .map_err(StoreError::doing("making the partitions of a month"))?;
        Ok(())
    }
}

/// How long connections wait; zero is for ever, but for `connect`.
#[derive(Clone, Copy, Debug)]
struct Limits {
    connect: Duration,
    statement: Duration,
    lock: Duration,
    /// For the next statement of an open transaction.
    transaction: Duration,
}

impl Limits {
    fn pool(self) -> PgPoolOptions {
        PgPoolOptions::new()
            .acquire_timeout(self.connect)
            .max_lifetime(MAX_CONNECTION_AGE)
            .after_connect(move |connection, _| Box::pin(self.apply(connection)))
    }

    async fn apply(self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let mut query = sqlx::query(include_str!("../sql/postgres/session.sql"));
        for limit in [self.statement, self.lock, self.transaction] {
            query = query.bind(format!("{}ms", limit.as_millis()));
        }
        query.execute(connection).await?;
        Ok(())
    }
}

/// First days of the months that the commit has rows in.
fn months(commit: &Commit<'_>) -> Months {
    let delta = commit.delta;
    let hours = delta.episode_hours.keys().map(|(_, hour)| hour.day());
    let lines = delta.exclusions.keys().map(|key| key.day).chain(delta.traffic.keys().map(|key| key.day));
    // The slices' days are those of downloads, which are among these.
    let days =
        delta.episode_days.keys().map(|(_, day)| *day).chain(hours).chain(lines).chain(reach::days(commit));
    let days: BTreeSet<UtcDay> = days.collect();
    days.into_iter().map(|day| day.to_date().with_day(1).expect("each month has a first day")).collect()
}

impl Database for Postgres {
    type Transaction = PostgresTransaction;

    async fn migrate(&self) -> Result<(), StoreError> {
        migrate::run(PgConnectOptions::clone(&self.pool.connect_options()), self.limits).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let query = sqlx::query("SELECT 1").execute(&self.pool);
        query.await.map_err(StoreError::doing("asking whether Postgres answers"))?;
        Ok(())
    }

    async fn claim(&self, journal_id: &str, name: &str) -> Result<(Claim, JournalPosition), StoreError> {
        let (instance, epoch, position) = sqlx::query_as(include_str!("../sql/postgres/claim.sql"))
            .bind(journal_id)
            .bind(name)
            .fetch_one(&self.pool)
            .await
            .map_err(StoreError::doing("claiming the journal"))?;
        Ok((Claim { instance: InstanceId(instance), epoch: Epoch(epoch) }, from_column(position)))
    }

    async fn writer(&self, instance: InstanceId) -> Result<Option<(Epoch, JournalPosition)>, StoreError> {
        let row: Option<(i64, i64)> = sqlx::query_as(include_str!("../sql/shared/writer.sql"))
            .bind(instance.0)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::doing("reading the journal position"))?;
        Ok(row.map(|(epoch, position)| (Epoch(epoch), from_column(position))))
    }

    /// A month is made together with the next one: so each is there before its first row, but for old ones.
    async fn make_room(&self, commit: &Commit<'_>, made: &mut Months) -> Result<(), StoreError> {
        for month in months(commit).difference(&made.clone()) {
            self.add_month(*month).await?;
            self.add_month(*month + chrono::Months::new(1)).await?;
            made.insert(*month);
        }
        Ok(())
    }

    async fn begin(&self) -> Result<PostgresTransaction, StoreError> {
        let transaction = self.pool.begin().await.map_err(StoreError::doing("beginning a commit"))?;
        Ok(PostgresTransaction(transaction))
    }

    async fn totals(&self, since: Option<UtcDay>) -> Result<Totals, StoreError> {
        sqlx::query_as(include_str!("../sql/shared/totals.sql"))
            .bind(since.map(UtcDay::to_date))
            .fetch_one(&self.pool)
            .await
            .map_err(StoreError::doing("reading totals"))
    }

    async fn top_episodes(
        &self,
        since: Option<UtcDay>,
        limit: u32,
    ) -> Result<Vec<EpisodeDownloads>, StoreError> {
        sqlx::query_as(include_str!("../sql/shared/top_episodes.sql"))
            .bind(since.map(UtcDay::to_date))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::doing("reading the top episodes"))
    }

    async fn fates(&self, since: Option<UtcDay>) -> Result<Vec<FateTotal>, StoreError> {
        sqlx::query_as(include_str!("../sql/shared/fates.sql"))
            .bind(since.map(UtcDay::to_date))
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::doing("reading fates"))
    }

    async fn annotate(&self, annotation: &Annotation) -> Result<(), StoreError> {
        sqlx::query(include_str!("../sql/shared/annotate.sql"))
            .bind(annotation.at.to_utc())
            .bind(names::text(&annotation.text))
            .bind(annotation.tags())
            .execute(&self.pool)
            .await
            .map_err(StoreError::doing("adding an annotation"))?;
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
