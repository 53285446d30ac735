//! Every SQL question of the dashboards, asked as Grafana asks it: macros and variables filled in, as the reader.

use std::time::Duration;

use castmeter::units::Timestamp;
use regex::Regex;
use sqlx::{AssertSqlSafe, Column, Connection, PgConnection, Row, TypeInfo};

use crate::fixture::Fixture;
use crate::shapes::{self, Answer, Kind};
use crate::support::dashboards::{Asker, Dashboard, Language, dashboards, text};

#[tokio::test(flavor = "multi_thread")]
async fn every_question_is_answered_with_what_its_panel_needs() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::filled(folder.path()).await;
    let mut reader = fixture.reader().await;
    let mut faults = Vec::new();
    let mut tried = 0;
    for dashboard in dashboards() {
        let filler = Filler::new(&dashboard, fixture.now(), &mut reader).await;
        for query in dashboard.queries().into_iter().filter(|query| query.language == Language::Sql) {
            // A publication need not lie within the last minutes.
            let wide = Filler { from: fixture.start(), ..filler.clone() };
            let filler = if matches!(query.asker, Asker::Annotation) { &wide } else { &filler };
            let sql = filler.filled(&query.text);
            let found = match ask(&mut reader, &sql).await {
                Err(error) => vec![format!("{error}\n{sql}")],
                Ok(answer) => match query.asker {
                    Asker::Panel(panel) => shapes::of_panel(panel, query.target, &answer),
                    Asker::Annotation => shapes::of_annotation(&answer),
                    Asker::Variable => shapes::of_variable(&answer),
                },
            };
            faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", query.place)));
            tried += 1;
        }
    }
    assert!(tried > 40, "only {tried} questions were found");
    assert!(faults.is_empty(), "of {tried} questions:\n{}", faults.join("\n"));
    cannot_write(&mut reader).await;
    reader.close().await.unwrap();
}

async fn cannot_write(reader: &mut PgConnection) {
    for statement in ["DELETE FROM annotation", "CREATE TABLE mine (a int)", "UPDATE episode SET title = ''"]
    {
        let refused = sqlx::raw_sql(statement).execute(&mut *reader).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{statement}: {refused}");
    }
}

/// Rows as JSON, and the columns with what Grafana takes their types for.
async fn ask(reader: &mut PgConnection, sql: &str) -> Result<Answer, sqlx::Error> {
    let first = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_optional(&mut *reader).await?;
    let columns = first.as_ref().map_or(&[][..], |row| row.columns());
    let columns = columns.iter().map(|column| {
        let kind = match column.type_info().name() {
            "INT2" | "INT4" | "INT8" | "FLOAT4" | "FLOAT8" | "NUMERIC" => Kind::Number,
            "TIMESTAMPTZ" | "TIMESTAMP" | "DATE" => Kind::Time,
            _ => Kind::Text,
        };
        (column.name().to_owned(), kind)
    });
    let columns = columns.collect();
    let as_json = format!("SELECT row_to_json(answer)::text FROM ({sql}) AS answer");
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(as_json)).fetch_all(reader).await?;
    let rows = rows.iter().map(|row| serde_json::from_str(row).expect("a row")).collect();
    Ok(Answer { columns, rows })
}

/// Fills in a dashboard's macros and variables.
#[derive(Clone)]
struct Filler {
    from: Timestamp,
    to: Timestamp,
    variables: Vec<(String, String)>,
}

impl Filler {
    /// With the first value of each variable; of episodes one in its first week, which has some of everything.
    async fn new(dashboard: &Dashboard, now: Timestamp, reader: &mut PgConnection) -> Self {
        let from = now.minus(range(text(&dashboard.json["time"]["from"])));
        let mut filler = Self { from, to: now, variables: Vec::new() };
        for variable in dashboard.variables().filter(|it| it["datasource"]["type"] == "postgres") {
            let name = text(&variable["name"]);
            let place = format!("{}, variable {name}", dashboard.file);
            let mut values = filler.values(reader, text(&variable["query"]), "__value", &place).await;
            if name == "episode" {
                let largest = "SELECT episode FROM launch_projection WHERE show = ${show:sqlstring} \
                               AND expected_7d IS NOT NULL ORDER BY downloads DESC LIMIT 1";
                let largest = filler.values(reader, largest, "episode", &place).await;
                assert!(values.contains(&largest[0]), "{place}: {largest:?} is not offered");
                values = largest;
            }
            filler.variables.push((name.to_owned(), values.swap_remove(0)));
        }
        filler
    }

    async fn values(&self, reader: &mut PgConnection, sql: &str, column: &str, place: &str) -> Vec<String> {
        let answer = ask(reader, &self.filled(sql)).await.expect(place);
        assert!(!answer.rows.is_empty(), "{place} has no values");
        answer.rows.iter().map(|row| text(&row[column]).to_owned()).collect()
    }

    /// Panics where something is left that Grafana would not know.
    fn filled(&self, sql: &str) -> String {
        let between = format!("$1 BETWEEN '{}' AND '{}'", self.from, self.to);
        let sql = Regex::new(r"\$__timeFilter\(([^)]+)\)").unwrap().replace_all(sql, between.as_str());
        let mut sql = sql
            .replace("$__timeFrom()", &format!("'{}'", self.from))
            .replace("$__timeTo()", &format!("'{}'", self.to));
        for (name, value) in &self.variables {
            sql = sql.replace(&format!("${{{name}:sqlstring}}"), &format!("'{}'", value.replace('\'', "''")));
        }
        let values = self.variables.iter().fold(sql.clone(), |sql, (_, value)| sql.replace(value, ""));
        assert!(!values.contains('$'), "a macro or variable is left: {sql}");
        sql
    }
}

/// `now-30d`.
fn range(from: &str) -> Duration {
    let (number, unit) =
        from.strip_prefix("now-").and_then(|rest| rest.split_at_checked(rest.len() - 1)).expect(from);
    let seconds = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => panic!("{from}: no unit {unit}"),
    };
    Duration::from_secs(seconds * number.parse::<u64>().expect(from))
}

#[test]
fn macros_and_variables_are_filled_in() {
    let at = |seconds| Timestamp::from_seconds(seconds).unwrap();
    let variables = vec![("show".to_owned(), "it's".to_owned())];
    let filler = Filler { from: at(0), to: at(60), variables };
    assert_eq!(
        filler.filled("a = ${show:sqlstring} AND $__timeFilter(b.day) AND c > $__timeFrom()"),
        "a = 'it''s' AND b.day BETWEEN '1970-01-01T00:00:00Z' AND '1970-01-01T00:01:00Z' AND c > '1970-01-01T00:00:00Z'"
    );
    assert_eq!(range("now-90d"), Duration::from_secs(90 * 86_400));
    let faulty = std::panic::catch_unwind(|| filler.filled("a = $shew"));
    assert!(faulty.is_err());
}
