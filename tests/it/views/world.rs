//! A database with the tables, two instances and two shows, that a test fills by SQL which both databases understand.

use std::fmt::Write;

use castmeter::store::Kind;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::store::fixture::Database;

pub struct World {
    database: Database,
    kind: Kind,
}

impl World {
    pub async fn sqlite() -> Self {
        Self::new(Database::sqlite().await, Kind::Sqlite).await
    }

    pub async fn postgres() -> Self {
        Self::new(Database::postgres().await, Kind::Postgres).await
    }

    /// Counted since 2026-11-01, last committed at 2026-11-30T00:30:00Z.
    async fn new(database: Database, kind: Kind) -> Self {
        let store = database.store().await;
        store.close().await;
        let world = Self { database, kind };
        if kind == Kind::Postgres {
            world.run("SELECT castmeter_add_month('2026-10-01'), castmeter_add_month('2026-11-01')").await;
        }
        world
            .run(
                "INSERT INTO instance (id, journal_id, name, epoch, position, committed_at) {keyed} VALUES \
                 (1, '00000000000000000000000000000001', 'one', 1, 1, '2026-11-30T00:30:00Z'), \
                 (2, '00000000000000000000000000000002', 'two', 1, 1, '2026-11-29T00:00:00Z'); \
                 INSERT INTO fate_day (day, source, fate, reason, requests, body_bytes, instance_id) VALUES \
                 ('2026-10-30', 'fastly', 'malformed', 'bad_json', 1, 0, 1), \
                 ('2026-11-01', 'fastly', 'valid', NULL, 9, 9, 1), ('2026-11-02', 'fastly', 'valid', NULL, 9, 9, 1); \
                 INSERT INTO show (id, slug, title) {keyed} VALUES (1, 'alpha', 'The Alpha'), (2, 'beta', NULL)",
            )
            .await;
        world
    }

    pub fn url(&self) -> &str {
        &self.database.url
    }

    /// Runs statements. `{keyed}` stands before the `VALUES` of a table that makes its keys itself.
    pub async fn run(&self, sql: &str) {
        let keyed = if self.kind == Kind::Postgres { "OVERRIDING SYSTEM VALUE" } else { "" };
        let sql = AssertSqlSafe(sql.replace("{keyed}", keyed));
        let done = match self.kind {
            Kind::Sqlite => {
                let mut connection = SqliteConnection::connect(self.url()).await.expect("SQLite opens");
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
            Kind::Postgres => {
                let mut connection = PgConnection::connect(self.url()).await.expect("Postgres answers");
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
        };
        done.expect("the statement is right");
    }

    /// Rows of a table, one text for each: `table (columns)` and the values.
    pub async fn insert(&self, into: &str, rows: &[&str]) {
        self.run(&format!("INSERT INTO {into} VALUES ({})", rows.join("), ("))).await;
    }

    /// Makes an episode of 1,000,000 bytes and 1,000 s in a show; its key is its slug.
    pub async fn episode(&self, key: u32, show: u32, published_at: &str) {
        let row = format!(
            "{key}, {show}, '{key}', '/{show}/{key}.mp3', 'Episode {key}', '{published_at}', 1000000, 1000.0"
        );
        let columns = "id, show_id, slug, path, title, published_at, bytes, duration_seconds";
        self.insert(&format!("episode ({columns}) {{keyed}}"), &[&row]).await;
    }

    /// Downloads in hours since publication, as `(hour, downloads)`.
    pub async fn launch(&self, episode: u32, hours: &[(u32, i64)]) {
        let rows: Vec<_> = hours.iter().map(|(hour, n)| format!("{episode}, {hour}, {n}, 1")).collect();
        let rows: Vec<_> = rows.iter().map(String::as_str).collect();
        self.insert("launch_hour (episode_id, age_hours, downloads, instance_id)", &rows).await;
    }

    /// Rows of `columns` joined by a space, null as `-`. A column's name may end in `:` and a number of decimals.
    pub async fn ask(&self, columns: &str, from: &str) -> Vec<String> {
        let mut select = String::new();
        for (at, column) in columns.split(' ').enumerate() {
            let between = if at == 0 { "" } else { " || ' ' || " };
            let text = match (column.split_once(':'), self.kind) {
                (None, _) => format!("CAST({column} AS text)"),
                (Some((column, decimals)), Kind::Sqlite) => {
                    format!("CASE WHEN {column} IS NOT NULL THEN printf('%.{decimals}f', {column}) END")
                }
                (Some((column, decimals)), Kind::Postgres) => {
                    format!("CAST(round(CAST({column} AS numeric), {decimals}) AS text)")
                }
            };
            write!(select, "{between}coalesce({text}, '-')").expect("writing to a String");
        }
        self.column(&format!("SELECT {select} FROM {from}")).await
    }

    /// All views but those that only add up instances, sorted.
    pub async fn views(&self) -> Vec<String> {
        let catalogue = match self.kind {
            Kind::Sqlite => "name FROM sqlite_master WHERE type = 'view' AND name",
            Kind::Postgres => "viewname::text FROM pg_views WHERE schemaname = current_schema() AND viewname",
        };
        self.column(&format!("SELECT {catalogue} NOT LIKE '%\\_total' ESCAPE '\\' ORDER BY 1")).await
    }

    /// A view's columns, in their order.
    pub async fn columns(&self, view: &str) -> Vec<String> {
        let columns = match self.kind {
            Kind::Sqlite => format!("SELECT name FROM pragma_table_info('{view}') ORDER BY cid"),
            Kind::Postgres => format!(
                "SELECT column_name::text FROM information_schema.columns WHERE table_name = '{view}' \
                 ORDER BY ordinal_position"
            ),
        };
        self.column(&columns).await
    }

    async fn column(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql);
        let rows = match self.kind {
            Kind::Sqlite => {
                let mut connection = SqliteConnection::connect(self.url()).await.expect("SQLite opens");
                sqlx::query_scalar(sql).fetch_all(&mut connection).await
            }
            Kind::Postgres => {
                let mut connection = PgConnection::connect(self.url()).await.expect("Postgres answers");
                sqlx::query_scalar(sql).fetch_all(&mut connection).await
            }
        };
        rows.expect("the question is right")
    }
}
