//! The published tables as text, the same from either database: one line a row, columns joined by `|`.

use std::fmt;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

/// The rows of all tables, sorted. Keys are replaced by slugs, and several instances are added up.
#[derive(PartialEq, Eq)]
pub struct Tables(pub Vec<String>);

/// Line by line, so that a failed comparison can be read.
impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

const EPISODE: &str = "JOIN episode ON episode.id = t.episode_id JOIN show ON show.id = episode.show_id";

/// Table, its columns, where they come from, and what a row must have to be shown: some change.
const TABLES: [(&str, &[&str], &str); 17] = [
    ("annotation", &["{at}", "text", "tags"], "annotation WHERE true"),
    ("show", &["slug", "title"], "show WHERE true"),
    (
        "episode",
        &[
            "show.slug",
            "episode.slug",
            "path",
            "episode.title",
            "{published_at}",
            "bytes",
            "CAST(duration_seconds * 1000 AS bigint)",
        ],
        "episode JOIN show ON show.id = episode.show_id WHERE true",
    ),
    (
        "chapter",
        &["show.slug", "episode.slug", "number", "CAST(round(start_seconds * 1000) AS bigint)", "t.title"],
        "chapter AS t {EPISODE} WHERE true",
    ),
    (
        "episode_hour",
        &["show.slug", "episode.slug", "{hour}", "downloads"],
        "episode_hour_total AS t {EPISODE} WHERE downloads <> 0",
    ),
    (
        "episode_day",
        &[
            "show.slug",
            "episode.slug",
            "day",
            "downloads",
            "listeners",
            "requests",
            "delivered_bytes",
            "body_bytes",
            "addresses",
        ],
        "episode_day_total AS t {EPISODE} WHERE downloads <> 0 OR listeners <> 0 OR requests <> 0 \
         OR delivered_bytes <> 0 OR body_bytes <> 0 OR addresses <> 0",
    ),
    (
        "fate_day",
        &["day", "source", "fate", "reason", "requests", "body_bytes"],
        "fate_day_total WHERE requests <> 0 OR body_bytes <> 0",
    ),
    (
        "listening_day",
        &["show.slug", "episode.slug", "day", "bulk", "progressive"],
        "(SELECT episode_id, day, sum(bulk_downloads) AS bulk, sum(progressive_downloads) AS progressive \
         FROM episode_day GROUP BY episode_id, day) AS t {EPISODE} WHERE bulk <> 0 OR progressive <> 0",
    ),
    (
        "launch_hour",
        &["show.slug", "episode.slug", "age_hours", "downloads"],
        "(SELECT episode_id, age_hours, sum(downloads) AS downloads FROM launch_hour \
         GROUP BY episode_id, age_hours) AS t {EPISODE} WHERE downloads <> 0",
    ),
    (
        "listen_bin",
        &["show.slug", "episode.slug", "bin", "covered", "furthest"],
        "(SELECT episode_id, bin, sum(covered) AS covered, sum(furthest) AS furthest FROM listen_bin \
         GROUP BY episode_id, bin) AS t {EPISODE} WHERE covered <> 0 OR furthest <> 0",
    ),
    (
        "audience_slice",
        &["show.slug", "episode.slug", "day", "country", "app", "device", "downloads"],
        "(SELECT episode_id, day, country, app, device, sum(downloads) AS downloads FROM audience_slice \
         GROUP BY episode_id, day, country, app, device) AS t {EPISODE} WHERE downloads <> 0",
    ),
    (
        "region_day",
        &["show.slug", "episode.slug", "day", "country", "region", "downloads"],
        "(SELECT episode_id, day, country, region, sum(downloads) AS downloads FROM region_day \
         GROUP BY episode_id, day, country, region) AS t {EPISODE} WHERE downloads <> 0",
    ),
    (
        "referrer_day",
        &["show.slug", "episode.slug", "day", "referrer", "downloads"],
        "(SELECT episode_id, day, referrer, sum(downloads) AS downloads FROM referrer_day \
         GROUP BY episode_id, day, referrer) AS t {EPISODE} WHERE downloads <> 0",
    ),
    (
        "exclusion_day",
        &["show.slug", "episode.slug", "day", "reason", "rule", "requests", "body_bytes"],
        "(SELECT episode_id, day, reason, rule, sum(requests) AS requests, sum(body_bytes) AS body_bytes \
         FROM exclusion_day GROUP BY episode_id, day, reason, rule) AS t {EPISODE} \
         WHERE requests <> 0 OR body_bytes <> 0",
    ),
    (
        "feed_day",
        &["feed", "service", "day", "subscribers", "clients"],
        "(SELECT feed, service, day, max(subscribers) AS subscribers, sum(clients) AS clients FROM feed_day \
         GROUP BY feed, service, day) AS t WHERE subscribers <> 0 OR clients <> 0",
    ),
    (
        "traffic_slice",
        &["show.slug", "episode.slug", "day", "status", "pop", "cache_state", "requests", "body_bytes"],
        "(SELECT episode_id, day, status, pop, cache_state, sum(requests) AS requests, \
         sum(body_bytes) AS body_bytes FROM traffic_slice GROUP BY episode_id, day, status, pop, cache_state) AS t \
         {EPISODE} WHERE requests <> 0 OR body_bytes <> 0",
    ),
    (
        "reach_span",
        &["subject", "span", "starts", "listeners"],
        "(SELECT CASE scope WHEN 'all' THEN 'all' WHEN 'show' THEN 'show ' || (SELECT slug FROM show WHERE id = scope_id) \
         ELSE 'episode ' || (SELECT show.slug || '/' || episode.slug FROM episode JOIN show ON show.id = show_id \
         WHERE episode.id = scope_id) END AS subject, span, starts, listeners FROM reach_span) AS t WHERE true",
    ),
];

/// Views that say what no table does.
const VIEWS: [(&str, &[&str], &str); 2] = [
    (
        "chapter_reach",
        &["show", "episode", "number", "chapter", "bin", "share", "sessions", "coverage"],
        "chapter_reach WHERE true",
    ),
    (
        "parity",
        &[
            "show",
            "episode",
            "day",
            "downloads",
            "listeners",
            "requests",
            "body_bytes",
            "addresses",
            "partial_bytes",
            "refetched_bytes",
            "bot_bytes",
            "network_bytes",
            "probe_bytes",
            "other_bytes",
        ],
        "parity WHERE true",
    ),
];

/// Everything that the database holds for its readers.
pub async fn tables(database_url: &str) -> Tables {
    let mut rows = Vec::new();
    for (table, columns, from) in TABLES {
        rows.extend(select(database_url, table, columns, from).await);
    }
    rows.sort_unstable();
    Tables(rows)
}

/// Chapters on the curve of listening, and both ways of counting.
pub async fn views(database_url: &str) -> Vec<String> {
    let mut rows = Vec::new();
    for (view, columns, from) in VIEWS {
        rows.extend(select(database_url, view, columns, from).await);
    }
    rows
}

async fn select(database_url: &str, table: &str, columns: &[&str], from: &str) -> Vec<String> {
    let sqlite = database_url.starts_with("sqlite:");
    let columns: Vec<_> = columns
        .iter()
        .map(|column| {
            // A column in braces is an instant.
            let column = match column.strip_prefix('{').map(|column| column.trim_end_matches('}')) {
                Some(column) if sqlite => column.to_owned(),
                Some(column) => {
                    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
                }
                None => (*column).to_owned(),
            };
            format!("coalesce(CAST({column} AS text), '-')")
        })
        .collect();
    let from = from.replace("{EPISODE}", EPISODE);
    let sql = AssertSqlSafe(format!("SELECT '{table}|' || {} FROM {from}", columns.join(" || '|' || ")));
    if sqlite {
        let mut connection = SqliteConnection::connect(database_url).await.expect("SQLite opens");
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.expect(table)
    } else {
        let mut connection = PgConnection::connect(database_url).await.expect("Postgres answers");
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.expect(table)
    }
}
