//! Instants, UTC days and UTC hours, as plain numbers. Nothing here reads a clock.
//!
//! All time in castmeter is UTC and proleptic Gregorian, without leap seconds, as Unix time is.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};

use serde::{Deserialize, Serialize};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// Microseconds since 1970-01-01T00:00:00Z. Always within the years 0000 to 9999, so that it can be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    const MIN_MICROS: i64 = -62_167_219_200 * MICROS_PER_SECOND;
    const MAX_MICROS: i64 = 253_402_300_800 * MICROS_PER_SECOND - 1;

    /// None outside the years 0000 to 9999.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (Self::MIN_MICROS..=Self::MAX_MICROS).contains(&micros).then_some(Self(micros))
    }

    pub fn from_seconds(seconds: i64) -> Option<Self> {
        Self::from_micros(seconds.checked_mul(MICROS_PER_SECOND)?)
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    pub fn day(self) -> UtcDay {
        UtcDay(self.whole(MICROS_PER_DAY))
    }

    pub fn hour(self) -> UtcHour {
        UtcHour(self.whole(MICROS_PER_HOUR))
    }

    /// How many times so many microseconds have passed since the epoch, rounded down.
    #[inline]
    fn whole(self, micros: i64) -> i32 {
        let count = match u64::try_from(self.0) {
            // Half as dear as a division that looks for signs.
            Ok(passed) => (passed / micros.unsigned_abs()) as i64,
            Err(_) => self.0.div_euclid(micros),
        };
        i32::try_from(count).expect("years 0 to 9999")
    }

    /// Saturates at the ends of the range.
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }

    /// Saturates at the ends of the range.
    pub fn minus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros).max(Self::MIN_MICROS))
    }

    /// How much later this is than `earlier`; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.micros_since(earlier))
    }

    /// As [`Timestamp::plus`].
    pub fn plus_micros(self, micros: u64) -> Self {
        let micros = i64::try_from(micros).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros).min(Self::MAX_MICROS))
    }

    /// As [`Timestamp::since`].
    pub fn micros_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).expect("years 0 to 9999")
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros().clamp(Self::MIN_MICROS, Self::MAX_MICROS))
    }
}

/// RFC 3339 in UTC with as many digits as are needed: `2026-11-01T05:00:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// A UTC day, as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UtcDay(pub i32);

impl UtcDay {
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * MICROS_PER_DAY)
    }

    pub fn first_hour(self) -> UtcHour {
        UtcHour(self.0 * 24)
    }

    /// The first instant that is not in this day any more.
    pub fn end(self) -> Timestamp {
        Self(self.0 + 1).start()
    }

    /// Saturates at the years 0 and 9999.
    pub fn of(date: NaiveDate) -> Self {
        Timestamp::from(date.and_time(NaiveTime::MIN).and_utc()).day()
    }

    pub fn to_date(self) -> NaiveDate {
        self.start().to_utc().date_naive()
    }
}

/// `2026-11-01`.
impl fmt::Display for UtcDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_date().format("%Y-%m-%d").fmt(f)
    }
}

/// A UTC hour, as hours since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UtcHour(pub i32);

impl UtcHour {
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * MICROS_PER_HOUR)
    }

    pub fn day(self) -> UtcDay {
        // As above, of what most hours are: not before 1970.
        UtcDay(u32::try_from(self.0).map_or_else(|_| self.0.div_euclid(24), |hours| (hours / 24) as i32))
    }
}

/// `2026-11-01T05:00:00Z`.
impl fmt::Display for UtcHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours_of_an_instant() {
        let time = Timestamp::from_micros(1_793_509_323_000_001).unwrap();
        assert_eq!(time.to_string(), "2026-11-01T05:02:03.000001Z");
        assert_eq!(time.day().to_string(), "2026-11-01");
        assert_eq!(time.hour().to_string(), "2026-11-01T05:00:00Z");
        assert_eq!(time.hour().day(), time.day());
        assert_eq!(time.day().end().to_string(), "2026-11-02T00:00:00Z");
    }

    #[test]
    fn before_the_epoch_rounds_down() {
        let time = Timestamp::from_micros(-1).unwrap();
        assert_eq!((time.day().0, time.hour().0, time.seconds()), (-1, -1, -1));
        assert_eq!(time.hour().day(), time.day());
    }

    #[test]
    fn only_what_can_be_shown_is_a_timestamp() {
        assert_eq!(Timestamp::from_seconds(253_402_300_799).unwrap().to_string(), "9999-12-31T23:59:59Z");
        assert!(Timestamp::from_seconds(253_402_300_800).is_none());
        assert!(Timestamp::from_seconds(i64::MAX).is_none());
    }
}
