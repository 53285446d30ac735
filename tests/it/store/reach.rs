//! Distinct listeners in either database: over days, processes and instances.

use castmeter::attribution::Episode;
use castmeter::rollup::{Delta, Hashed, ReachKey, Scope, Sketch, Span};
use castmeter::store::{Commit, Writer};
use castmeter::units::{EpisodeId, KeyId, ListenerKey, ShowId, UtcDay};
use hashbrown::HashMap;
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::fixture::*;

const KEY: KeyId = KeyId(5);

/// Some listeners, by number.
fn listeners(key: KeyId, numbers: std::ops::Range<u64>) -> Sketch {
    let mut sketch = Sketch::new(key);
    for number in numbers {
        sketch.insert(Hashed::new(ListenerKey([(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15), 0])), key);
    }
    sketch
}

fn of(scope: Scope, span: Span, day: UtcDay, sketch: Sketch) -> (ReachKey, Sketch) {
    (ReachKey { scope, span, starts: day }, sketch)
}

/// The listeners of a day, of one episode of show `a`, as the pipeline gives them.
fn day(key: KeyId, day: UtcDay, numbers: std::ops::Range<u64>) -> HashMap<ReachKey, Sketch> {
    let scopes = [Scope::Episode(EpisodeId(0)), Scope::Show(ShowId(0)), Scope::All];
    scopes.map(|scope| of(scope, Span::Day, day, listeners(key, numbers.clone()))).into_iter().collect()
}

async fn commit_reach(writer: &mut Writer, reach: &HashMap<ReachKey, Sketch>, keep_sketches: bool) {
    let (sources, delta) = (source_names(), Delta::default());
    let episodes: [Episode; 2] = [episode("a", "1"), episode("b", "1")];
    let shows = ["a".to_owned(), "b".to_owned()];
    let commit = commit(writer.position().next(), &delta, &episodes, &sources);
    writer.commit(&Commit { reach, keep_sketches, shows: &shows, ..commit }).await.unwrap();
}

/// `scope span starts listeners`, without shows' and episodes' keys, of which there is one each.
async fn spans(url: &str) -> Vec<String> {
    let sql = "SELECT scope || ' ' || span || ' ' || CAST(starts AS text) || ' ' || coalesce(CAST(listeners AS text), '-') \
        FROM reach_span ORDER BY 1";
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let sql = "SELECT * FROM (SELECT scope || ' ' || span || ' ' || starts || ' ' || coalesce(listeners::text, '-') \
            AS row FROM reach_span) AS t ORDER BY row COLLATE \"C\"";
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
    }
}

/// The whole's longer spans, `span starts listeners`.
async fn of_all(url: &str) -> Vec<String> {
    let spans = spans(url).await.into_iter();
    spans.filter_map(|row| row.strip_prefix("all ").map(str::to_owned)).collect()
}

async fn numbers_come_with_each_commit_and_longer_spans_with_sketches(database: Database) {
    let mut writer = database.writer().await;
    commit_reach(&mut writer, &day(KEY, DAY, 0..10), false).await;
    let day_alone = ["all day 2026-11-01 10", "episode day 2026-11-01 10", "show day 2026-11-01 10"];
    assert_eq!(spans(&database.url).await, day_alone);

    commit_reach(&mut writer, &day(KEY, DAY, 0..12), true).await;
    let expected = [
        "day 2026-11-01 12",
        "month 2026-11-01 12",
        "rolling_28 2026-10-05 12",
        "rolling_7 2026-10-26 12",
        "week 2026-10-26 12",
    ];
    assert_eq!(of_all(&database.url).await, expected);
    assert_eq!(spans(&database.url).await.len(), 11, "an episode has days only");

    // The next day, a Monday: 5 of 15 were there before.
    commit_reach(&mut writer, &day(KEY, UtcDay(DAY.0 + 1), 7..22), true).await;
    let expected = [
        "day 2026-11-01 12",
        "day 2026-11-02 15",
        "month 2026-11-01 22",
        "rolling_28 2026-10-05 12",
        "rolling_28 2026-10-06 22",
        "rolling_7 2026-10-26 12",
        "rolling_7 2026-10-27 22",
        "week 2026-10-26 12",
        "week 2026-11-02 15",
    ];
    assert_eq!(of_all(&database.url).await, expected);
}

async fn a_process_that_knows_less_takes_nothing_away(database: Database) {
    let mut writer = database.writer().await;
    let all_time = |numbers| of(Scope::All, Span::All, ReachKey::NO_DAY, listeners(KEY, numbers));
    commit_reach(&mut writer, &HashMap::from_iter([all_time(0..50)]), true).await;
    drop(writer);
    let mut writer = database.writer().await;
    for keep_sketches in [false, true, true] {
        commit_reach(&mut writer, &HashMap::from_iter([all_time(45..60)]), keep_sketches).await;
        assert_eq!(spans(&database.url).await, ["all all 1970-01-01 60"]);
    }
}

async fn instances_are_merged_and_not_added_up(database: Database) {
    let store = database.store().await;
    let mut one = store.claim(*b"the first of two", "one").await.unwrap();
    let mut two = store.claim(*b"the other of two", "two").await.unwrap();
    commit_reach(&mut one, &day(KEY, DAY, 0..2_000), true).await;
    commit_reach(&mut two, &day(KEY, DAY, 1_500..2_500), false).await;
    assert_eq!(of_all(&database.url).await[0], "day 2026-11-01 2500");
    commit_reach(&mut two, &day(KEY, DAY, 1_500..2_500), true).await;
    commit_reach(&mut one, &day(KEY, DAY, 0..2_000), true).await;
    let numbers: Vec<String> = of_all(&database.url).await;
    assert!(numbers.iter().all(|row| row.ends_with(" 2500")), "{numbers:?}");
}

async fn nobody_can_tell_listeners_of_two_keys(database: Database) {
    let mut writer = database.writer().await;
    commit_reach(&mut writer, &day(KEY, DAY, 0..10), true).await;
    commit_reach(&mut writer, &day(KeyId(6), UtcDay(DAY.0 + 1), 0..10), true).await;
    let expected = [
        "day 2026-11-01 10",
        "day 2026-11-02 10",
        "month 2026-11-01 -",
        "rolling_28 2026-10-05 10",
        "rolling_28 2026-10-06 -",
        "rolling_7 2026-10-26 10",
        "rolling_7 2026-10-27 -",
        "week 2026-10-26 10",
        "week 2026-11-02 10",
    ];
    assert_eq!(of_all(&database.url).await, expected);
}

/// Each test with either database.
macro_rules! in_both {
    ($($test:ident,)+) => {
        mod sqlite {
            $(#[tokio::test] async fn $test() { super::$test(super::Database::sqlite().await).await; })+
        }
        mod postgres {
            $(#[tokio::test] async fn $test() { super::$test(super::Database::postgres().await).await; })+
        }
    };
}

in_both! {
    numbers_come_with_each_commit_and_longer_spans_with_sketches,
    a_process_that_knows_less_takes_nothing_away,
    instances_are_merged_and_not_added_up,
    nobody_can_tell_listeners_of_two_keys,
}
