//! All that was counted into a database, whatever its tables are: two that were filled on different ways can be
//! compared, without anyone's list of tables and columns.
//!
//! Counted are the tables whose rows are of an instance. What others say of an episode depends on when it was committed: a
//! catalogue may have changed twice in between. Keys that mean nothing outside are replaced by slugs, or left out. A
//! row of which nothing is left but zeros says the same as none.

use sqlx::{AssertSqlSafe, SqliteConnection};

/// A column of a table.
struct Column {
    name: String,
    is_number: bool,
    is_key: bool,
}

/// Every row of every counted table, sorted.
pub async fn dump(connection: &mut SqliteConnection) -> Vec<String> {
    let tables =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut *connection).await.expect("tables");
    let mut rows = Vec::new();
    for table in &tables {
        let columns = columns(connection, table).await;
        if !columns.iter().any(|column| column.name == "instance_id") {
            continue;
        }
        let sql = AssertSqlSafe(select(table, &columns));
        rows.extend(sqlx::query_scalar::<_, String>(sql).fetch_all(&mut *connection).await.expect("rows"));
    }
    rows.sort_unstable();
    rows
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
            _ => format!("coalesce(CASE typeof({name}) WHEN 'blob' THEN hex({name}) ELSE {name} END, '-')"),
        })
        .collect();
    let numbers = columns.iter().filter(|column| column.is_number && !column.is_key);
    let differs: Vec<String> = numbers.map(|column| format!("{} <> 0", column.name)).collect();
    let filter = if differs.is_empty() { "true".to_owned() } else { differs.join(" OR ") };
    format!("SELECT '{table}|' || {} FROM {table} AS t WHERE {filter}", texts.join(" || '|' || "))
}
