//! One commit in Postgres: columns travel as arrays, thousands of rows a statement.

use std::ops::Range;

use chrono::NaiveDate;
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgQueryResult};
use sqlx::query::Query;

use crate::rollup::Sketch;
use crate::store::StoreError;
use crate::store::backend::{Claim, InstanceId, Transaction, from_stored, to_column};
use crate::store::episodes::{EpisodeKey, Fresh};
use crate::store::reach::{SpanRow, StoredSketch, Subject};
use crate::store::rows::{Chapters, RowId};
use crate::store::sheet::{Column, Sheet};
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
                .bind(column_of(shows, |show| show.0))
                .bind(column_of(shows, |show| show.1));
            self.execute("writing shows", query).await?;
        }
        Ok(())
    }
}

fn column_of<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// A part of a column, as an array.
fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    column: &'q Column<'_>,
    rows: Range<usize>,
) -> Query<'q, Postgres, PgArguments> {
    match column {
        Column::Integers(values) => query.bind(&values[rows]),
        Column::MaybeIntegers(values) => query.bind(&values[rows]),
        Column::Texts(texts) => query.bind(column_of(&texts[rows], |text| text.as_ref())),
        Column::MaybeTexts(values) => query.bind(&values[rows]),
        Column::Countries(values) => query.bind(column_of(&values[rows], |country| country.as_str())),
        Column::Days(days) => query.bind(column_of(&days[rows], |day| day.to_date())),
        Column::Hours(hours) => query.bind(column_of(&hours[rows], |hour| hour.start().to_utc())),
        Column::Bytes(values) => query.bind(&values[rows]),
    }
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

    async fn write_episodes(&mut self, fresh: &Fresh<'_>) -> Result<Vec<EpisodeKey>, StoreError> {
        self.write_shows(fresh).await?;
        let mut keys = Vec::with_capacity(fresh.rows.len());
        for rows in fresh.rows.chunks(CHUNK) {
            let query = sqlx::query(include_str!("../sql/postgres/episodes.sql"))
                .bind(column_of(rows, |row| row.show.as_ref()))
                .bind(column_of(rows, |row| row.slug.as_ref()))
                .bind(column_of(rows, |row| row.path.as_ref()))
                .bind(column_of(rows, |row| row.title.as_deref()))
                .bind(column_of(rows, |row| row.published_at.map(Timestamp::to_utc)))
                .bind(column_of(rows, |row| row.bytes))
                .bind(column_of(rows, |row| row.duration_seconds));
            self.execute("writing episodes", query).await?;
            let found: Vec<(i64, i64)> = sqlx::query_as(include_str!("../sql/postgres/episode_ids.sql"))
                .bind(column_of(rows, |row| row.show.as_ref()))
                .bind(column_of(rows, |row| row.slug.as_ref()))
                .fetch_all(&mut *self.0)
                .await
                .map_err(StoreError::doing("reading the keys of episodes"))?;
            let key = |(episode, show)| EpisodeKey { episode: RowId(episode), show: RowId(show) };
            keys.extend(found.into_iter().map(key));
        }
        Ok(keys)
    }

    async fn write_chapters(&mut self, chapters: &Chapters<'_>) -> Result<(), StoreError> {
        for rows in chapters.rows.chunks(CHUNK) {
            let query = sqlx::query(include_str!("../sql/postgres/chapters.sql"))
                .bind(column_of(rows, |row| row.episode.0))
                .bind(column_of(rows, |row| row.number))
                .bind(column_of(rows, |row| row.start_seconds))
                .bind(column_of(rows, |row| row.title.as_ref()));
            self.execute("writing chapters", query).await?;
        }
        for counts in chapters.counts.chunks(CHUNK) {
            let query = sqlx::query(include_str!("../sql/postgres/chapters_beyond.sql"))
                .bind(column_of(counts, |count| count.0.0))
                .bind(column_of(counts, |count| count.1));
            self.execute("removing chapters", query).await?;
        }
        Ok(())
    }

    async fn add(&mut self, claim: Claim, sheet: &Sheet<'_>) -> Result<(), StoreError> {
        let rows = sheet.rows();
        for start in (0..rows).step_by(CHUNK) {
            let chunk = start..rows.min(start + CHUNK);
            let mut query = sqlx::query(sheet.statement.postgres);
            if sheet.by_instance {
                query = query.bind(claim.instance.0);
            }
            let query = sheet.columns.iter().fold(query, |query, column| bind(query, column, chunk.clone()));
            self.execute(sheet.doing, query).await?;
        }
        Ok(())
    }

    async fn keep_sketches_alone(&mut self) -> Result<(), StoreError> {
        let query = sqlx::query(include_str!("../sql/postgres/lock_sketches.sql"));
        self.execute("waiting to write reach_sketch", query).await.map(drop)
    }

    async fn read_sketches(&mut self, rows: &[SpanRow]) -> Result<Vec<StoredSketch>, StoreError> {
        let found: Vec<(i64, i64, Vec<u8>, Option<i64>)> =
            sqlx::query_as(include_str!("../sql/postgres/read_sketches.sql"))
                .bind(column_of(rows, |row| row.subject.scope))
                .bind(column_of(rows, |row| row.subject.id))
                .bind(column_of(rows, |row| row.span.name()))
                .bind(column_of(rows, |row| row.starts.to_date()))
                .fetch_all(&mut *self.0)
                .await
                .map_err(StoreError::doing("reading reach_sketch"))?;
        let sketch = |(place, instance, bytes, key): (i64, i64, Vec<u8>, _)| {
            let place = usize::try_from(place - 1).expect("places count from 1");
            Some(StoredSketch { place, instance: InstanceId(instance), sketch: from_stored(&bytes, key)? })
        };
        Ok(found.into_iter().filter_map(sketch).collect())
    }

    async fn read_days(
        &mut self,
        subject: Subject,
        from: UtcDay,
        to: UtcDay,
    ) -> Result<Vec<(UtcDay, Sketch)>, StoreError> {
        let found: Vec<(NaiveDate, Vec<u8>, Option<i64>)> =
            sqlx::query_as(include_str!("../sql/shared/read_days.sql"))
                .bind(subject.scope)
                .bind(subject.id)
                .bind(from.to_date())
                .bind(to.to_date())
                .fetch_all(&mut *self.0)
                .await
                .map_err(StoreError::doing("reading the sketches of days"))?;
        let day =
            |(day, bytes, key): (NaiveDate, Vec<u8>, _)| Some((UtcDay::of(day), from_stored(&bytes, key)?));
        Ok(found.into_iter().filter_map(day).collect())
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await.map_err(StoreError::doing("committing"))
    }
}
