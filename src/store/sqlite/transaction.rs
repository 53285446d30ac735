//! One commit in SQLite: prepared upserts of many rows.

use std::hash::Hash;
use std::sync::{Arc, LazyLock};

use chrono::NaiveDate;
use hashbrown::HashMap;
use serde_json::json;
use sqlx::error::BoxDynError;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteQueryResult};
use sqlx::{Arguments, AssertSqlSafe, Sqlite};

use super::ManyRows;
use crate::rollup::Sketch;
use crate::store::StoreError;
use crate::store::backend::{Claim, InstanceId, Transaction, from_stored, to_column};
use crate::store::episodes::{EpisodeKey, EpisodeRow, Fresh};
use crate::store::reach::{SpanRow, StoredSketch, Subject};
use crate::store::rows::{Chapters, RowId};
use crate::store::sheet::{Column, Sheet};
use crate::units::{Country, JournalPosition, UtcDay, UtcHour};

static EPISODES: LazyLock<ManyRows> =
    LazyLock::new(|| ManyRows::new(include_str!("../sql/sqlite/episode.sql")));

pub(in crate::store) struct SqliteTransaction(pub(super) sqlx::Transaction<'static, Sqlite>);

impl SqliteTransaction {
    async fn execute(
        &mut self,
        doing: &'static str,
        query: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<SqliteQueryResult, StoreError> {
        query.execute(&mut *self.0).await.map_err(StoreError::doing(doing))
    }

    /// Writes a show, and gives its key.
    async fn write_show(&mut self, slug: &str, title: Option<&str>) -> Result<RowId, StoreError> {
        let query = sqlx::query(include_str!("../sql/sqlite/show.sql")).bind(slug).bind(title);
        self.execute("writing a show", query).await?;
        let (id,) = sqlx::query_as(include_str!("../sql/sqlite/show_id.sql"))
            .bind(slug)
            .fetch_one(&mut *self.0)
            .await
            .map_err(StoreError::doing("reading the key of a show"))?;
        Ok(RowId(id))
    }

    /// The keys of episodes, in the order of their keys of shows and slugs. All of them are there, or it is an error.
    async fn episode_ids(&mut self, wanted: &[(i64, &str)]) -> Result<Vec<RowId>, StoreError> {
        let found: Vec<(i64,)> = sqlx::query_as(include_str!("../sql/sqlite/episode_ids.sql"))
            .bind(json!(wanted).to_string())
            .fetch_all(&mut *self.0)
            .await
            .map_err(StoreError::doing("reading the keys of episodes"))?;
        // With one missing, all behind it would be taken for their neighbours.
        if found.len() != wanted.len() {
            return Err(StoreError::doing("reading the keys of episodes")(sqlx::Error::RowNotFound));
        }
        Ok(found.into_iter().map(|(id,)| RowId(id)).collect())
    }
}

/// Texts as the driver takes them, one of each: days, countries and the like come again in most rows.
#[derive(Default)]
struct Interned {
    /// By where they lie, which takes less than to compare them: the texts of rows are borrowed from few places, and all
    /// live as long as the sheet they are in. One that lies elsewhere too is there twice, which costs nothing but its bytes.
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

fn add_episode(
    arguments: &mut SqliteArguments,
    show: RowId,
    row: &EpisodeRow<'_>,
) -> Result<(), BoxDynError> {
    arguments.add(show.0)?;
    arguments.add(row.slug.as_ref())?;
    arguments.add(row.path.as_ref())?;
    arguments.add(row.title.as_deref())?;
    arguments.add(row.published_at.map(|time| time.to_string()))?;
    arguments.add(row.bytes)?;
    arguments.add(row.duration_seconds)
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
        let mut shows = HashMap::new();
        for (slug, title) in fresh.shows() {
            shows.insert(slug, self.write_show(slug, title).await?);
        }
        let show = |row: &EpisodeRow<'_>| shows[row.show.as_ref()];
        for (rows, statement) in EPISODES.parts(fresh.rows.len()) {
            let mut arguments = SqliteArguments::default();
            for row in &fresh.rows[rows] {
                add_episode(&mut arguments, show(row), row).map_err(cannot_encode)?;
            }
            let query = sqlx::query_with(AssertSqlSafe(statement), arguments);
            self.execute("writing episodes", query).await?;
        }
        let wanted: Vec<_> = fresh.rows.iter().map(|row| (show(row).0, row.slug.as_ref())).collect();
        let ids = self.episode_ids(&wanted).await?;
        let keys: Vec<_> = ids
            .into_iter()
            .zip(&fresh.rows)
            .map(|(episode, row)| EpisodeKey { episode, show: show(row) })
            .collect();
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
        let key = |row: &SpanRow| {
            json!([row.subject.scope, row.subject.id, row.span.name(), row.starts.to_string()])
        };
        let wanted: serde_json::Value = rows.iter().map(key).collect();
        let found: Vec<(i64, i64, Vec<u8>, Option<i64>)> =
            sqlx::query_as(include_str!("../sql/sqlite/read_sketches.sql"))
                .bind(wanted.to_string())
                .fetch_all(&mut *self.0)
                .await
                .map_err(StoreError::doing("reading reach_sketch"))?;
        let sketch = |(place, instance, bytes, key): (i64, _, Vec<u8>, _)| {
            let sketch = from_stored(&bytes, key)?;
            let place = usize::try_from(place).expect("counted from 0");
            Some(StoredSketch { place, instance: InstanceId(instance), sketch })
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
