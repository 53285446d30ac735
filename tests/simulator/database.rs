//! The store of a simulated world: commits that fail as planned, and its tables as anyone may read them.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use castmeter::store::{Faults, Moment, StoreError};
use castmeter::units::JournalPosition;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::dump::{counted, dump};

/// What the next attempts to commit come to.
#[derive(Debug, Default)]
pub struct CommitFaults {
    /// None: it succeeds.
    plan: Mutex<VecDeque<Option<Moment>>>,
    failed: AtomicBool,
}

impl CommitFaults {
    pub fn plan(&self, faults: impl IntoIterator<Item = Option<Moment>>) {
        self.plan.lock().expect("no panic while held").extend(faults);
    }

    pub fn heal(&self) {
        self.plan.lock().expect("no panic while held").clear();
    }

    /// Whether an attempt has failed since this was asked.
    pub fn take_failure(&self) -> bool {
        self.failed.swap(false, Ordering::SeqCst)
    }
}

impl Faults for CommitFaults {
    fn at(&self, moment: Moment) -> Result<(), StoreError> {
        let mut plan = self.plan.lock().expect("no panic while held");
        let Some(planned) = plan.front().copied() else { return Ok(()) };
        if planned == Some(moment) {
            plan.pop_front();
            self.failed.store(true, Ordering::SeqCst);
            return Err(StoreError::Timeout { after: Duration::ZERO });
        }
        if moment == Moment::AfterCommit {
            plan.pop_front();
        }
        Ok(())
    }
}

/// Rows as text, sorted: table, key, numbers. Columns the reference does not know are not read.
const TABLES: &str = "
    SELECT 'hour|' || slug || '|' || hour || '|' || downloads
    FROM episode_hour_total AS t JOIN episode ON episode.id = t.episode_id WHERE downloads <> 0
    UNION ALL
    SELECT 'day|' || slug || '|' || day || '|' || downloads || '|' || listeners || '|' || requests || '|'
        || delivered_bytes || '|' || body_bytes || '|' || addresses
    FROM episode_day_total AS t JOIN episode ON episode.id = t.episode_id
    WHERE downloads <> 0 OR listeners <> 0 OR requests <> 0 OR delivered_bytes <> 0 OR body_bytes <> 0
        OR addresses <> 0
    UNION ALL
    SELECT 'fate|' || day || '|' || source || '|' || fate || '|' || coalesce(reason, '-') || '|' || requests
        || '|' || body_bytes
    FROM fate_day_total WHERE requests <> 0 OR body_bytes <> 0
    ORDER BY 1";

/// A reader's connection to the database file.
pub struct Tables(SqliteConnection);

impl Tables {
    pub async fn open(path: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        Self(options.connect().await.expect("SQLite opens what the store has made"))
    }

    /// How far the store has come, and the lines it has taken in.
    pub async fn position_and_lines(&mut self) -> (JournalPosition, u64) {
        let sql = "SELECT position, (SELECT coalesce(sum(requests), 0) FROM fate_day) FROM instance";
        let found: Option<(i64, i64)> = sqlx::query_as(sql).fetch_optional(&mut self.0).await.expect("rows");
        let (position, lines) = found.unwrap_or((0, 0));
        (JournalPosition(position as u64), lines as u64)
    }

    pub async fn rows(&mut self) -> Vec<String> {
        sqlx::query_scalar(TABLES).fetch_all(&mut self.0).await.expect("rows")
    }

    pub async fn dump(&mut self) -> Vec<String> {
        dump(&mut self.0).await
    }

    /// The names of the tables that a dump holds.
    pub async fn counted(&mut self) -> Vec<String> {
        counted(&mut self.0).await
    }

    pub async fn close(self) {
        self.0.close().await.expect("SQLite closes");
    }
}

/// A copy of the database file, which nobody has open.
pub fn copy(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("the store has made it")
}

/// Puts a copy back, as one restores a backup.
pub fn restore(path: &Path, copy: &[u8]) {
    for beside in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(beside);
        // Closed in order, the database has none of them.
        let _ = std::fs::remove_file(PathBuf::from(name));
    }
    std::fs::write(path, copy).expect("there is room");
}
