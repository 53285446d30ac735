//! Whether all that was acknowledged is counted, and once: the store against `castmeter count`.
//!
//! Twice over. The tables must be what `count` makes of all that the journal holds, to the last row, copies included. And,
//! but for fates of lines that came twice, they must be what it makes of the distinct batches, each once; of an abandoned
//! batch the journal tells whether it came in, and it must have come in whole.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::AddAssign;
use std::path::Path;

use castmeter::journal::{Found, RecordKind, inspect};
use castmeter::units::JournalPosition;

use crate::counted::{as_counted, hours};
use crate::load::{Outcome, Sent};
use crate::tables::Tables;
use crate::traffic::Traffic;

/// What was found, in one run or in several.
#[derive(Debug, Default)]
pub struct Report {
    pub kills: usize,
    pub batches: usize,
    /// Distinct.
    pub lines: usize,
    pub sent_again: usize,
    /// Came in though their answer never did, and were sent again.
    pub came_twice: usize,
    pub abandoned: usize,
    pub abandoned_but_in: usize,
    /// Records that the journal held at restarts, in all: what the service went through again at the most.
    pub replayed: u64,
    /// Lines that were acknowledged and are not counted.
    pub lost: i64,
    /// Lines that are counted more often than they should be.
    pub doubled: i64,
    /// Rows that are not what they should be.
    pub faults: Vec<String>,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.kills += other.kills;
        self.batches += other.batches;
        self.lines += other.lines;
        self.sent_again += other.sent_again;
        self.came_twice += other.came_twice;
        self.abandoned += other.abandoned;
        self.abandoned_but_in += other.abandoned_but_in;
        self.replayed += other.replayed;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.faults.extend(other.faults);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, batches, lines, sent_again, came_twice, abandoned, abandoned_but_in, .. } = self;
        let Self { replayed, lost, doubled, faults, .. } = self;
        writeln!(f, "{kills} kills, {batches} batches, {lines} lines")?;
        writeln!(f, "{sent_again} batches sent again, {came_twice} of them had come in already")?;
        writeln!(f, "{abandoned} batches abandoned, {abandoned_but_in} of them had come in")?;
        writeln!(f, "{replayed} records in the journals at restarts")?;
        writeln!(f, "lost {lost}, counted double {doubled}")?;
        faults.iter().take(40).try_for_each(|fault| writeln!(f, "  {fault}"))
    }
}

impl Report {
    /// Fails unless nothing was lost and nothing doubled; else tells what was done.
    pub fn expect_clean(&self, what: &str) {
        assert!(self.is_clean(), "{what}: {self}");
        eprintln!("{what}: {self}");
    }

    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.faults.is_empty()
    }
}

/// Judges a service that has stopped in order. `journal` is its folder, `tables` is what its store holds.
pub fn judge(traffic: &Traffic, outcome: &Outcome, journal: &Path, tables: &Tables) -> Report {
    let mut report = Report {
        batches: outcome.sent.len(),
        lines: traffic.all_batches().map(|batch| line_count(&batch.lines)).sum::<usize>()
            + line_count(&traffic.stream),
        sent_again: outcome.sent_again,
        abandoned: outcome.sent.iter().filter(|sent| **sent == Sent::Abandoned).count(),
        ..Report::default()
    };
    let kept = Kept::read(journal, traffic, &mut report.faults);
    let mut distinct = traffic.stream.clone();
    for ((index, batch), sent) in traffic.all_batches().enumerate().zip(&outcome.sent) {
        let copies = kept.copies[index];
        report.came_twice += copies.saturating_sub(1);
        report.abandoned_but_in += usize::from(copies > 0 && *sent == Sent::Abandoned);
        if copies == 0 && *sent == Sent::Acknowledged {
            report.lost += line_count(&batch.lines) as i64;
            report.faults.push(format!("batch {index} was acknowledged and is not in the journal"));
        }
        if copies > 0 {
            distinct.extend_from_slice(&batch.lines);
        }
    }

    let found = as_counted(tables);
    report.compare("of the journal", &found, &traffic.counted(&kept.lines));
    let once = |rows: &[String]| rows.iter().filter(|row| !shows_copies(row)).cloned().collect::<Vec<_>>();
    report.compare("of the batches", &once(&found), &once(&traffic.counted(&distinct)));
    report.compare("by the hour", &hours(tables), &traffic.counted_hours(&distinct));
    let counted: i64 = fates(&found).into_values().sum();
    if counted != line_count(&kept.lines) as i64 {
        report
            .faults
            .push(format!("{} lines are in the journal, {counted} have a fate", line_count(&kept.lines)));
    }
    report
}

/// Judges a service whose journal does not hold all any more: every batch was acknowledged, and once.
pub fn judge_tables(traffic: &Traffic, outcome: &Outcome, tables: &Tables) -> Report {
    assert!(outcome.sent.iter().all(|sent| *sent == Sent::Acknowledged) && outcome.sent_again == 0);
    let lines: Vec<u8> = traffic.all_batches().flat_map(|batch| batch.lines.clone()).collect();
    let mut report = Report { batches: outcome.sent.len(), lines: line_count(&lines), ..Report::default() };
    report.compare("of the batches", &as_counted(tables), &traffic.counted(&lines));
    report.compare("by the hour", &hours(tables), &traffic.counted_hours(&lines));
    report
}

impl Report {
    fn compare(&mut self, what: &str, found: &[String], expected: &[String]) {
        let (found_lines, expected_lines) = (fates(found), fates(expected));
        let mut names: Vec<_> = found_lines.keys().chain(expected_lines.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let lines = |fates: &BTreeMap<String, i64>, name: &String| fates.get(name).copied().unwrap_or(0);
        let differences = names.iter().map(|name| lines(&found_lines, name) - lines(&expected_lines, name));
        for difference in differences {
            self.lost += (-difference).max(0);
            self.doubled += difference.max(0);
        }
        let lacks = |rows: &[String], row: &&String| rows.binary_search(row).is_err();
        self.faults.extend(
            found.iter().filter(|row| lacks(expected, row)).map(|row| format!("{what}: too much: {row}")),
        );
        self.faults.extend(
            expected.iter().filter(|row| lacks(found, row)).map(|row| format!("{what}: missing: {row}")),
        );
    }
}

/// What the journal holds in the end.
struct Kept {
    /// How often each batch.
    copies: Vec<usize>,
    /// All lines in the order in which they were counted.
    lines: Vec<u8>,
}

impl Kept {
    fn read(folder: &Path, traffic: &Traffic, faults: &mut Vec<String>) -> Self {
        let batches: Vec<_> = traffic.all_batches().collect();
        let by_body: HashMap<&[u8], usize> =
            batches.iter().enumerate().map(|(index, batch)| (&*batch.body, index)).collect();
        let mut kept = Self { copies: vec![0; batches.len()], lines: Vec::new() };
        let records = inspect::records(folder, JournalPosition::START).unwrap().expect("there is a journal");
        for found in records {
            let entry = match found.unwrap() {
                Found::Entry(entry) => entry,
                Found::Damage(damage) => {
                    faults.push(format!("the journal is damaged: {damage:?}"));
                    continue;
                }
            };
            let (record, batch) = (&entry.record, by_body.get(&*entry.record.payload));
            match (record.kind, batch) {
                (RecordKind::Rules, _) => {}
                (RecordKind::Stream, None) => kept.lines.extend_from_slice(&record.payload),
                (RecordKind::Batch, Some(index)) => {
                    kept.copies[*index] += 1;
                    kept.lines.extend_from_slice(&batches[*index].lines);
                }
                (kind, _) => {
                    faults.push(format!("record {} is a {} that nobody sent", entry.position, kind.name()))
                }
            }
        }
        kept
    }
}

pub fn line_count(lines: &[u8]) -> usize {
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
}

/// Rows that are higher for each copy of a line: it is recognised as one, or it is looked at before ids are.
fn shows_copies(row: &str) -> bool {
    ["fate|ignored|redelivered", "fate|ignored|inner_segment", "fate|ignored|shield", "fate|malformed"]
        .iter()
        .any(|fate| row.starts_with(fate))
}

/// Lines by fate and reason.
fn fates(rows: &[String]) -> BTreeMap<String, i64> {
    rows.iter()
        .filter_map(|row| {
            let (name, numbers) = row
                .strip_prefix("fate|")
                .and_then(|row| row.match_indices('|').nth(1).map(|(at, _)| row.split_at(at)))?;
            let lines = numbers.split('|').nth(1)?.parse().ok()?;
            Some((name.to_owned(), lines))
        })
        .collect()
}
