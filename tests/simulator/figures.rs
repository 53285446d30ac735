//! What was simulated, in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

/// Sums over seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub seeds: u64,
    pub steps: u64,
    /// Distinct ones, those sent again not among them.
    pub lines: u64,
    pub kills: u64,
    pub power_failures: u64,
    pub stops: u64,
    pub commits: u64,
    pub failed_commits: u64,
    pub refused: u64,
    pub sent_again: u64,
    pub disk_faults: u64,
    pub fenced: u64,
    pub restored: u64,
    pub rules: u64,
    pub snapshots_used: u64,
    pub snapshots_spoilt: u64,
    /// Each against the reference or the undisturbed count, to the last number.
    pub comparisons: u64,
    /// Compared with the undisturbed count, by table.
    pub rows: BTreeMap<String, usize>,
}

impl Figures {
    pub fn count_rows(&mut self, tables: &[String], rows: &[String]) {
        for table in tables {
            let of_table = rows.iter().filter(|row| row.split('|').next() == Some(table)).count();
            *self.rows.entry(table.clone()).or_default() += of_table;
        }
    }
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.lines += other.lines;
        self.kills += other.kills;
        self.power_failures += other.power_failures;
        self.stops += other.stops;
        self.commits += other.commits;
        self.failed_commits += other.failed_commits;
        self.refused += other.refused;
        self.sent_again += other.sent_again;
        self.disk_faults += other.disk_faults;
        self.fenced += other.fenced;
        self.restored += other.restored;
        self.rules += other.rules;
        self.snapshots_used += other.snapshots_used;
        self.snapshots_spoilt += other.snapshots_spoilt;
        self.comparisons += other.comparisons;
        for (table, rows) in other.rows {
            *self.rows.entry(table).or_default() += rows;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<String> = self.rows.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
        write!(
            f,
            "{} seeds, {} steps, {} lines; {} kills, {} power failures, {} orderly stops; {} commits, {} failed or \
             unanswered, {} times fenced off, {} times restored from a backup; {} batches refused, {} sent again; \
             {} disk faults; {} rules noted; {} restarts from a snapshot, {} snapshots damaged; {} times \
             the tables compared, all equal; rows of tables beside an undisturbed count: {}",
            self.seeds,
            self.steps,
            self.lines,
            self.kills,
            self.power_failures,
            self.stops,
            self.commits,
            self.failed_commits,
            self.fenced,
            self.restored,
            self.refused,
            self.sent_again,
            self.disk_faults,
            self.rules,
            self.snapshots_used,
            self.snapshots_spoilt,
            self.comparisons,
            rows.join(", "),
        )
    }
}
