//! One commit in SQLite: prepared upserts, one row each.

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteQueryResult};

use crate::store::StoreError;
use crate::store::backend::{Claim, Transaction, to_column};
use crate::store::episodes::{EpisodeRow, Fresh};
use crate::store::rows::{Chapters, DayRow, FateRow, HourRow, RowId};
use crate::units::JournalPosition;

pub(in crate::store) struct SqliteTransaction(pub(super) sqlx::Transaction<'static, Sqlite>);

impl SqliteTransaction {
    async fn execute(
        &mut self,
        doing: &'static str,
        query: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<SqliteQueryResult, StoreError> {
        query.execute(&mut *self.0).await.map_err(StoreError::doing(doing))
    }

    async fn write_episode(&mut self, row: &EpisodeRow<'_>) -> Result<RowId, StoreError> {
        let query = sqlx::query(include_str!("../sql/sqlite/episode.sql"))
            .bind(row.show.as_ref())
            .bind(row.slug.as_ref())
            .bind(row.path.as_ref())
            .bind(row.title.as_deref())
            .bind(row.published_at.map(|time| time.to_string()))
            .bind(row.bytes)
            .bind(row.duration_seconds);
        self.execute("writing an episode", query).await?;
        let key = sqlx::query_scalar(include_str!("../sql/sqlite/episode_id.sql"))
            .bind(row.show.as_ref())
            .bind(row.slug.as_ref())
            .fetch_one(&mut *self.0)
            .await
            .map_err(StoreError::doing("reading the key of an episode"))?;
        Ok(RowId(key))
    }
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

    async fn write_episodes(&mut self, fresh: &Fresh<'_>) -> Result<Vec<RowId>, StoreError> {
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

    async fn add_hours(&mut self, claim: Claim, rows: &[HourRow]) -> Result<(), StoreError> {
        for row in rows {
            let query = sqlx::query(include_str!("../sql/sqlite/episode_hour.sql"))
                .bind(claim.instance.0)
                .bind(row.episode.0)
                .bind(row.hour.to_string())
                .bind(row.downloads);
            self.execute("adding to episode_hour", query).await?;
        }
        Ok(())
    }

    async fn add_days(&mut self, claim: Claim, rows: &[DayRow]) -> Result<(), StoreError> {
        for row in rows {
            let query = sqlx::query(include_str!("../sql/sqlite/episode_day.sql"))
                .bind(claim.instance.0)
                .bind(row.episode.0)
                .bind(row.day.to_string())
                .bind(row.change.downloads)
                .bind(row.change.listeners)
                .bind(row.change.requests)
                .bind(row.change.delivered_bytes)
                .bind(row.change.body_bytes)
                .bind(row.change.addresses);
            self.execute("adding to episode_day", query).await?;
        }
        Ok(())
    }

    async fn add_fates(&mut self, claim: Claim, rows: &[FateRow<'_>]) -> Result<(), StoreError> {
        for row in rows {
            let query = sqlx::query(include_str!("../sql/sqlite/fate_day.sql"))
                .bind(claim.instance.0)
                .bind(row.day.to_string())
                .bind(row.source.as_ref())
                .bind(row.fate.name())
                .bind(row.fate.reason())
                .bind(row.change.requests)
                .bind(row.change.body_bytes);
            self.execute("adding to fate_day", query).await?;
        }
        Ok(())
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await.map_err(StoreError::doing("committing"))
    }
}
