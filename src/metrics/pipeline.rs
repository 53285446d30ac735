//! What is counted and not yet committed: the backlog, and how old lines are when they are committed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::rollup::{Arrived, Ends, Histogram, LAG_SECONDS};
use crate::units::{JournalPosition, Timestamp};

/// Bounds of how long a commit takes, in seconds.
const COMMIT_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Publications kept apart; more than are ever between two commits of a store that answers.
const MOST_PUBLISHED: usize = 256;

/// What was counted up to a position, from the publication before.
#[derive(Clone, Debug)]
struct Published {
    position: JournalPosition,
    lines: u64,
    ends: Ends,
    /// When the first of it was received.
    received_at: Option<Timestamp>,
}

/// From counting to the store.
#[derive(Clone, Debug)]
pub struct Pipeline {
    uncommitted: VecDeque<Published>,
    counted: JournalPosition,
    /// None before the store is claimed.
    committed: Option<JournalPosition>,
    /// What the journal held when the process started, and when that was.
    began: (JournalPosition, Timestamp),
    counted_lines: u64,
    counted_records: u64,
    /// When the last counted record was received.
    last_receipt: Option<Timestamp>,
    pub commit_lag: Histogram,
    pub commit_seconds: Histogram,
    pub commits: u64,
    pub failures: u64,
}

/// What is not in the store yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub lines: u64,
    pub oldest: Duration,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            uncommitted: VecDeque::new(),
            counted: JournalPosition::START,
            committed: None,
            began: (JournalPosition::START, Timestamp::default()),
            counted_lines: 0,
            counted_records: 0,
            last_receipt: None,
            commit_lag: Histogram::new(LAG_SECONDS),
            commit_seconds: Histogram::new(COMMIT_SECONDS),
            commits: 0,
            failures: 0,
        }
    }
}

impl Pipeline {
    /// The journal was opened; the next record gets this position.
    pub fn begin(&mut self, next: JournalPosition, now: Timestamp) {
        self.began = (next, now);
    }

    /// The store has taken in this much from before.
    pub fn claimed(&mut self, position: JournalPosition) {
        self.committed = Some(position);
    }

    /// Counting has come to `position`.
    pub fn publish(&mut self, arrived: Arrived, position: JournalPosition) {
        let Arrived { lines, ends, receipts, .. } = arrived;
        let lines = lines.iter().sum();
        self.counted_lines += lines;
        let before = self.counted.max(self.committed.unwrap_or_default());
        self.counted_records += position.0.saturating_sub(before.0);
        self.counted = position;
        let Some((first, last)) = receipts else { return };
        self.last_receipt = Some(last);
        // The store is down for long: what it has not been asked for yet will be asked for together.
        if self.uncommitted.len() >= MOST_PUBLISHED
            && let Some(newest) = self.uncommitted.back_mut()
        {
            newest.position = position;
            newest.lines += lines;
            for (second, lines) in ends {
                *newest.ends.entry(second).or_default() += lines;
            }
            return;
        }
        self.uncommitted.push_back(Published { position, lines, ends, received_at: Some(first) });
    }

    /// All up to `position` is in the store.
    pub fn commit(&mut self, position: JournalPosition, took: Duration, now: Timestamp) {
        while let Some(published) = self.uncommitted.pop_front_if(|it| it.position <= position) {
            for (second, lines) in published.ends {
                self.commit_lag.observe_many((now.seconds() - second).max(0) as f64, lines);
            }
        }
        self.committed = Some(position);
        self.commits += 1;
        self.commit_seconds.observe(took.as_secs_f64());
    }

    pub fn counted(&self) -> JournalPosition {
        self.counted
    }

    pub fn committed(&self) -> JournalPosition {
        self.committed.unwrap_or_default()
    }

    /// `next`: the position that the journal's next record gets.
    pub fn backlog(&self, next: JournalPosition, now: Timestamp) -> Backlog {
        let committed = self.committed.unwrap_or(self.began.0);
        let uncounted = next.0.saturating_sub(self.counted.max(committed).0);
        let counted: u64 = self.uncommitted.iter().map(|published| published.lines).sum();
        let mean = self.counted_lines as f64 / self.counted_records.max(1) as f64;
        let lines = counted + (uncounted as f64 * mean.max(1.0)).round() as u64;
        let oldest = match self.uncommitted.front() {
            Some(published) => published.received_at,
            None if uncounted > 0 => Some(self.last_receipt.unwrap_or(self.began.1)),
            None => None,
        };
        Backlog { lines, oldest: oldest.map_or(Duration::ZERO, |oldest| now.since(oldest)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    fn arrived(received: i64, ended: i64, lines: u64) -> Arrived {
        Arrived {
            lines: vec![lines],
            ends: Ends::from_iter([(ended, lines)]),
            receipts: Some((at(received), at(received))),
            ..Arrived::default()
        }
    }

    fn backlog(pipeline: &Pipeline, next: u64, now: i64) -> (u64, u64) {
        let Backlog { lines, oldest } = pipeline.backlog(JournalPosition(next), at(now));
        (lines, oldest.as_secs())
    }

    #[test]
    fn the_backlog_is_what_is_not_committed() {
        let mut pipeline = Pipeline::default();
        pipeline.begin(JournalPosition(10), at(70));
        assert_eq!(backlog(&pipeline, 10, 100), (0, 0));
        assert_eq!(backlog(&pipeline, 12, 100), (2, 30), "at least a line each, none older than the process");
        pipeline.claimed(JournalPosition(8));
        pipeline.publish(arrived(90, 88, 30), JournalPosition(11));
        pipeline.publish(arrived(95, 94, 10), JournalPosition(12));
        assert_eq!(backlog(&pipeline, 12, 100), (40, 10));
        assert_eq!(backlog(&pipeline, 14, 100), (60, 10), "ten a record, as those before");
        pipeline.commit(JournalPosition(11), Duration::from_millis(2), at(98));
        assert_eq!(backlog(&pipeline, 12, 100), (10, 5));
        pipeline.commit(JournalPosition(12), Duration::from_millis(2), at(99));
        assert_eq!(backlog(&pipeline, 12, 100), (0, 0));
        assert_eq!(backlog(&pipeline, 13, 100), (10, 5), "since the last that was counted");
        let lags: Vec<_> = pipeline.commit_lag.buckets().filter(|(_, lines)| *lines > 0).collect();
        assert_eq!(lags, [(5.0, 10), (10.0, 30)]);
        assert_eq!((pipeline.commits, pipeline.committed()), (2, JournalPosition(12)));
    }

    #[test]
    fn a_store_that_is_down_for_long_costs_no_more() {
        let mut pipeline = Pipeline::default();
        for position in 1..=10_000 {
            pipeline.publish(arrived(position, position, 1), JournalPosition(position as u64));
        }
        assert_eq!(pipeline.uncommitted.len(), MOST_PUBLISHED);
        assert_eq!(backlog(&pipeline, 10_000, 10_000), (10_000, 9_999));
        pipeline.commit(JournalPosition(10_000), Duration::ZERO, at(10_000));
        assert_eq!((pipeline.uncommitted.len(), pipeline.commit_lag.count()), (0, 10_000));
    }
}
