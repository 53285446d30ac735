//! One commit in SQLite: prepared upserts of many rows.

use std::hash::Hash;
use std::sync::Arc;

use chrono::NaiveDate;
use hashbrown::HashMap;
use sqlx::error::BoxDynError;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteQueryResult};
use sqlx::{Arguments, AssertSqlSafe, Sqlite};

use crate::rollup::Sketch;
use crate::store::StoreError;
use crate::store::backend::{Claim, InstanceId, Transaction, from_stored, to_column};
use crate::store::episodes::{EpisodeKey, EpisodeRow, Fresh};
use crate::store::reach::{SpanRow, StoredSketch, Subject};
use crate::store::rows::{Chapters, RowId};
use crate::store::sheet::{Column, Sheet};
use crate::units::{Country, JournalPosition, UtcDay, UtcHour};

pub(in crate::store) struct SqliteTransaction(pub(super) sqlx::Transaction<'static, Sqlite>);

impl SqliteTransaction {
    async fn execute(
        &mut self,
        doing: &'static str,
        query: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<SqliteQueryResult, StoreError> {
        query.execute(&mut *self.0).await.map_err(StoreError::doing(doing))
    }

    async fn write_episode(&mut self, row: &EpisodeRow<'_>) -> Result<EpisodeKey, StoreError> {
        let query = sqlx::query(include_str!("../sql/sqlite/episode.sql"))
            .bind(row.show.as_ref())
            .bind(row.slug.as_ref())
            .bind(row.path.as_ref())
            .bind(row.title.as_deref())
            .bind(row.published_at.map(|time| time.to_string()))
            .bind(row.bytes)
            .bind(row.duration_seconds);
        self.execute("writing an episode", query).await?;
        let (episode, show) = sqlx::query_as(include_str!("../sql/sqlite/episode_id.sql"))
            .bind(row.show.as_ref())
            .bind(row.slug.as_ref())
            .fetch_one(&mut *self.0)
            .await
            .map_err(StoreError::doing("reading the key of an episode"))?;
        Ok(EpisodeKey { episode: RowId(episode), show: RowId(show) })
    }
}

/// Texts as the driver takes them, one of each: days, countries and the like come again in most rows.
#[derive(Default)]
struct Interned {
    /// By where they lie, which takes less than to compare them: the texts of rows are borrowed from few places. One that
    /// lies elsewhere too is there twice, which costs nothing but its bytes.
    texts: HashMap<(usize, usize), Arc<str>>,
    countries: HashMap<Country, Arc<str>>,
    days: HashMap<UtcDay, Arc<str>>,
    hours: HashMap<UtcHour, Arc<str>>,
}

fn interned<K: Copy + Eq + Hash>(
    known: &mut HashMap<K, Arc<str>>,
    key: K,
    text: impl FnOnce() -> Arc<str>,
) -> Arc<str> {
    Arc::clone(known.entry(key).or_insert_with(text))
}

fn add_value(
    arguments: &mut SqliteArguments,
    column: &Column<'_>,
    at: usize,
    known: &mut Interned,
) -> Result<(), BoxDynError> {
    let mut text = |text: &str| {
        let place = (text.as_ptr().addr(), text.len());
        interned(&mut known.texts, place, || text.into())
    };
    match column {
        Column::Integers(values) => arguments.add(values[at]),
        Column::MaybeIntegers(values) => arguments.add(values[at]),
        Column::Texts(values) => arguments.add(text(&values[at])),
        Column::MaybeTexts(values) => arguments.add(values[at].map(text)),
        Column::Countries(values) => {
            let country = values[at];
            arguments.add(interned(&mut known.countries, country, || country.as_str().into()))
        }
        Column::Days(values) => {
            let day = values[at];
            arguments.add(interned(&mut known.days, day, || day.to_string().into()))
        }
        Column::Hours(values) => {
            let hour = values[at];
            arguments.add(interned(&mut known.hours, hour, || hour.to_string().into()))
        }
        Column::Bytes(values) => arguments.add(values[at]),
    }
}

fn cannot_encode(error: BoxDynError) -> StoreError {
    StoreError::doing("encoding a row")(sqlx::Error::Encode(error))
}

impl Transaction for SqliteTransaction {
    async fn advance(
        &mut self,
        claim: Claim,
        from: JournalPosition,
        to: JournalPosition,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(include_str!("../sql/sqlite/advance.sql"))
            .bind(claim.instance.0)
            .bind(claim.epoch.0)
            .bind(to_column(from))
            .bind(to_column(to));
        Ok(self.execute("moving the journal position", query).await?.rows_affected() == 1)
    }

    async fn write_episodes(&mut self, fresh: &Fresh<'_>) -> Result<Vec<EpisodeKey>, StoreError> {
        for (slug, title) in fresh.shows() {
            let query = sqlx::query(include_str!("../sql/sqlite/show.sql")).bind(slug).bind(title);
            self.execute("writing a show", query).await?;
        }
        let mut keys = Vec::with_capacity(fresh.rows.len());
        for row in &fresh.rows {
            keys.push(self.write_episode(row).await?);
        }
        Ok(keys)
    }

    async fn write_chapters(&mut self, chapters: &Chapters<'_>) -> Result<(), StoreError> {
        for row in &chapters.rows {
            let query = sqlx::query(include_str!("../sql/sqlite/chapter.sql"))
                .bind(row.episode.0)
                .bind(row.number)
                .bind(row.start_seconds)
                .bind(row.title.as_ref());
            self.execute("writing a chapter", query).await?;
        }
        for (episode, count) in &chapters.counts {
            let query =
                sqlx::query(include_str!("../sql/sqlite/chapters_beyond.sql")).bind(episode.0).bind(count);
            self.execute("removing chapters", query).await?;
        }
        Ok(())
    }

    async fn add(&mut self, claim: Claim, sheet: &Sheet<'_>) -> Result<(), StoreError> {
        let mut texts = Interned::default();
        for (rows, statement) in sheet.statement.sqlite.parts(sheet.rows()) {
            let mut arguments = SqliteArguments::default();
            arguments.reserve(rows.len() * (sheet.columns.len() + 1), 0);
            for at in rows {
                if sheet.by_instance {
                    arguments.add(claim.instance.0).map_err(cannot_encode)?;
                }
                for column in &sheet.columns {
                    add_value(&mut arguments, column, at, &mut texts).map_err(cannot_encode)?;
                }
            }
            let query = sqlx::query_with(AssertSqlSafe(statement), arguments);
            self.execute(sheet.doing, query).await?;
        }
        Ok(())
    }

    /// SQLite has one writer at a time.
    async fn keep_sketches_alone(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn read_sketches(&mut self, rows: &[SpanRow]) -> Result<Vec<StoredSketch>, StoreError> {
        let mut sketches = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let found: Vec<(i64, Vec<u8>, Option<i64>)> =
                sqlx::query_as(include_str!("../sql/sqlite/read_sketch.sql"))
                    .bind(row.subject.scope)
                    .bind(row.subject.id)
                    .bind(row.span.name())
                    .bind(row.starts.to_string())
                    .fetch_all(&mut *self.0)
                    .await
                    .map_err(StoreError::doing("reading reach_sketch"))?;
            sketches.extend(found.into_iter().filter_map(|(instance, bytes, key)| {
                let sketch = from_stored(&bytes, key)?;
                Some(StoredSketch { place, instance: InstanceId(instance), sketch })
            }));
        }
        Ok(sketches)
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
                .bind(from.to_string())
                .bind(to.to_string())
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
