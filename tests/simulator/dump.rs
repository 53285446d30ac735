//! All that was counted into a database, whatever its tables are: two that were filled on different ways can be
//! compared, without anyone's list of tables and columns.
//!
//! Counted are the tables whose rows are of an instance, and reach, which is one number of all instances. What others say of an episode depends on when it was committed: a
//! catalogue may have changed twice in between. Keys that mean nothing outside are replaced by slugs, or left out. A
//! row of which nothing is left but zeros says the same as none. A sketch is what it says: its bytes depend on the order.

use castmeter::rollup::Sketch;
use castmeter::units::KeyId;
use sqlx::{AssertSqlSafe, SqliteConnection};

/// A column of a table.
struct Column {
    name: String,
    is_number: bool,
    is_key: bool,
}

/// The names of the counted tables.
pub async fn counted(connection: &mut SqliteConnection) -> Vec<String> {
    let tables = "SELECT name FROM sqlite_master AS t WHERE type = 'table' AND (name = 'reach_span' \
        OR EXISTS (SELECT 1 FROM pragma_table_info(t.name) AS c WHERE c.name = 'instance_id')) ORDER BY name";
    sqlx::query_scalar(tables).fetch_all(connection).await.expect("tables")
}

/// Every row of every counted table, sorted.
pub async fn dump(connection: &mut SqliteConnection) -> Vec<String> {
    let mut rows = Vec::new();
    for table in counted(connection).await {
        let sql = AssertSqlSafe(select(&table, &columns(connection, &table).await));
        let found: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await.expect("rows");
        rows.extend(found.iter().map(|row| readable(row)));
    }
    rows.sort_unstable();
    rows
}

/// With the listeners of a sketch instead of its bytes.
fn readable(row: &str) -> String {
    let column = |text: &str| match text.strip_prefix("sketch:") {
        Some(hex) => {
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("SQLite writes hex");
            let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
            format!(
                "{:?}",
                Sketch::from_bytes(&bytes, Some(KeyId(0))).expect("the store has written it").listeners()
            )
        }
        None => text.to_owned(),
    };
    row.split('|').map(column).collect::<Vec<_>>().join("|")
}

async fn columns(connection: &mut SqliteConnection, table: &str) -> Vec<Column> {
    let sql = "SELECT name, type, pk FROM pragma_table_info(?)";
    let found: Vec<(String, String, i64)> =
        sqlx::query_as(sql).bind(table).fetch_all(connection).await.expect("columns");
    let column = |(name, kind, key): (String, String, i64)| Column {
        is_number: matches!(kind.as_str(), "INTEGER" | "REAL"),
        is_key: key > 0 || name.ends_with("_id"),
        name,
    };
    found.into_iter().map(column).collect()
}

/// The rows of a table as text: `table|column|…`.
fn select(table: &str, columns: &[Column]) -> String {
    let shown = |column: &&Column| !matches!(column.name.as_str(), "id" | "instance_id");
    let texts: Vec<String> = columns
        .iter()
        .filter(shown)
        .map(|Column { name, .. }| match name.strip_suffix("_id") {
            Some(other @ ("episode" | "show")) => {
                format!("(SELECT slug FROM {other} WHERE {other}.id = t.{name})")
            }
            // Of reach, the key of an episode or of a show.
            Some("scope") => "CASE scope WHEN 'episode' THEN (SELECT slug FROM episode WHERE id = scope_id) \
                WHEN 'show' THEN (SELECT slug FROM show WHERE id = scope_id) ELSE '-' END"
                .to_owned(),
            _ => format!(
                "coalesce(CASE typeof({name}) WHEN 'blob' THEN 'sketch:' || hex({name}) ELSE {name} END, '-')"
            ),
        })
        .collect();
    let numbers = columns.iter().filter(|column| column.is_number && !column.is_key);
    let differs: Vec<String> = numbers.map(|column| format!("{} <> 0", column.name)).collect();
    let filter = if differs.is_empty() { "true".to_owned() } else { differs.join(" OR ") };
    format!("SELECT '{table}|' || {} FROM {table} AS t WHERE {filter}", texts.join(" || '|' || "))
}
