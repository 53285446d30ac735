//! When each line comes out: spread over the days as the world's listening is spread over the day.
//!
//! The first line comes out one [`HORIZON`] after the start and the last before the end, so that every request
//! begins within the generated days, although it began up to the horizon before its line was written.

use super::Options;
use super::places::Places;
use super::rng::Rng;
use crate::units::{Timestamp, UtcHour};

pub const MICROS_PER_SECOND: i64 = 1_000_000;
pub const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;

/// No transfer lasts longer: 41 minutes, the longest seen in public logs of a podcast on Fastly.
pub const HORIZON: i64 = 41 * 60 * MICROS_PER_SECOND;

/// Fractions of a microsecond, so that millions of lines a second keep apart.
const FRACTION_BITS: u32 = 20;

/// The times of all lines, in order.
#[derive(Debug)]
pub struct Schedule {
    hours: std::vec::IntoIter<Stretch>,
    current: Stretch,
    /// Since `current.start`, in fractions of a microsecond.
    elapsed: u64,
    left: u64,
    rng: Rng,
}

/// A part of an hour and the lines that come out in it: one somewhere in each step.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    start: i64,
    lines: u64,
    step: u64,
}

impl Schedule {
    pub fn new(options: &Options, places: &Places) -> Self {
        let first = options.start.micros() + HORIZON;
        let end = options.end().micros();
        let mut parts = Vec::new();
        let mut at = first;
        while at < end {
            let hour = UtcHour(at.div_euclid(MICROS_PER_HOUR) as i32);
            let until = ((i64::from(hour.0) + 1) * MICROS_PER_HOUR).min(end);
            let load = places.load(hour.0.rem_euclid(24) as u32);
            parts.push((at, until, u128::from(load) * (until - at) as u128));
            at = until;
        }
        let total: u128 = parts.iter().map(|(_, _, load)| load).sum();
        let mut before = 0;
        let mut stretches = Vec::with_capacity(parts.len());
        for (start, until, load) in parts {
            let lines_before = |load: u128| (u128::from(options.lines) * load / total) as u64;
            let lines = lines_before(before + load) - lines_before(before);
            before += load;
            let step = ((until - start) as u64) << FRACTION_BITS;
            stretches.push(Stretch { start, lines, step: step / lines.max(1) });
        }
        let mut hours = stretches.into_iter();
        // None where the calendar ends.
        let current = hours.next().unwrap_or_default();
        Self { hours, left: current.lines, current, elapsed: 0, rng: Rng::new(options.seed) }
    }

    /// When the next line comes out; None after the last.
    pub fn next(&mut self) -> Option<Timestamp> {
        while self.left == 0 {
            self.current = self.hours.next()?;
            self.left = self.current.lines;
            self.elapsed = 0;
        }
        self.left -= 1;
        let within = self.elapsed + self.rng.below(self.current.step);
        let micros = self.current.start + (within >> FRACTION_BITS) as i64;
        self.elapsed += self.current.step;
        Timestamp::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_times_as_lines_in_order_within_the_days() {
        let places = Places::new(100);
        for (lines, days) in [(0, 1), (1, 1), (10, 3), (100_000, 2), (3, 400)] {
            let options = Options { lines, days, ..Options::default() };
            let mut schedule = Schedule::new(&options, &places);
            let times: Vec<Timestamp> = std::iter::from_fn(|| schedule.next()).collect();
            assert_eq!(times.len() as u64, lines);
            assert!(times.is_sorted());
            assert!(times.iter().all(|time| time.micros() >= options.start.micros() + HORIZON));
            assert!(times.iter().all(|time| *time < options.end()));
        }
    }

    #[test]
    fn where_the_calendar_ends_there_are_no_lines() {
        let start = Timestamp::from_seconds(253_402_300_799).unwrap();
        let options = Options { start, ..Options::default() };
        assert_eq!(Schedule::new(&options, &Places::new(1)).next(), None);
    }

    #[test]
    fn every_day_has_its_share_and_every_hour_some() {
        let options = Options { lines: 240_000, days: 3, ..Options::default() };
        let mut schedule = Schedule::new(&options, &Places::new(100));
        let mut hours = [0_u32; 72];
        while let Some(time) = schedule.next() {
            hours[(time.hour().0 - options.start.hour().0) as usize] += 1;
        }
        assert!(hours[1..].iter().all(|lines| (800..8_000).contains(lines)), "{hours:?}");
        let quietest = hours[1..].iter().min().unwrap();
        let busiest = hours.iter().max().unwrap();
        assert!(busiest > &(2 * quietest), "{hours:?}");
    }
}
