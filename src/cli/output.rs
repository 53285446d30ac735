//! Rows to standard output: a table for people, CSV and NDJSON for programs.

use std::borrow::Cow;
use std::io::{self, BufWriter, StdoutLock, Write};

use clap::ValueEnum;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::{Map, Value};

/// How rows are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    /// One JSON object a line.
    Ndjson,
    Csv,
}

/// Rows of one kind.
#[derive(Clone, Debug)]
pub struct Rows {
    columns: Vec<Cow<'static, str>>,
    rows: Vec<Vec<Value>>,
}

impl Rows {
    pub fn new(columns: &'static [&'static str]) -> Self {
        Self { columns: columns.iter().map(|column| Cow::Borrowed(*column)).collect(), rows: Vec::new() }
    }

    /// With columns that are known only when they are read.
    pub fn with_columns(columns: Vec<String>) -> Self {
        Self { columns: columns.into_iter().map(Cow::Owned).collect(), rows: Vec::new() }
    }

    /// A value for each column.
    pub fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    pub fn print(&self, format: Format, out: &mut impl Write) -> io::Result<()> {
        match format {
            Format::Table => writeln!(out, "{}", self.table()),
            Format::Ndjson => self.print_ndjson(out),
            Format::Csv => self.print_csv(out),
        }
    }

    fn print_ndjson(&self, out: &mut impl Write) -> io::Result<()> {
        for row in &self.rows {
            let object: Map<String, Value> = self
                .columns
                .iter()
                .map(|column| column.clone().into_owned())
                .zip(row.iter().cloned())
                .collect();
            serde_json::to_writer(&mut *out, &object)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn print_csv(&self, out: &mut impl Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(self.columns.iter().map(Cow::as_ref))?;
        for row in &self.rows {
            writer.write_record(row.iter().map(text))?;
        }
        writer.flush()
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.columns.iter().map(Cow::as_ref));
        for row in &self.rows {
            table.add_row(row.iter().map(for_people));
        }
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_constraint(ColumnConstraint::ContentWidth);
            if self.rows.iter().all(|row| row[at].is_number() || row[at].is_null()) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

/// A value without quotes; null is empty.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Fractions to two places: the rest is for programs.
fn for_people(value: &Value) -> String {
    match value.as_f64() {
        Some(number) if value.is_f64() => format!("{number:.2}"),
        _ => text(value),
    }
}

/// Standard output, buffered.
pub fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(1 << 16, io::stdout().lock())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(format: Format) -> String {
        let mut rows = Rows::new(&["day", "downloads", "share"]);
        rows.push(vec!["2026-11-01".into(), 7.into(), 0.12345.into()]);
        rows.push(vec!["with \"quotes\", too".into(), 10.into(), Value::Null]);
        let mut out = Vec::new();
        rows.print(format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn formats() {
        let ndjson = "{\"day\":\"2026-11-01\",\"downloads\":7,\"share\":0.12345}\n\
                      {\"day\":\"with \\\"quotes\\\", too\",\"downloads\":10,\"share\":null}\n";
        assert_eq!(print(Format::Ndjson), ndjson);
        assert_eq!(
            print(Format::Csv),
            "day,downloads,share\n2026-11-01,7,0.12345\n\"with \"\"quotes\"\", too\",10,\n"
        );
        let table = print(Format::Table);
        let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["2026-11-01", "7", "0.12"], "{table}");
    }
}
