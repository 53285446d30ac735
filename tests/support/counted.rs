//! What `castmeter count` says of lines, in the form of the published tables' rows, to be compared with them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::service::castmeter;
use crate::tables::Tables;

/// What `count` says of lines, as the published tables' rows, sorted.
pub fn counted(options: &[impl AsRef<OsStr>], lines: &[u8]) -> Vec<String> {
    let row = |row: &Value| match row.get("fate") {
        None => columns(row, "episode_day", &EPISODE_DAY),
        Some(_) => columns(row, "fate", &FATE),
    };
    sorted(count(&["--fates"], options, lines).iter().map(row))
}

/// What `count` says of downloads by the hour, as the rows of `episode_hour`, sorted.
pub fn counted_hours(options: &[impl AsRef<OsStr>], lines: &[u8]) -> Vec<String> {
    let rows = count(&["--by=hour"], options, lines);
    let some = rows.iter().filter(|row| row["downloads"] != 0);
    sorted(some.map(|row| columns(row, "episode_hour", &EPISODE_HOUR)))
}

fn count(how: &[&str], options: &[impl AsRef<OsStr>], lines: &[u8]) -> Vec<Value> {
    let mut child = castmeter()
        .args(["count", "--format=ndjson"])
        .args(how)
        .args(options)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sorted(rows: impl Iterator<Item = String>) -> Vec<String> {
    let mut rows: Vec<String> = rows.collect();
    rows.sort_unstable();
    rows
}

const EPISODE_DAY: [&str; 9] =
    ["show", "episode", "day", "downloads", "listeners", "requests", "bytes", "body_bytes", "addresses"];
const EPISODE_HOUR: [&str; 4] = ["show", "episode", "hour", "downloads"];
const FATE: [&str; 4] = ["fate", "reason", "requests", "body_bytes"];

fn columns(row: &Value, table: &str, names: &[&str]) -> String {
    let text = |name: &&str| match &row[*name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    format!("{table}|{}", names.iter().map(text).collect::<Vec<_>>().join("|"))
}

/// Fails with the rows that differ, and only with them.
pub fn assert_same(found: &[String], expected: &[String]) {
    let lacks = |rows: &[String], row: &&String| !rows.contains(row);
    let extra: Vec<_> = found.iter().filter(|row| lacks(expected, row)).collect();
    let missing: Vec<_> = expected.iter().filter(|row| lacks(found, row)).collect();
    assert!(found == expected, "found but not expected: {extra:#?}\nexpected but not found: {missing:#?}");
}

/// The tables' rows as `count` would say them: fates summed over days.
pub fn as_counted(tables: &Tables) -> Vec<String> {
    let mut fates = BTreeMap::<(String, String), (i64, i64)>::new();
    let mut rows = Vec::new();
    for row in &tables.0 {
        let fields: Vec<&str> = row.split('|').collect();
        match fields[0] {
            "episode_day" => rows.push(row.clone()),
            "fate_day" => {
                let sums = fates.entry((fields[3].to_owned(), fields[4].replace('-', ""))).or_default();
                sums.0 += fields[5].parse::<i64>().unwrap();
                sums.1 += fields[6].parse::<i64>().unwrap();
            }
            _ => {}
        }
    }
    rows.extend(
        fates.into_iter().map(|((fate, reason), sums)| format!("fate|{fate}|{reason}|{}|{}", sums.0, sums.1)),
    );
    rows.sort_unstable();
    rows
}

/// The rows of `episode_hour`, sorted.
pub fn hours(tables: &Tables) -> Vec<String> {
    sorted(tables.0.iter().filter(|row| row.starts_with("episode_hour|")).cloned())
}
