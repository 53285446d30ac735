//! What only Postgres has: partitions, roles, comments.

use castmeter::rollup::Delta;
use castmeter::store::{Settings, Store};
use castmeter::units::{EpisodeId, UtcDay, UtcHour};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::fixture::*;
use crate::postgres::Server;
use crate::tables::tables;

async fn column(url: &str, sql: &'static str) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
}

const PARTITIONS: &str = "SELECT inhrelid::regclass::text FROM pg_inherits \
                          WHERE inhparent = 'episode_hour'::regclass ORDER BY 1";

#[tokio::test]
async fn any_month_finds_its_partition() {
    let database = Database::postgres().await;
    let mut writer = database.writer().await;
    let episodes = [episode("a", "1")];
    let day = |text: &str| UtcDay(text.parse::<chrono::NaiveDate>().unwrap().to_epoch_days());
    let mut deltas = Vec::new();
    for text in
        ["2026-11-30", "2016-02-29", "2009-12-31", "2010-01-01", "1969-12-31", "0001-01-01", "9999-12-31"]
    {
        let delta = delta_of(EpisodeId(0), day(text), 1);
        commit_next(&mut writer, &delta, &episodes).await.unwrap();
        deltas.push(delta);
    }
    // The first and the last hour of a month, in UTC.
    let mut edges = Delta::default();
    edges.episode_hours.insert((EpisodeId(0), UtcHour(day("2026-12-01").0 * 24)), 1);
    edges.episode_hours.insert((EpisodeId(0), UtcHour(day("2027-01-01").0 * 24 - 1)), 2);
    commit_next(&mut writer, &edges, &episodes).await.unwrap();
    deltas.push(edges);
    assert_eq!(tables(&database.url).await, expected(&deltas, &episodes, &source_names()));
    let made =
        ["10000_01", "2010_01", "2010_02", "2016_02", "2016_03", "2026_11", "2026_12", "2027_01", "9999_12"];
    let mut made: Vec<_> = made.iter().map(|month| format!("episode_hour_{month}")).collect();
    made.push("episode_hour_before_2010".to_owned());
    assert_eq!(column(&database.url, PARTITIONS).await, made);
    let december = "SELECT downloads::text FROM episode_hour_2026_12 ORDER BY 1";
    assert_eq!(column(&database.url, december).await, ["1", "2"]);
}

/// An operator may drop the months that are not wanted any more.
#[tokio::test]
async fn a_dropped_month_comes_back_when_it_is_needed() {
    let database = Database::postgres().await;
    let episodes = [episode("a", "1")];
    let delta = delta_of(EpisodeId(0), DAY, 1);
    let mut writer = database.writer().await;
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    for table in [
        "episode_hour",
        "episode_day",
        "audience_slice",
        "region_day",
        "referrer_day",
        "exclusion_day",
        "traffic_slice",
    ] {
        let drop = AssertSqlSafe(format!("DROP TABLE {table}_2026_11"));
        sqlx::query(drop).execute(&mut connection).await.unwrap();
    }
    for table in ["fate_day", "launch_hour", "listen_bin", "feed_day"] {
        let delete = AssertSqlSafe(format!("DELETE FROM {table}"));
        sqlx::query(delete).execute(&mut connection).await.unwrap();
    }
    let error = commit_next(&mut writer, &delta, &episodes).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    assert_eq!(tables(&database.url).await, expected(&[delta], &episodes, &source_names()));
}

#[tokio::test]
async fn every_table_and_column_is_described() {
    let database = Database::postgres().await;
    database.writer().await;
    let undescribed = "SELECT c.relname || '.' || a.attname FROM pg_class AS c \
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped \
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition \
        AND c.relname NOT LIKE '\\_sqlx%' AND (c.relkind <> 'v' OR c.relname NOT LIKE '%\\_total') \
        AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL) \
        UNION ALL SELECT c.relname FROM pg_class AS c \
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'v' AND obj_description(c.oid) IS NULL";
    assert_eq!(column(&database.url, undescribed).await, Vec::<String>::new());
}

/// The columns that others rely on, in the types they rely on.
#[tokio::test]
async fn published_columns_keep_their_types() {
    let database = Database::postgres().await;
    database.writer().await;
    let columns = "SELECT table_name || ' ' || string_agg(column_name || ' ' || udt_name, ', ' ORDER BY ordinal_position) \
        FROM information_schema.columns WHERE table_name IN ('show', 'episode', 'episode_hour', 'episode_day', 'fate_day', \
        'launch_hour', 'listen_bin', 'audience_slice', 'region_day', 'referrer_day', 'exclusion_day', 'feed_day', \
        'traffic_slice', 'reach_sketch', 'reach_span') GROUP BY table_name ORDER BY table_name";
    let expected = [
        "audience_slice episode_id int8, day date, country text, app text, device text, downloads int8, instance_id int8",
        "episode id int8, show_id int8, slug text, path text, title text, published_at timestamptz, bytes int8, \
         duration_seconds float8",
        "episode_day episode_id int8, day date, downloads int8, listeners int8, requests int8, delivered_bytes int8, \
         body_bytes int8, addresses int8, instance_id int8, bulk_downloads int8, progressive_downloads int8",
        "episode_hour episode_id int8, hour timestamptz, downloads int8, instance_id int8",
        "exclusion_day day date, episode_id int8, reason text, rule text, requests int8, body_bytes int8, instance_id int8",
        "fate_day day date, source text, fate text, reason text, requests int8, body_bytes int8, instance_id int8",
        "feed_day feed text, service text, day date, subscribers int8, clients int8, instance_id int8",
        "launch_hour episode_id int8, age_hours int4, downloads int8, instance_id int8",
        "listen_bin episode_id int8, bin int4, covered int8, furthest int8, instance_id int8",
        "reach_sketch scope text, scope_id int8, span text, starts date, sketch bytea, instance_id int8",
        "reach_span scope text, scope_id int8, span text, starts date, listeners int8",
        "referrer_day episode_id int8, day date, referrer text, downloads int8, instance_id int8",
        "region_day episode_id int8, day date, country text, region text, downloads int8, instance_id int8",
        "show id int8, slug text, title text",
        "traffic_slice episode_id int8, day date, status int4, pop text, cache_state text, requests int8, \
         body_bytes int8, instance_id int8",
    ];
    assert_eq!(column(&database.url, columns).await, expected);
}

#[tokio::test]
async fn readers_read_and_nothing_else() {
    let server = Server::start();
    // First as someone who may not make roles, then as one who may.
    server.execute("CREATE ROLE owner LOGIN").await;
    server.execute("CREATE DATABASE owned OWNER owner").await;
    let superuser = server.url("owned");
    let owner = superuser.replace("postgres@", "owner@");
    let store = Store::open(&owner, Settings::default()).unwrap();
    store.migrate().await.unwrap();
    let mut writer = store.claim(JOURNAL, "test").await.unwrap();
    let (episodes, delta) = ([episode("a", "1")], delta_of(EpisodeId(0), DAY, 1));
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    let reader = "SELECT count(*)::text FROM pg_roles WHERE rolname = 'castmeter_reader'";
    assert_eq!(column(&superuser, reader).await, ["0"]);

    Store::open(&superuser, Settings::default()).unwrap().migrate().await.unwrap();
    server.execute("CREATE ROLE grafana LOGIN IN ROLE castmeter_reader").await;
    let grafana = superuser.replace("postgres@", "grafana@");
    assert_eq!(tables(&grafana).await, expected(&[delta], &episodes, &source_names()));
    let mut connection = PgConnection::connect(&grafana).await.unwrap();
    for sql in ["DELETE FROM episode_day", "UPDATE instance SET position = 0", "CREATE TABLE mine ()"] {
        let error = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap_err();
        assert_eq!(
            error.as_database_error().and_then(|error| error.code()).as_deref(),
            Some("42501"),
            "{sql}"
        );
    }
}

/// Several castmeters may live in one database, each in a schema of its own.
#[tokio::test]
async fn a_schema_of_its_own() {
    let database = Database::postgres().await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("CREATE SCHEMA podcasts").execute(&mut connection).await.unwrap();
    let url = format!("{}&options=-csearch_path%3Dpodcasts", database.url);
    let store = Store::open(&url, Settings::default()).unwrap();
    store.migrate().await.unwrap();
    let mut writer = store.claim(JOURNAL, "test").await.unwrap();
    let (episodes, delta) = ([episode("a", "1")], delta_of(EpisodeId(0), DAY, 1));
    commit_next(&mut writer, &delta, &episodes).await.unwrap();
    assert_eq!(tables(&url).await, expected(&[delta], &episodes, &source_names()));
    let public = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(column(&database.url, public).await, Vec::<String>::new());
}

#[tokio::test]
async fn sslmode_is_honoured() {
    let database = Database::postgres().await;
    // The socket of a server speaks no TLS.
    for (mode, answers) in [("disable", true), ("prefer", true), ("require", false), ("verify-full", false)] {
        let url = format!("{}&sslmode={mode}", database.url);
        let answer = Store::open(&url, Settings::default()).unwrap().ping().await;
        assert_eq!(answer.is_ok(), answers, "{mode}: {answer:?}");
        assert!(answer.err().is_none_or(|error| !error.is_transient()), "{mode}");
    }
}
