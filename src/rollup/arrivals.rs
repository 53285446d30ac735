//! How lines arrive: how many, how long after their requests, and how many listeners there are just now.
//!
//! For metrics only; nothing of it is stored, and nothing that is stored depends on it. Kept apart by second, so that
//! a batch costs little more than its distinct seconds: when lines are committed their ages are known from there.

use hashbrown::HashMap;

use super::histogram::Histogram;
use super::live::LiveListeners;
use crate::units::{ListenerKey, SourceId, Timestamp};

/// Bounds of lag in seconds, from one second to a day.
pub const LAG_SECONDS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0];

/// A lag above all bounds is as good as any other; it bounds the seconds that are kept apart.
const GREATEST_LAG_SECONDS: i64 = 172_800;

/// Listeners that are seen together.
const MANY: usize = 1024;

/// Lines by the second in which their requests ended.
pub type Ends = HashMap<i64, u64>;

/// What arrived since it was last taken.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Lines cut from what was received, by source id; malformed ones included.
    pub lines: Vec<u64>,
    /// Of lines that could be read.
    pub ends: Ends,
    /// From a request's end to the receipt of its line.
    pub receipt_lag: Histogram,
    /// Of the first record and of the last.
    pub receipts: Option<(Timestamp, Timestamp)>,
}

impl Default for Arrived {
    fn default() -> Self {
        let receipt_lag = Histogram::new(LAG_SECONDS);
        Self { lines: Vec::new(), ends: Ends::new(), receipt_lag, receipts: None }
    }
}

/// Watches lines arrive.
#[derive(Clone, Debug, Default)]
pub struct Arrivals {
    arrived: Arrived,
    live: LiveListeners,
    received_at: Timestamp,
    /// Listeners of valid lines that are not in `live` yet.
    came: Vec<ListenerKey>,
    /// The second that the last lines ended in, and how many; most lines of a batch share few.
    run: (i64, u64),
}

impl Arrivals {
    /// Lines received together follow.
    pub fn begin(&mut self, received_at: Timestamp) {
        self.settle();
        self.end_run();
        self.received_at = received_at;
        let first = self.arrived.receipts.map_or(received_at, |(first, _)| first);
        self.arrived.receipts = Some((first, received_at));
    }

    /// One line; `ended` is when its request did, where it could be read.
    pub fn line(&mut self, source: SourceId, ended: Option<Timestamp>) {
        let source = usize::from(source.0);
        if self.arrived.lines.len() <= source {
            self.arrived.lines.resize(source + 1, 0);
        }
        self.arrived.lines[source] += 1;
        let Some(ended) = ended else { return };
        let second = ended.seconds();
        if second != self.run.0 {
            self.end_run();
            self.run.0 = second;
        }
        self.run.1 += 1;
    }

    /// A valid line's listener.
    pub fn listener(&mut self, listener: ListenerKey) {
        self.came.push(listener);
        if self.came.len() >= MANY {
            self.settle();
        }
    }

    /// Sees the listeners who came: many at a time, so that waits for memory overlap.
    pub fn settle(&mut self) {
        let Self { live, came, received_at, .. } = self;
        if !came.is_empty() {
            live.see(came.drain(..), *received_at);
        }
    }

    /// What arrived since the last call.
    pub fn take(&mut self) -> Arrived {
        self.end_run();
        std::mem::take(&mut self.arrived)
    }

    /// As it is when settled.
    pub fn live(&self) -> &LiveListeners {
        &self.live
    }

    fn end_run(&mut self) {
        let (second, lines) = std::mem::take(&mut self.run);
        if lines == 0 {
            return;
        }
        let received = self.received_at.seconds();
        let lag = received.saturating_sub(second).clamp(0, GREATEST_LAG_SECONDS);
        self.arrived.receipt_lag.observe_many(lag as f64, lines);
        *self.arrived.ends.entry(received - lag).or_default() += lines;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    #[test]
    fn lines_are_kept_by_the_second_they_ended_in() {
        let mut arrivals = Arrivals::default();
        arrivals.begin(at(100));
        for ended in [97, 97, 98, 97] {
            arrivals.line(SourceId(1), Some(at(ended)));
        }
        arrivals.line(SourceId(0), None);
        arrivals.begin(at(130));
        // Ahead of its receipt: clocks differ. And one that nobody can have waited for.
        arrivals.line(SourceId(1), Some(at(131)));
        arrivals.line(SourceId(1), Some(at(-10_000_000)));
        let arrived = arrivals.take();
        assert_eq!(arrived.lines, [1, 6]);
        assert_eq!(arrived.receipts, Some((at(100), at(130))));
        let mut ends: Vec<_> = arrived.ends.into_iter().collect();
        ends.sort_unstable();
        assert_eq!(ends, [(130 - GREATEST_LAG_SECONDS, 1), (97, 3), (98, 1), (130, 1)]);
        let filled: Vec<_> = arrived.receipt_lag.buckets().filter(|(_, lines)| *lines > 0).collect();
        assert_eq!(filled, [(1.0, 1), (2.0, 1), (5.0, 3), (f64::INFINITY, 1)]);
        assert_eq!(arrivals.take().receipts, None);
    }
}
