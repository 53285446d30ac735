//! Postgres and the network to it failing at the worst moments: all is counted once in the end.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use castmeter::store::{Settings, Store, StoreError};
use castmeter::units::{EpisodeId, JournalPosition};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use super::fixture::*;
use crate::postgres::Server;
use crate::proxy::{Fault, Proxy};
use crate::tables::tables;

#[tokio::test]
async fn a_lost_answer_to_a_commit_is_found_out() {
    for fault in [Fault::BeforeCommit, Fault::AfterCommit] {
        let database = Database::postgres().await;
        let proxy = Proxy::start(Server::shared().socket_folder());
        let store = Store::open(&proxy.url(&database.url), Settings::default()).unwrap();
        store.migrate().await.unwrap();
        let mut writer = store.claim(JOURNAL, "test").await.unwrap();
        let mut episodes = vec![episode("a", "1")];
        let (one, two) = (delta_of(EpisodeId(0), DAY, 1), delta_of(EpisodeId(1), DAY, 2));
        commit_next(&mut writer, &one, &episodes).await.unwrap();

        episodes.push(episode("b", "new in the commit that fails"));
        proxy.set(fault);
        let error = commit_next(&mut writer, &two, &episodes).await.unwrap_err();
        assert!(!proxy.is_armed() && error.is_transient(), "{fault:?}: {error}");
        assert_eq!(writer.position(), JournalPosition(1));
        let happened = if fault == Fault::AfterCommit { 2 } else { 1 };
        let seen = [one.clone(), two.clone()];
        assert_eq!(
            tables(&database.url).await,
            expected(&seen[..happened], &episodes[..happened], &source_names()),
            "{fault:?}"
        );

        commit_next(&mut writer, &two, &episodes).await.unwrap();
        assert_eq!(writer.position(), JournalPosition(2));
        assert_eq!(tables(&database.url).await, expected(&seen, &episodes, &source_names()), "{fault:?}");
        commit_next(&mut writer, &two, &episodes).await.unwrap();
        assert_eq!(
            tables(&database.url).await,
            expected(&[one, two.clone(), two], &episodes, &source_names())
        );
    }
}

#[tokio::test]
async fn a_silent_network_is_given_up() {
    let database = Database::postgres().await;
    let proxy = Proxy::start(Server::shared().socket_folder());
    let limit = Duration::from_millis(300);
    let settings = Settings { commit_timeout: limit, ..Settings::default() };
    let store = Store::open(&proxy.url(&database.url), settings).unwrap();
    store.migrate().await.unwrap();
    let mut writer = store.claim(JOURNAL, "test").await.unwrap();
    let (episodes, delta) = ([episode("a", "1")], delta_of(EpisodeId(0), DAY, 1));
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    proxy.set(Fault::Silence);
    let error = commit_next(&mut writer, &delta, &episodes).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { after } if after == limit), "{error}");
    assert!(error.is_transient());
    proxy.set(Fault::None);
    let sources = source_names();
    let commit = commit(JournalPosition(2), &delta, &episodes, &sources);
    writer.commit_until_done(&commit, &CancellationToken::new(), |_, _| ()).await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[delta.clone(), delta], &episodes, &sources));
}

#[tokio::test]
async fn a_server_that_stops_is_waited_for() {
    let server = Server::start();
    let url = server.database().await;
    let store = Store::open(&url, Settings::default()).unwrap();
    store.migrate().await.unwrap();
    let mut writer = store.claim(JOURNAL, "test").await.unwrap();
    let (episodes, delta) = ([episode("a", "1")], delta_of(EpisodeId(0), DAY, 1));
    for stop in [Server::stop, Server::kill] {
        commit_next(&mut writer, &delta, &episodes).await.unwrap();
        stop(&server);
        assert!(store.ping().await.unwrap_err().is_transient());
        let (failed, failing) = tokio::sync::oneshot::channel();
        let (task_delta, task_episodes) = (delta.clone(), episodes.clone());
        // On a task of its own, as the service does it.
        let committing = tokio::spawn(async move {
            let (mut failed, sources) = (Some(failed), source_names());
            let position = writer.position().next();
            let commit = commit(position, &task_delta, &task_episodes, &sources);
            let on_failure = |_: &StoreError, _| {
                failed.take().into_iter().for_each(|failed| failed.send(()).unwrap());
            };
            writer.commit_until_done(&commit, &CancellationToken::new(), on_failure).await.unwrap();
            writer
        });
        failing.await.expect("the first attempt fails");
        server.start_again();
        writer = committing.await.unwrap();
    }
    assert_eq!(tables(&url).await, expected(&vec![delta; 4], &episodes, &source_names()));
}

#[tokio::test]
async fn waiting_for_a_server_can_be_cancelled() {
    let server = Server::start();
    let url = server.database().await;
    let store = Store::open(&url, Settings::default()).unwrap();
    store.migrate().await.unwrap();
    let mut writer = store.claim(JOURNAL, "test").await.unwrap();
    server.stop();
    let cancelled = CancellationToken::new();
    let delta = delta_of(EpisodeId(0), DAY, 1);
    let (episodes, sources) = ([episode("a", "1")], source_names());
    let commit = commit(JournalPosition(1), &delta, &episodes, &sources);
    let answer = writer.commit_until_done(&commit, &cancelled, |_, _| cancelled.cancel()).await;
    assert!(matches!(answer, Err(StoreError::Stopped)));
}

/// The server ends the store's sessions over and over while it commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_ended_in_the_middle_of_commits() {
    let database = Database::postgres().await;
    let mut writer = database.writer().await;
    let episodes: Vec<_> = (0..200).map(|n| episode("a", &n.to_string())).collect();
    let mut numbers = Numbers(11);
    let deltas: Vec<_> = (0..30).map(|_| numbers.delta(episodes.len())).collect();

    let done = CancellationToken::new();
    let (url, ended) = (database.url.clone(), done.clone());
    let killing = tokio::spawn(async move {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let mut pauses = Numbers(3);
        while !ended.is_cancelled() {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                        WHERE application_name = 'castmeter' AND datname = current_database()";
            sqlx::query(kill).execute(&mut connection).await.unwrap();
            let pause = 10 + pauses.below(60);
            tokio::time::sleep(Duration::from_millis(pause.unsigned_abs())).await;
        }
    });
    let (failures, sources) = (AtomicU32::new(0), source_names());
    for delta in &deltas {
        let position = writer.position().next();
        let commit = commit(position, delta, &episodes, &sources);
        // Its own pauses are longer than the killer's; short ones hit more.
        while let Err(error) = writer.commit(&commit).await {
            assert!(error.is_transient(), "{error}");
            failures.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    done.cancel();
    killing.await.unwrap();
    assert!(failures.into_inner() > 0, "no commit was hit");
    assert_eq!(tables(&database.url).await, expected(&deltas, &episodes, &sources));
}

/// A writer that vanished in the middle of a commit holds the instance's row until Postgres ends its transaction.
#[tokio::test]
async fn a_vanished_writer_s_locks_are_waited_for_not_for_ever() {
    let database = Database::postgres().await;
    let settings = Settings { lock_timeout: Duration::from_millis(100), ..Settings::default() };
    let store = Store::open(&database.url, settings).unwrap();
    store.migrate().await.unwrap();
    let mut writer = store.claim(JOURNAL, "test").await.unwrap();
    let mut zombie = PgConnection::connect(&database.url).await.unwrap();
    let mut transaction = zombie.begin().await.unwrap();
    sqlx::query("UPDATE instance SET position = 99").execute(&mut *transaction).await.unwrap();

    let (episodes, delta) = ([episode("a", "1")], delta_of(EpisodeId(0), DAY, 1));
    let error = commit_next(&mut writer, &delta, &episodes).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let error = store.claim(JOURNAL, "test").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    transaction.rollback().await.unwrap();
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[delta], &episodes, &source_names()));
}
