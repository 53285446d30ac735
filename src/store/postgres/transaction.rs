//! One commit in Postgres: columns travel as arrays, thousands of rows a statement.

use chrono::{DateTime, Utc};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgQueryResult};
use sqlx::query::Query;

use crate::store::StoreError;
use crate::store::backend::{Claim, Transaction, to_column};
use crate::store::episodes::Fresh;
use crate::store::rows::{Chapters, DayRow, FateRow, HourRow, RowId};
use crate::units::{JournalPosition, Timestamp, UtcDay};

/// Rows a statement: bounds the memory and the time that one takes.
const CHUNK: usize = 10_000;

pub(in crate::store) struct PostgresTransaction(pub(super) sqlx::Transaction<'static, Postgres>);

impl PostgresTransaction {
    async fn execute(
        &mut self,
        doing: &'static str,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<PgQueryResult, StoreError> {
        query.execute(&mut *self.0).await.map_err(StoreError::doing(doing))
    }

    async fn write_shows(&mut self, fresh: &Fresh<'_>) -> Result<(), StoreError> {
        let shows: Vec<_> = fresh.shows().into_iter().collect();
        for shows in shows.chunks(CHUNK) {
            let query = sqlx::query(include_str!("../sql/postgres/shows.sql"))
                .bind(column(shows, |show| show.0))
                .bind(column(shows, |show| show.1));
            self.execute("writing shows", query).await?;
        }
        Ok(())
    }
}

fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

impl Transaction for PostgresTransaction {
    async fn advance(
        &mut self,
        claim: Claim,
        from: JournalPosition,
        to: JournalPosition,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(include_str!("../sql/postgres/advance.sql"))
            .bind(claim.instance.0)
            .bind(claim.epoch.0)
            .bind(to_column(from))
            .bind(to_column(to));
        Ok(self.execute("moving the journal position", query).await?.rows_affected() == 1)
    }

    async fn write_episodes(&mut self, fresh: &Fresh<'_>) -> Result<Vec<RowId>, StoreError> {
        self.write_shows(fresh).await?;
        let mut keys = Vec::with_capacity(fresh.rows.len());
        for rows in fresh.rows.chunks(CHUNK) {
            let query = sqlx::query(include_str!("../sql/postgres/episodes.sql"))
                .bind(column(rows, |row| row.show.as_ref()))
                .bind(column(rows, |row| row.slug.as_ref()))
                .bind(column(rows, |row| row.path.as_ref()))
                .bind(column(rows, |row| row.title.as_deref()))
                .bind(column(rows, |row| row.published_at.map(Timestamp::to_utc)))
                .bind(column(rows, |row| row.bytes))
                .bind(column(rows, |row| row.duration_seconds));
            self.execute("writing episodes", query).await?;
            let found: Vec<i64> = sqlx::query_scalar(include_str!("../sql/postgres/episode_ids.sql"))
                .bind(column(rows, |row| row.show.as_ref()))
                .bind(column(rows, |row| row.slug.as_ref()))
                .fetch_all(&mut *self.0)
                .await
                .map_err(StoreError::doing("reading the keys of episodes"))?;
            keys.extend(found.into_iter().map(RowId));
        }
        Ok(keys)
    }

    async fn write_chapters(&mut self, chapters: &Chapters<'_>) -> Result<(), StoreError> {
        for rows in chapters.rows.chunks(CHUNK) {
            let query = sqlx::query(include_str!("../sql/postgres/chapters.sql"))
                .bind(column(rows, |row| row.episode.0))
                .bind(column(rows, |row| row.number))
                .bind(column(rows, |row| row.start_seconds))
                .bind(column(rows, |row| row.title.as_ref()));
            self.execute("writing chapters", query).await?;
        }
        for counts in chapters.counts.chunks(CHUNK) {
            let query = sqlx::query(include_str!("../sql/postgres/chapters_beyond.sql"))
                .bind(column(counts, |count| count.0.0))
                .bind(column(counts, |count| count.1));
            self.execute("removing chapters", query).await?;
        }
        Ok(())
    }

    async fn add_hours(&mut self, claim: Claim, rows: &[HourRow]) -> Result<(), StoreError> {
        for rows in rows.chunks(CHUNK) {
            let hours: Vec<DateTime<Utc>> = column(rows, |row| row.hour.start().to_utc());
            let query = sqlx::query(include_str!("../sql/postgres/episode_hours.sql"))
                .bind(claim.instance.0)
                .bind(column(rows, |row| row.episode.0))
                .bind(hours)
                .bind(column(rows, |row| row.downloads));
            self.execute("adding to episode_hour", query).await?;
        }
        Ok(())
    }

    async fn add_days(&mut self, claim: Claim, rows: &[DayRow]) -> Result<(), StoreError> {
        for rows in rows.chunks(CHUNK) {
            let query = sqlx::query(include_str!("../sql/postgres/episode_days.sql"))
                .bind(claim.instance.0)
                .bind(column(rows, |row| row.episode.0))
                .bind(column(rows, |row| row.day.to_date()))
                .bind(column(rows, |row| row.change.downloads))
                .bind(column(rows, |row| row.change.listeners))
                .bind(column(rows, |row| row.change.requests))
                .bind(column(rows, |row| row.change.delivered_bytes))
                .bind(column(rows, |row| row.change.body_bytes))
                .bind(column(rows, |row| row.change.addresses));
            self.execute("adding to episode_day", query).await?;
        }
        Ok(())
    }

    async fn add_fates(&mut self, claim: Claim, rows: &[FateRow<'_>]) -> Result<(), StoreError> {
        for rows in rows.chunks(CHUNK) {
            let query = sqlx::query(include_str!("../sql/postgres/fate_days.sql"))
                .bind(claim.instance.0)
                .bind(column(rows, |row| UtcDay::to_date(row.day)))
                .bind(column(rows, |row| row.source.as_ref()))
                .bind(column(rows, |row| row.fate.name()))
                .bind(column(rows, |row| row.fate.reason()))
                .bind(column(rows, |row| row.change.requests))
                .bind(column(rows, |row| row.change.body_bytes));
            self.execute("adding to fate_day", query).await?;
        }
        Ok(())
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await.map_err(StoreError::doing("committing"))
    }
}
