//! When a day is closed: by event time, never by the wall clock alone.
//!
//! The watermark of a source is the largest start among its lines that began no more than five minutes after their
//! receipt (a clock gone wrong must not close days); of the whole, the lowest among the sources that sent anything in
//! the hour before. A day closes when the watermark passes its end + lateness, and never opens again.

use std::time::Duration;

use crate::units::{SourceId, Timestamp, UtcDay};

const CLOCK_TOLERANCE: Duration = Duration::from_secs(5 * 60);
const SILENT_AFTER: Duration = Duration::from_secs(60 * 60);

/// How far each source has come, and which days that closes.
#[derive(Clone, Debug)]
pub struct Watermark {
    lateness: Duration,
    sources: Vec<SourceMark>,
    /// The first day that is not closed; none is before the first line.
    open_from: Option<UtcDay>,
}

#[derive(Clone, Copy, Debug, Default)]
struct SourceMark {
    mark: Option<Timestamp>,
    heard_at: Option<Timestamp>,
}

impl Watermark {
    pub fn new(lateness: Duration) -> Self {
        Self { lateness, sources: Vec::new(), open_from: None }
    }

    /// What is closed stays closed.
    pub fn set_lateness(&mut self, lateness: Duration) {
        self.lateness = lateness;
    }

    pub fn is_closed(&self, day: UtcDay) -> bool {
        self.open_from.is_some_and(|open| day < open)
    }

    /// The first day that is not closed; none before the first line.
    pub fn open_from(&self) -> Option<UtcDay> {
        self.open_from
    }

    /// Takes a line into account. Gives the first open day where that closed days.
    pub fn advance(&mut self, source: SourceId, start: Timestamp, received_at: Timestamp) -> Option<UtcDay> {
        let at = usize::from(source.0);
        if at >= self.sources.len() {
            self.sources.resize(at + 1, SourceMark::default());
        }
        let entry = &mut self.sources[at];
        entry.heard_at = entry.heard_at.max(Some(received_at));
        if start > received_at.plus(CLOCK_TOLERANCE) || entry.mark >= Some(start) {
            return None;
        }
        entry.mark = Some(start);
        // Only a step past a day's end can close anything, and the first line closes what lies before it.
        let reached = self.reached(start);
        if self.open_from.is_some_and(|open| reached <= open) {
            return None;
        }
        let open = self.reached(self.whole(received_at)?);
        let closed = self.open_from < Some(open);
        self.open_from = self.open_from.max(Some(open));
        closed.then_some(open)
    }

    /// The watermark of the whole: None before the first line.
    pub fn whole(&self, now: Timestamp) -> Option<Timestamp> {
        let heard = |source: &&SourceMark| source.heard_at.is_some_and(|at| at.plus(SILENT_AFTER) >= now);
        self.sources.iter().filter(heard).filter_map(|source| source.mark).min()
    }

    /// The first day that a watermark leaves open.
    fn reached(&self, mark: Timestamp) -> UtcDay {
        // A day is closed once the mark is past its end + lateness, not when it just touches it.
        mark.minus(self.lateness).minus(Duration::from_micros(1)).day()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;
    const WEB: SourceId = SourceId(0);
    const SYSLOG: SourceId = SourceId(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    #[test]
    fn a_day_closes_when_the_mark_passes_its_end_and_lateness() {
        let mut mark = Watermark::new(Duration::from_secs(6 * 3600));
        let line = |mark: &mut Watermark, start| mark.advance(WEB, at(start), at(start + 10));
        line(&mut mark, 30 * HOUR);
        assert!(!mark.is_closed(UtcDay(0)), "the mark touches the end");
        assert_eq!(line(&mut mark, 30 * HOUR + 1), Some(UtcDay(1)));
        assert!(mark.is_closed(UtcDay(0)) && !mark.is_closed(UtcDay(1)));
        assert_eq!(line(&mut mark, 5 * HOUR), None, "an older line moves nothing back");
        assert!(mark.is_closed(UtcDay(0)));
        assert_eq!(line(&mut mark, 79 * HOUR), Some(UtcDay(3)));
    }

    #[test]
    fn a_clock_gone_wrong_closes_nothing() {
        let mut mark = Watermark::new(Duration::ZERO);
        mark.advance(WEB, at(1000), at(1000));
        assert_eq!(mark.advance(WEB, at(500 * HOUR), at(1000)), None);
        assert_eq!(mark.advance(WEB, at(24 * HOUR + 301), at(24 * HOUR)), None);
        assert_eq!(mark.advance(WEB, at(24 * HOUR + 300), at(24 * HOUR)), Some(UtcDay(1)));
    }

    #[test]
    fn the_slowest_source_that_still_sends_decides() {
        let mut mark = Watermark::new(Duration::ZERO);
        mark.advance(WEB, at(HOUR), at(HOUR));
        mark.advance(SYSLOG, at(HOUR), at(HOUR));
        assert_eq!(mark.advance(WEB, at(25 * HOUR), at(2 * HOUR)), None, "too far ahead of its receipt");
        assert_eq!(mark.advance(SYSLOG, at(HOUR + 5), at(25 * HOUR)), None);
        assert_eq!(
            mark.advance(WEB, at(25 * HOUR), at(25 * HOUR)),
            None,
            "syslog is still in the day before"
        );
        assert_eq!(
            mark.advance(WEB, at(26 * HOUR), at(26 * HOUR + 1)),
            Some(UtcDay(1)),
            "syslog fell silent"
        );
    }
}
