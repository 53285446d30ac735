//! SQLite: one file, one process.
//!
//! Write-ahead log, synced at each commit. A lock file beside the database (`FILE.lock`) keeps a second
//! castmeter out; other programs may read at any time. No partitions, no roles.

mod rows;
mod transaction;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, SqlSafeStr};

use super::annotation::Annotation;
use super::backend::{Claim, Database, Epoch, InstanceId, Months, from_column};
use super::summary::{EpisodeDownloads, FateTotal, Totals};
use super::{Commit, Settings, StoreError, names, schema};
use crate::units::{JournalPosition, UtcDay};
pub(super) use rows::ManyRows;
use transaction::SqliteTransaction;

/// What a connection may keep of the file: the pages that a large commit touches. Negative, so that it is KiB.
const CACHE_KIB: &str = "-32768";

#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    pool: SqlitePool,
    /// Held until the last clone is dropped.
    _lock: Arc<File>,
}

impl Sqlite {
    /// Makes the file's folder where it is missing.
    pub(super) fn open(database_url: &str, settings: &Settings) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str(database_url)
            .map_err(|error| StoreError::Url(error.to_string()))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // The keys of a commit's rows were read or written in its own transaction, and nothing removes such rows.
            // To look each up again took a fifth of the time.
            .foreign_keys(false)
            .pragma("cache_size", CACHE_KIB)
            .busy_timeout(settings.lock_timeout);
        let path = options.get_filename();
        let in_memory = [":memory:", "mode=memory"].iter().any(|name| database_url.contains(name));
        if in_memory || path.as_os_str().is_empty() {
            return Err(StoreError::Url("counts must be kept in a file".to_owned()));
        }
        let lock = Arc::new(lock(path)?);
        let pool = SqlitePoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.connect_timeout)
            // A full disk makes SQLite roll back by itself. The driver's own attempt then fails, and it would take the
            // connection for one within a transaction for ever.
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
            .connect_lazy_with(options);
        Ok(Self { pool, _lock: lock })
    }
}

fn lock(database: &Path) -> Result<File, StoreError> {
    let folder = database.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(|source| StoreError::File { path: folder.to_owned(), source })?;
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|source| StoreError::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
        Err(TryLockError::Error(source)) => Err(StoreError::File { path, source }),
    }
}

impl Database for Sqlite {
    type Transaction = SqliteTransaction;

    async fn migrate(&self) -> Result<(), StoreError> {
        // What is newer is judged below, by what it says of itself.
        let mut migrator: Migrator = sqlx::migrate!("migrations/sqlite");
        migrator.set_ignore_missing(true).run(&self.pool).await?;
        let known = schema::newest_known(&migrator);
        let unknown: Vec<(i64, Option<i64>)> =
            sqlx::query_as(include_str!("../sql/shared/unknown_migrations.sql"))
                .bind(known)
                .fetch_all(&self.pool)
                .await
                .map_err(StoreError::doing("reading the schema's version"))?;
        schema::check(known, &unknown)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let query = sqlx::query("SELECT 1").execute(&self.pool);
        query.await.map_err(StoreError::doing("asking whether SQLite answers"))?;
        Ok(())
    }

    async fn claim(&self, journal_id: &str, name: &str) -> Result<(Claim, JournalPosition), StoreError> {
        let (instance, epoch, position) = sqlx::query_as(include_str!("../sql/sqlite/claim.sql"))
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

    async fn make_room(&self, _commit: &Commit<'_>, _made: &mut Months) -> Result<(), StoreError> {
        Ok(())
    }

    /// Takes the write lock at once: a read that becomes a write later could fail without waiting.
    async fn begin(&self) -> Result<SqliteTransaction, StoreError> {
        let begin = self.pool.begin_with("BEGIN IMMEDIATE".into_sql_str());
        Ok(SqliteTransaction(begin.await.map_err(StoreError::doing("beginning a commit"))?))
    }

    async fn totals(&self, since: Option<UtcDay>) -> Result<Totals, StoreError> {
        sqlx::query_as(include_str!("../sql/shared/totals.sql"))
            .bind(since.map(|day| day.to_string()))
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
            .bind(since.map(|day| day.to_string()))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::doing("reading the top episodes"))
    }

    async fn fates(&self, since: Option<UtcDay>) -> Result<Vec<FateTotal>, StoreError> {
        sqlx::query_as(include_str!("../sql/shared/fates.sql"))
            .bind(since.map(|day| day.to_string()))
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::doing("reading fates"))
    }

    async fn annotate(&self, annotation: &Annotation) -> Result<(), StoreError> {
        sqlx::query(include_str!("../sql/shared/annotate.sql"))
            .bind(annotation.at.to_string())
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
