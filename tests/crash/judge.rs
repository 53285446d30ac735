//! Whether all that was acknowledged is counted, and once: the store against `castmeter count`.
//!
//! Twice over. The tables must be what `count` makes of all that the journal holds, to the last row, copies included. And,
//! but for fates of lines that came twice, they must be what it makes of the distinct batches, each once; of an abandoned
//! batch the journal tells whether it came in, and it must have come in whole.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::AddAssign;
use std::path::Path;

use castmeter::journal::{Found, RecordKind, Redelivery, inspect};
use castmeter::units::JournalPosition;

use crate::counted::{as_counted, hours};
use crate::load::{Outcome, Sent};
use crate::tables::Tables;
use crate::traffic::Traffic;

/// What was found, in one run or in several.
#[derive(Debug, Default)]
pub struct Report {
    pub kills: usize,
    /// Of services that had committed since they started.
    pub after_commits: usize,
    pub batches: usize,
    /// Distinct.
    pub lines: usize,
    /// For want of an answer.
    pub sent_again: usize,
    /// Though they were answered.
    pub repeated: usize,
    /// Batches that came in again.
    pub copies: usize,
    pub abandoned: usize,
    pub abandoned_but_in: usize,
    /// Records that were counted again after restarts, as far as the service lived to say so.
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
        self.after_commits += other.after_commits;
        self.batches += other.batches;
        self.lines += other.lines;
        self.sent_again += other.sent_again;
        self.repeated += other.repeated;
        self.copies += other.copies;
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
        let Self {
            kills,
            after_commits,
            batches,
            lines,
            sent_again,
            repeated,
            copies,
            abandoned,
            abandoned_but_in,
            ..
        } = self;
        let Self { replayed, lost, doubled, faults, .. } = self;
        writeln!(
            f,
            "{kills} kills, {after_commits} of them after commits; {batches} batches, {lines} lines"
        )?;
        writeln!(
            f,
            "sent again: {sent_again} unanswered, {repeated} answered; {copies} of them had come in already"
        )?;
        writeln!(f, "{abandoned} batches abandoned, {abandoned_but_in} of them had come in")?;
        writeln!(f, "{replayed} records replayed by services that lived to say so")?;
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
        repeated: outcome.repeated,
        abandoned: outcome.sent.iter().filter(|sent| **sent == Sent::Abandoned).count(),
        ..Report::default()
    };
    let kept = Kept::read(journal, traffic, &mut report.faults);
    let mut distinct = traffic.stream.clone();
    for ((index, batch), sent) in traffic.all_batches().enumerate().zip(&outcome.sent) {
        let copies = kept.copies[index];
        report.copies += copies.saturating_sub(1);
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
        // A line that came twice is no loss; and where it is counted as if it were new, that is enough said.
        let differences: Vec<i64> = names
            .into_iter()
            .filter(|name| *name != REDELIVERED)
            .map(|name| lines(&found_lines, name) - lines(&expected_lines, name))
            .collect();
        self.lost = self.lost.max(differences.iter().map(|difference| (-difference).max(0)).sum());
        self.doubled = self.doubled.max(differences.iter().map(|difference| (*difference).max(0)).sum());
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
        // A batch that came again is a reference to where it came first.
        let mut batch_at = HashMap::new();
        let records = inspect::records(folder, JournalPosition::START).unwrap().expect("there is a journal");
        for found in records {
            let entry = match found.unwrap() {
                Found::Entry(entry) => entry,
                Found::Damage(damage) => {
                    faults.push(format!("the journal is damaged: {damage:?}"));
                    continue;
                }
            };
            let record = &entry.record;
            let batch = match record.kind {
                RecordKind::Redelivered => Redelivery::from_payload(&record.payload)
                    .and_then(|redelivery| batch_at.get(&redelivery.first).copied()),
                _ => by_body.get(&*record.payload).copied(),
            };
            match (record.kind, batch) {
                (RecordKind::Rules, _) => {}
                (RecordKind::Stream, None) => kept.lines.extend_from_slice(&record.payload),
                (RecordKind::Batch | RecordKind::Redelivered, Some(index)) => {
                    batch_at.insert(entry.position, index);
                    kept.copies[index] += 1;
                    kept.lines.extend_from_slice(&batches[index].lines);
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

/// As [`fates`] names it.
const REDELIVERED: &str = "ignored|redelivered";

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
