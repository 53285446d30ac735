//! What holds in either database.

use castmeter::attribution::{Chapter, Fate};
use castmeter::rollup::{Delta, LineCount};
use castmeter::store::{EpisodeDownloads, FateTotal, StoreError, Totals};
use castmeter::units::{EpisodeId, JournalPosition, SourceId, UtcDay};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use super::fixture::*;
use crate::tables::{Tables, tables};

/// Runs one test body in SQLite and in Postgres.
macro_rules! in_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite { $(#[tokio::test] async fn $test() { super::$test(super::Database::sqlite().await).await; })* }
        mod postgres { $(#[tokio::test] async fn $test() { super::$test(super::Database::postgres().await).await; })* }
    };
}

in_both!(
    many_commits_add_up,
    rows_go_back_to_nothing,
    the_catalogue_s_changes_are_written,
    chapters_are_replaced_but_not_by_ignorance,
    many_chapters,
    a_chapter_s_place_can_be_worked_out_in_sql,
    a_position_survives_its_process,
    a_second_writer_fences_the_first,
    a_position_that_went_back_is_noticed,
    a_commit_must_be_ahead,
    a_commit_dropped_at_any_moment_counts_once,
    what_a_delta_names_must_be_given,
    names_that_no_index_can_hold,
    migrating_again_changes_nothing,
    newer_schemas_are_refused_unless_compatible,
    a_large_delta,
    sums_of_bytes_stop,
    reads,
);

async fn execute(url: &str, sql: &str) {
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
}

async fn count(url: &str, sql: &str) -> i64 {
    if url.starts_with("sqlite:") {
        let query = sqlx::query_scalar(AssertSqlSafe(sql));
        query.fetch_one(&mut SqliteConnection::connect(url).await.unwrap()).await.unwrap()
    } else {
        let query = sqlx::query_scalar(AssertSqlSafe(sql));
        query.fetch_one(&mut PgConnection::connect(url).await.unwrap()).await.unwrap()
    }
}

/// The same sequence in both, and both as worked out by hand: so the tables are the same in both.
async fn many_commits_add_up(database: Database) {
    let mut writer = database.writer().await;
    let episodes = [episode("a", "1"), episode("a", "2"), episode("b", "1"), episode("c", "x")];
    let mut numbers = Numbers(7);
    let deltas: Vec<_> = (0..30).map(|_| numbers.delta(episodes.len())).collect();
    for delta in &deltas {
        commit_next(&mut writer, delta, &episodes).await.unwrap();
    }
    assert_eq!(writer.position(), JournalPosition(30));
    assert_eq!(tables(&database.url).await, expected(&deltas, &episodes, &source_names()));
}

async fn rows_go_back_to_nothing(database: Database) {
    let mut writer = database.writer().await;
    let episodes = [episode("a", "1")];
    commit_next(&mut writer, &delta_of(EpisodeId(0), DAY, 5), &episodes).await.unwrap();
    commit_next(&mut writer, &delta_of(EpisodeId(0), DAY, -7), &episodes).await.unwrap();
    assert!(tables(&database.url).await.0.contains(&"episode_hour|a|1|2026-11-01T05:00:00Z|-2".to_owned()));
    commit_next(&mut writer, &delta_of(EpisodeId(0), DAY, 2), &episodes).await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[], &episodes, &[]));
}

async fn the_catalogue_s_changes_are_written(database: Database) {
    let mut writer = database.writer().await;
    let mut episodes = vec![episode("a", "1"), episode("a", "2")];
    episodes[1].show_title.clear();
    commit_next(&mut writer, &Delta::default(), &episodes).await.unwrap();
    episodes[1].show_title = "The a".to_owned();
    assert_eq!(tables(&database.url).await, expected(&[], &episodes, &[]));

    episodes[0].title = "One".to_owned();
    episodes[0].size = Some(65_000_000);
    episodes[1].path = "/moved/2.mp3".to_owned();
    episodes.push(episode("b", "1"));
    commit_next(&mut writer, &Delta::default(), &episodes).await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[], &episodes, &[]));

    // A process that knows less takes nothing away.
    let known = tables(&database.url).await;
    let mut poorer = episodes.clone();
    for episode in &mut poorer {
        (episode.title, episode.show_title) = (String::new(), String::new());
        (episode.size, episode.duration_ms, episode.published_at) = (None, None, None);
    }
    commit_next(&mut writer, &Delta::default(), &poorer).await.unwrap();
    assert_eq!(tables(&database.url).await, known);
}

async fn chapters_are_replaced_but_not_by_ignorance(database: Database) {
    let mut writer = database.writer().await;
    let mut episodes = [episode("a", "1"), episode("a", "2"), episode("b", "1")];
    episodes[0].chapters = chapters(&["Intro", "Middle", "End"]);
    episodes[2].chapters = chapters(&["Other"]);
    commit_next(&mut writer, &Delta::default(), &episodes).await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[], &episodes, &[]));

    episodes[0].chapters = chapters(&["Intro", "Part two"]);
    episodes[1].chapters = chapters(&["Late"]);
    commit_next(&mut writer, &Delta::default(), &episodes).await.unwrap();
    let known = tables(&database.url).await;
    assert_eq!(known, expected(&[], &episodes, &[]));

    // Nobody knows is not: there are none. Neither in this process nor in the next.
    let mut poorer = episodes.clone();
    poorer.iter_mut().for_each(|episode| episode.chapters = None);
    commit_next(&mut writer, &Delta::default(), &poorer).await.unwrap();
    assert_eq!(tables(&database.url).await, known);
    drop(writer);
    let mut writer = database.writer().await;
    commit_next(&mut writer, &Delta::default(), &poorer).await.unwrap();
    assert_eq!(tables(&database.url).await, known);
    episodes[0].chapters = chapters(&[]);
    commit_next(&mut writer, &Delta::default(), &episodes).await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[], &episodes, &[]));
}

/// More than fit into one statement, and a title that Postgres cannot hold.
async fn many_chapters(database: Database) {
    let mut writer = database.writer().await;
    let titles: Vec<_> = (0..500).map(|n| n.to_string()).collect();
    let titles: Vec<_> = titles.iter().map(|title| &**title).collect();
    let mut episodes: Vec<_> = (0..21).map(|n| episode("a", &n.to_string())).collect();
    episodes.iter_mut().for_each(|episode| episode.chapters = chapters(&titles));
    commit_next(&mut writer, &Delta::default(), &episodes).await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[], &episodes, &[]));
    episodes[0].chapters = chapters(&["a\0b"]);
    commit_next(&mut writer, &Delta::default(), &episodes).await.unwrap();
    episodes[0].chapters = chapters(&["a\u{fffd}b"]);
    assert_eq!(tables(&database.url).await, expected(&[], &episodes, &[]));
}

/// As docs/methodology.md says. Plain division of seconds would be off by one at 0.57 s of 1 s, for instance.
async fn a_chapter_s_place_can_be_worked_out_in_sql(database: Database) {
    let mut writer = database.writer().await;
    let mut episode = episode("a", "1");
    episode.duration_ms = Some(1_000);
    let chapter = |n: u64| Chapter { start_ms: n * 2, title: n.to_string() };
    let chapters: Vec<_> = (0..510).map(chapter).collect();
    episode.chapters = Some(chapters.clone());
    commit_next(&mut writer, &Delta::default(), &[episode]).await.unwrap();
    let bin =
        "CAST(round(start_seconds * 1000) AS bigint) * 100 / CAST(round(duration_seconds * 1000) AS bigint)";
    let expected = |chapter: (usize, &Chapter)| {
        let bin = chapter.1.content_bin(Some(1_000)).map_or("-1".to_owned(), |bin| bin.to_string());
        format!("({}, {bin})", chapter.0 + 1)
    };
    let expected: Vec<_> = chapters.iter().enumerate().map(expected).collect();
    let right = format!(
        "WITH expected (number, bin) AS (VALUES {}) SELECT CAST(count(*) AS bigint) FROM chapter \
         JOIN episode ON episode.id = episode_id JOIN expected ON expected.number = chapter.number \
         WHERE bin = CASE WHEN start_seconds < duration_seconds THEN {bin} ELSE -1 END",
        expected.join(", ")
    );
    assert_eq!(count(&database.url, &right).await, 510);
}

async fn a_position_survives_its_process(database: Database) {
    let episodes = [episode("a", "1")];
    let mut writer = database.writer().await;
    assert_eq!(writer.position(), JournalPosition::START);
    commit_at(&mut writer, JournalPosition(17), &delta_of(EpisodeId(0), DAY, 1), &episodes).await.unwrap();
    drop(writer);
    let mut writer = database.writer().await;
    assert_eq!(writer.position(), JournalPosition(17));
    commit_next(&mut writer, &delta_of(EpisodeId(0), DAY, 2), &episodes).await.unwrap();
    let total = delta_of(EpisodeId(0), DAY, 3);
    assert_eq!(tables(&database.url).await, expected(&[total], &episodes, &source_names()));
}

async fn a_second_writer_fences_the_first(database: Database) {
    let episodes = [episode("a", "1")];
    let delta = delta_of(EpisodeId(0), DAY, 1);
    let store = database.store().await;
    let mut first = store.claim(JOURNAL, "first").await.unwrap();
    commit_next(&mut first, &delta, &episodes).await.unwrap();
    let mut second = store.claim(JOURNAL, "second").await.unwrap();
    assert_eq!(second.position(), JournalPosition(1));
    let error = commit_next(&mut first, &delta, &episodes).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced { ours: 1, newest: 2 }), "{error}");
    assert!(!error.is_transient());
    assert_eq!(
        tables(&database.url).await,
        expected(std::slice::from_ref(&delta), &episodes, &source_names())
    );

    // Even if it asks for what the second has done.
    commit_next(&mut second, &delta, &episodes).await.unwrap();
    let error = commit_next(&mut first, &delta, &episodes).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced { .. }), "{error}");
    assert_eq!(tables(&database.url).await, expected(&[delta.clone(), delta], &episodes, &source_names()));
}

async fn a_position_that_went_back_is_noticed(database: Database) {
    let episodes = [episode("a", "1")];
    let delta = delta_of(EpisodeId(0), DAY, 1);
    let mut writer = database.writer().await;
    commit_at(&mut writer, JournalPosition(5), &delta, &episodes).await.unwrap();
    let before = tables(&database.url).await;
    execute(&database.url, "UPDATE instance SET position = 3").await;
    let error = commit_at(&mut writer, JournalPosition(6), &delta, &episodes).await.unwrap_err();
    let (expected, found) = (JournalPosition(5), JournalPosition(3));
    assert!(
        matches!(&error, StoreError::PositionMismatch { expected: e, found: f } if (*e, *f) == (expected, found))
    );
    assert_eq!(tables(&database.url).await, before);
}

async fn a_commit_must_be_ahead(database: Database) {
    let episodes = [episode("a", "1")];
    let delta = delta_of(EpisodeId(0), DAY, 1);
    let mut writer = database.writer().await;
    commit_at(&mut writer, JournalPosition(5), &delta, &episodes).await.unwrap();
    for position in [0, 4, 5] {
        let error = commit_at(&mut writer, JournalPosition(position), &delta, &episodes).await.unwrap_err();
        assert!(matches!(error, StoreError::NotAhead { .. }), "{error}");
    }
    assert_eq!(tables(&database.url).await, expected(&[delta], &episodes, &source_names()));
}

/// A future that is dropped may leave a transaction open, rolled back, or committed with its answer lost.
async fn a_commit_dropped_at_any_moment_counts_once(database: Database) {
    let mut writer = database.writer().await;
    let mut episodes = vec![episode("a", "0")];
    let mut deltas = Vec::new();
    let mut dropped = 0;
    for step in 0..40_u32 {
        episodes.push(episode("a", &format!("new{step}")));
        let delta = delta_of(EpisodeId(step), DAY, i64::from(step) + 1);
        let position = writer.position().next();
        let pause = std::time::Duration::from_micros(u64::from(step) * 100);
        let attempt = commit_at(&mut writer, position, &delta, &episodes);
        // Polled once and then left alone for a while, so that the database gets somewhere.
        match tokio::time::timeout(pause, attempt).await {
            Ok(answer) => answer.unwrap(),
            Err(_) => {
                dropped += 1;
                commit_at(&mut writer, position, &delta, &episodes).await.unwrap();
            }
        }
        deltas.push(delta);
    }
    assert!(dropped > 0, "no commit was slow enough to be dropped");
    assert_eq!(tables(&database.url).await, expected(&deltas, &episodes, &source_names()));
}

async fn what_a_delta_names_must_be_given(database: Database) {
    let mut writer = database.writer().await;
    let error =
        commit_next(&mut writer, &delta_of(EpisodeId(1), DAY, 1), &[episode("a", "1")]).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownEpisode(EpisodeId(1))), "{error}");
    let mut delta = Delta::default();
    delta.fate_days.insert((DAY, SourceId(2), Fate::Valid), LineCount { requests: 1, body_bytes: 0 });
    let error = commit_next(&mut writer, &delta, &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownSource(SourceId(2))), "{error}");
    assert_eq!(tables(&database.url).await, Tables(Vec::new()));
}

/// Paths come from anyone who can send a request; none may stop the commits.
async fn names_that_no_index_can_hold(database: Database) {
    let store = database.store().await;
    let mut writer = store.claim(JOURNAL, "test").await.unwrap();
    let long: String = (0..3_000).map(|n| char::from_u32(0x4e00 + n * 7 % 20_000).unwrap()).collect();
    let mut episodes =
        vec![episode(&long, &long), episode(&long, &format!("{long}.")), episode("nul\0", "a\0b")];
    episodes[2].title = "\0".to_owned();
    episodes[2].size = Some(u64::MAX);
    let mut delta = Delta::default();
    for id in 0..3 {
        delta.merge(&delta_of(EpisodeId(id), DAY, 1));
    }
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    let top = store.top_episodes(None, 10).await.unwrap();
    assert_eq!(top.iter().map(|episode| episode.downloads).collect::<Vec<_>>(), [2, 2, 2]);
    assert_eq!(
        top[0],
        EpisodeDownloads {
            show: "nul\u{fffd}".to_owned(),
            slug: "a\u{fffd}b".to_owned(),
            title: Some("\u{fffd}".to_owned()),
            downloads: 2
        }
    );
}

async fn migrating_again_changes_nothing(database: Database) {
    let episodes = [episode("a", "1")];
    let delta = delta_of(EpisodeId(0), DAY, 1);
    let store = database.store().await;
    let mut writer = store.claim(JOURNAL, "test").await.unwrap();
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    store.migrate().await.unwrap();
    store.ping().await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[delta], &episodes, &source_names()));
}

async fn newer_schemas_are_refused_unless_compatible(database: Database) {
    let store = database.store().await;
    let url = &database.url;
    let checksum = if url.starts_with("sqlite:") { "x''" } else { "''" };
    let insert = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)";
    execute(url, &format!("{insert} VALUES (9000, 'later', true, {checksum}, 0)")).await;
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::SchemaTooNew { found: 9000, .. }), "{error}");
    assert!(!error.is_transient());
    execute(url, "INSERT INTO schema_compatibility VALUES (9000, 8999)").await;
    assert!(matches!(store.migrate().await, Err(StoreError::SchemaTooNew { found: 9000, .. })));
    execute(url, "UPDATE schema_compatibility SET works_from = 1 WHERE migration = 9000").await;
    store.migrate().await.unwrap();
    store.claim(JOURNAL, "old release").await.unwrap();
}

/// More rows than fit into one statement, twice, so that they are inserted and then updated.
async fn a_large_delta(database: Database) {
    let mut writer = database.writer().await;
    let episodes: Vec<_> = (0..500).map(|n| episode("a", &n.to_string())).collect();
    let mut delta = Delta::default();
    for id in 0..500 {
        for day in 0..30 {
            let one = delta_of(EpisodeId(id), UtcDay(DAY.0 + day), i64::from(id) + 1);
            delta.episode_hours.extend(one.episode_hours);
            delta.episode_days.extend(one.episode_days);
        }
    }
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[delta.clone(), delta], &episodes, &source_names()));
}

/// Whatever lines claim, in one commit or in many: a commit that fails would hold up all that come after it.
async fn sums_of_bytes_stop(database: Database) {
    const MOST: i64 = (1 << 53) - 1;
    let mut writer = database.writer().await;
    let episodes = [episode("a", "1")];
    let claims = |bytes: i64| {
        let mut delta = delta_of(EpisodeId(0), DAY, 1);
        let day = delta.episode_days.row((EpisodeId(0), DAY));
        (day.delivered_bytes, day.body_bytes) = (i128::from(bytes) * 4, bytes.max(0));
        let lines = LineCount { requests: 1, body_bytes: bytes.max(0) };
        *delta.fate_days.row((DAY, SourceId(0), Fate::Valid)) = lines;
        delta.exclusions.values_mut().for_each(|row| *row = lines);
        delta.traffic.values_mut().for_each(|row| *row = lines);
        delta
    };
    for bytes in [i64::MAX, i64::MAX, 1] {
        commit_next(&mut writer, &claims(bytes), &episodes).await.unwrap();
        for column in ["delivered_bytes FROM episode_day", "body_bytes FROM episode_day"] {
            assert_eq!(count(&database.url, &format!("SELECT {column}")).await, MOST, "{column}");
        }
        for table in ["fate_day", "exclusion_day", "traffic_slice", "episode_total"] {
            assert_eq!(
                count(&database.url, &format!("SELECT body_bytes FROM {table}")).await,
                MOST,
                "{table}"
            );
        }
    }
    for expected in [0, -MOST, -MOST] {
        commit_next(&mut writer, &claims(i64::MIN), &episodes).await.unwrap();
        assert_eq!(count(&database.url, "SELECT delivered_bytes FROM episode_day").await, expected);
    }
}

async fn reads(database: Database) {
    let store = database.store().await;
    assert_eq!(store.totals(None).await.unwrap(), Totals::default());
    assert_eq!(store.fates(None).await.unwrap(), []);
    let mut writer = store.claim(JOURNAL, "test").await.unwrap();
    let episodes = [episode("a", "1"), episode("b", "1"), episode("b", "2")];
    let next_day = UtcDay(DAY.0 + 1);
    let mut delta = Delta::default();
    for (id, day, n) in [(0, DAY, 9), (1, DAY, 1), (1, next_day, 4), (2, next_day, 0)] {
        delta.merge(&delta_of(EpisodeId(id), day, n));
    }
    delta.fate_days.insert((DAY, SourceId(1), BOT), LineCount { requests: 2, body_bytes: 20 });
    let sources = source_names();
    let commit = commit(JournalPosition(1), &delta, &episodes, &sources);
    writer.commit(&commit).await.unwrap();

    let totals = |n| Totals { downloads: n, requests: 3 * n, delivered_bytes: 4 * n, body_bytes: 5 * n };
    assert_eq!(store.totals(None).await.unwrap(), totals(14));
    assert_eq!(store.totals(Some(next_day)).await.unwrap(), totals(4));
    let top = |show: &str, downloads| EpisodeDownloads {
        show: show.to_owned(),
        slug: "1".to_owned(),
        title: None,
        downloads,
    };
    assert_eq!(store.top_episodes(None, 9).await.unwrap(), [top("a", 9), top("b", 5)]);
    assert_eq!(store.top_episodes(None, 1).await.unwrap(), [top("a", 9)]);
    assert_eq!(store.top_episodes(Some(next_day), 9).await.unwrap(), [top("b", 4)]);
    let fate = |fate: &str, reason: Option<&str>, requests, body_bytes| FateTotal {
        fate: fate.to_owned(),
        reason: reason.map(str::to_owned),
        requests,
        body_bytes,
    };
    assert_eq!(
        store.fates(None).await.unwrap(),
        [fate("ignored", Some("bot"), 2, 20), fate("valid", None, 42, 70)]
    );
    assert_eq!(store.fates(Some(next_day)).await.unwrap(), [fate("valid", None, 12, 20)]);
}
