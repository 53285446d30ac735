//! Rows to standard output: a table for people, CSV and NDJSON for programs.

use std::borrow::Cow;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::iter;

use clap::ValueEnum;
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

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
            Format::Table => self.print_table(out),
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

    /// Each column as wide as what it holds, numbers to the right.
    fn print_table(&self, out: &mut impl Write) -> io::Result<()> {
        let head = self.columns.iter().map(|column| column.clone().into_owned()).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(for_people).collect());
        let lines: Vec<Vec<String>> = iter::once(head).chain(rows).collect();
        let columns: Vec<(usize, bool)> = (0..self.columns.len())
            .map(|at| {
                let widest = lines.iter().map(|line| width(&line[at])).max().unwrap_or_default();
                (widest, self.rows.iter().all(|row| row[at].is_number() || row[at].is_null()))
            })
            .collect();
        for line in &lines {
            for (cell, (widest, is_number)) in line.iter().zip(&columns) {
                let room = widest - width(cell);
                match is_number {
                    true => write!(out, " {:room$}{cell} ", "")?,
                    false => write!(out, " {cell}{:room$} ", "")?,
                }
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// Places that a text takes at a terminal.
fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// A value without quotes; null is empty.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Fractions to two places: the rest is for programs. What would move a terminal's cursor is shown as unreadable.
fn for_people(value: &Value) -> String {
    match value.as_f64() {
        Some(number) if value.is_f64() => format!("{number:.2}"),
        _ => text(value).replace(char::is_control, "\u{fffd}"),
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
        let table = [
            " day                 downloads  share \n",
            " 2026-11-01                  7   0.12 \n",
            " with \"quotes\", too         10        \n",
        ];
        assert_eq!(print(Format::Table), table.concat());
    }

    #[test]
    fn a_table_of_any_text() {
        let mut rows = Rows::new(&["a", "b"]);
        rows.push(vec!["日本".into(), "x\ny\u{1b}[2J".into()]);
        rows.push(vec!["é".into(), 1.into()]);
        let mut out = Vec::new();
        rows.print(Format::Table, &mut out).unwrap();
        let expected = " a     b       \n 日本  x\u{fffd}y\u{fffd}[2J \n é     1       \n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
