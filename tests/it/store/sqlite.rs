//! What only SQLite has: the file, its lock, and how it is synced.

use castmeter::store::{Settings, Store, StoreError};
use castmeter::units::EpisodeId;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use super::fixture::*;
use crate::tables::tables;

#[tokio::test]
async fn one_process_at_a_time() {
    let database = Database::sqlite().await;
    let store = database.store().await;
    let error = Store::open(&database.url, Settings::default()).unwrap_err();
    assert!(
        matches!(&error, StoreError::InUse { path } if path.ends_with("castmeter.sqlite.lock")),
        "{error}"
    );
    store.close().await;
    drop(store);
    database.store().await;
}

#[tokio::test]
async fn counts_are_kept_in_a_file() {
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:", "sqlite:x.sqlite?mode=memory"] {
        let error = Store::open(url, Settings::default()).unwrap_err();
        assert!(matches!(error, StoreError::Url(_)), "{url}: {error}");
    }
}

#[tokio::test]
async fn its_folder_is_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data/of mine/castmeter.sqlite");
    for url in [format!("sqlite:{}", path.display()), format!("sqlite://{}", path.display())] {
        let store = Store::open(&url, Settings::default()).unwrap();
        store.migrate().await.unwrap();
        assert!(path.is_file());
    }
    std::fs::write(folder.path().join("file"), "").unwrap();
    let url = format!("sqlite:{}/file/castmeter.sqlite", folder.path().display());
    let error = Store::open(&url, Settings::default()).unwrap_err();
    assert!(matches!(&error, StoreError::File { .. }) && !error.is_transient(), "{error}");
}

#[tokio::test]
async fn others_may_read_while_it_commits() {
    let database = Database::sqlite().await;
    let mut writer = database.writer().await;
    let (episodes, delta) = ([episode("a", "1")], delta_of(EpisodeId(0), DAY, 1));
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    let mut reader = SqliteConnection::connect(&database.url).await.unwrap();
    let mut reading = reader.begin().await.unwrap();
    let downloads = "SELECT downloads FROM episode_day";
    assert_eq!(sqlx::query_scalar::<_, i64>(downloads).fetch_one(&mut *reading).await.unwrap(), 1);
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(downloads).fetch_one(&mut *reading).await.unwrap(), 1);
    reading.rollback().await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[delta.clone(), delta], &episodes, &source_names()));
}

/// Another program that writes to the file keeps a commit waiting, not failing for good.
#[tokio::test]
async fn a_busy_file_is_waited_for() {
    let database = Database::sqlite().await;
    drop(database.store().await);
    let settings = Settings { lock_timeout: std::time::Duration::from_millis(50), ..Settings::default() };
    let store = Store::open(&database.url, settings).unwrap();
    let mut writer = store.claim(JOURNAL, "test").await.unwrap();
    let mut other = SqliteConnection::connect(&database.url).await.unwrap();
    let writing = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let (episodes, delta) = ([episode("a", "1")], delta_of(EpisodeId(0), DAY, 1));
    let error = commit_next(&mut writer, &delta, &episodes).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    writing.rollback().await.unwrap();
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[delta], &episodes, &source_names()));
}
