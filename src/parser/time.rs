//! Times as log lines write them.
//!
//! Text: RFC 3339 (any number of fraction digits, offset with or without a colon), Apache's
//! `14/Oct/2023:13:14:02 +0000` with or without brackets, HTTP's `Fri, 11 Nov 2016 13:00:00 GMT`. Numbers:
//! seconds, milliseconds or microseconds since 1970, told apart by their size where no name says which.
//!
//! Every date is checked against the calendar, every text needs its offset, and digits past the
//! microsecond are cut, not rounded. A leap second (23:59:60 UTC) is read as the last microsecond of its
//! day, since Unix time has no place for it and it must stay in the day it belongs to.

use chrono::NaiveDate;
use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take, take_while};
use nom::character::complete::one_of;
use nom::combinator::{all_consuming, map, map_opt, opt, value, verify};
use nom::sequence::{delimited, preceded, separated_pair, terminated};
use nom::{IResult, Parser};

use super::value::number;
use crate::units::Timestamp;

const MICROS_PER_SECOND: u64 = 1_000_000;
const LAST_MICROSECOND: u32 = 999_999;

/// Epoch numbers below are seconds; the year 5138 in seconds is March 1973 in milliseconds.
const SECONDS_BELOW: u64 = 100_000_000_000;
/// Epoch numbers below, and not seconds, are milliseconds.
const MILLISECONDS_BELOW: u64 = 100_000_000_000_000;

type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

/// Any form, numbers by their size.
pub(super) fn any(text: &[u8]) -> Option<Timestamp> {
    match number(text) {
        Some(seconds) if seconds < SECONDS_BELOW => scaled(seconds, MICROS_PER_SECOND),
        Some(milliseconds) if milliseconds < MILLISECONDS_BELOW => scaled(milliseconds, 1_000),
        Some(microseconds) => scaled(microseconds, 1),
        None => fractional_seconds(text).or_else(|| textual(text)),
    }
}

/// Numbers are microseconds; text says itself what it is.
pub(super) fn in_microseconds(text: &[u8]) -> Option<Timestamp> {
    number(text).map_or_else(|| textual(text), from_microseconds)
}

pub(super) fn from_microseconds(microseconds: u64) -> Option<Timestamp> {
    scaled(microseconds, 1)
}

fn scaled(number: u64, factor: u64) -> Option<Timestamp> {
    Timestamp::from_micros(number.checked_mul(factor)?.try_into().ok()?)
}

fn fractional_seconds(text: &[u8]) -> Option<Timestamp> {
    scaled(seconds_as_micros(text)?, 1)
}

/// Seconds, with or without a decimal fraction, as microseconds.
pub(super) fn seconds_as_micros(text: &[u8]) -> Option<u64> {
    let dot = memchr::memchr(b'.', text).unwrap_or(text.len());
    let seconds = number(&text[..dot]).filter(|seconds| *seconds < SECONDS_BELOW)?;
    let (_, micros) = all_consuming(opt(fraction)).parse(&text[dot..]).ok()?;
    Some(seconds * MICROS_PER_SECOND + u64::from(micros.unwrap_or(0)))
}

fn textual(text: &[u8]) -> Option<Timestamp> {
    let bracketed = delimited(tag("["), apache, tag("]"));
    all_consuming(alt((rfc3339, apache, bracketed, http))).parse(text).ok().map(|(_, time)| time)
}

/// `2016-07-04T22:37:26.123Z`
pub(super) fn rfc3339(input: &[u8]) -> Parsed<'_, Timestamp> {
    let date = (terminated(digits::<4>, tag("-")), terminated(digits::<2>, tag("-")), digits::<2>);
    let parts = (terminated(date, one_of("Tt ")), clock, opt(fraction), offset_minutes);
    map_opt(parts, |((year, month, day), clock, micros, offset)| {
        Civil { year, month, day, clock, micros: micros.unwrap_or(0) }.at_offset(offset)
    })
    .parse(input)
}

/// `14/Oct/2023:13:14:02 +0000`
fn apache(input: &[u8]) -> Parsed<'_, Timestamp> {
    let date = (terminated(digits::<2>, tag("/")), terminated(month, tag("/")), digits::<4>);
    let parts = (separated_pair(date, tag(":"), clock), preceded(tag(" "), offset_minutes));
    map_opt(parts, |(((day, month, year), clock), offset)| {
        Civil { year, month, day, clock, micros: 0 }.at_offset(offset)
    })
    .parse(input)
}

/// `Fri, 11 Nov 2016 13:00:00 GMT`; the day of the week is read over, for the date says it already.
fn http(input: &[u8]) -> Parsed<'_, Timestamp> {
    let date = (terminated(digits::<2>, tag(" ")), terminated(month, tag(" ")), digits::<4>);
    let parts = (preceded(weekday, date), preceded(tag(" "), clock));
    let utc = preceded(tag(" "), alt((value(0, tag("GMT")), value(0, tag("UTC")), offset_minutes)));
    map_opt((parts, utc), |(((day, month, year), clock), offset)| {
        Civil { year, month, day, clock, micros: 0 }.at_offset(offset)
    })
    .parse(input)
}

/// A date and a time of day, not yet known to exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct Civil {
    pub(super) year: u32,
    pub(super) month: u32,
    pub(super) day: u32,
    pub(super) clock: (u32, u32, u32),
    pub(super) micros: u32,
}

impl Civil {
    /// The instant, if there is such a date and time `offset` minutes ahead of UTC.
    pub(super) fn at_offset(self, offset: i32) -> Option<Timestamp> {
        let (hour, minute, second) = self.clock;
        let leap = second == 60;
        let (second, micros) = if leap { (59, LAST_MICROSECOND) } else { (second, self.micros) };
        let local = NaiveDate::from_ymd_opt(self.year.try_into().ok()?, self.month, self.day)?
            .and_hms_micro_opt(hour, minute, second, micros)?
            .and_utc();
        let micros = local.timestamp_micros() - i64::from(offset) * 60 * MICROS_PER_SECOND as i64;
        let time = Timestamp::from_micros(micros)?;
        (!leap || time.seconds().rem_euclid(86_400) == 86_399).then_some(time)
    }
}

/// `13:14:02`; the ranges are checked with the date.
pub(super) fn clock(input: &[u8]) -> Parsed<'_, (u32, u32, u32)> {
    (terminated(digits::<2>, tag(":")), terminated(digits::<2>, tag(":")), digits::<2>).parse(input)
}

/// `.5` as microseconds.
fn fraction(input: &[u8]) -> Parsed<'_, u32> {
    let digits = verify(take_while(|byte: u8| byte.is_ascii_digit()), |digits: &[u8]| !digits.is_empty());
    map(preceded(tag("."), digits), micros_of_fraction).parse(input)
}

/// The first six digits after a decimal point, filled up with zeros.
pub(super) fn micros_of_fraction(digits: &[u8]) -> u32 {
    (0..6).fold(0, |micros, place| {
        micros * 10 + digits.get(place).map_or(0, |digit| u32::from(digit.wrapping_sub(b'0')))
    })
}

/// `Z`, `+01:30` or `+0130`, as minutes ahead of UTC.
pub(super) fn offset_minutes(input: &[u8]) -> Parsed<'_, i32> {
    let sign = alt((value(1, tag("+")), value(-1, tag("-"))));
    let hours = verify(digits::<2>, |hours| *hours < 24);
    let minutes = preceded(opt(tag(":")), verify(digits::<2>, |minutes| *minutes < 60));
    let numeric = map_opt((sign, hours, minutes), |(sign, hours, minutes)| {
        Some(sign * i32::try_from(hours * 60 + minutes).ok()?)
    });
    alt((value(0, one_of("Zz")), numeric)).parse(input)
}

/// `Oct`, in any case.
pub(super) fn month(input: &[u8]) -> Parsed<'_, u32> {
    const NAMES: &[u8] = b"janfebmaraprmayjunjulaugsepoctnovdec";
    map_opt(take(3usize), |name: &[u8]| {
        let index = NAMES.chunks(3).position(|known| known.eq_ignore_ascii_case(name))?;
        u32::try_from(index + 1).ok()
    })
    .parse(input)
}

fn weekday(input: &[u8]) -> Parsed<'_, ()> {
    let names = ("Mon, ", "Tue, ", "Wed, ", "Thu, ", "Fri, ", "Sat, ", "Sun, ");
    let day = |name: &'static str| tag_no_case(name);
    value(
        (),
        alt((
            day(names.0),
            day(names.1),
            day(names.2),
            day(names.3),
            day(names.4),
            day(names.5),
            day(names.6),
        )),
    )
    .parse(input)
}

/// Exactly `N` digits.
#[inline]
pub(super) fn digits<const N: usize>(input: &[u8]) -> Parsed<'_, u32> {
    let (digits, rest) = input.split_first_chunk::<N>().ok_or(nom::Err::Error(()))?;
    let mut value = 0;
    for digit in digits.map(|digit| digit.wrapping_sub(b'0')) {
        if digit > 9 {
            return Err(nom::Err::Error(()));
        }
        value = value * 10 + u32::from(digit);
    }
    Ok((rest, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(time: Option<Timestamp>) -> String {
        time.map_or_else(|| "none".to_owned(), |time| time.to_string())
    }

    #[test]
    fn every_textual_form() {
        for (text, expected) in [
            ("2026-11-01T05:02:03Z", "2026-11-01T05:02:03Z"),
            ("2026-11-01t05:02:03z", "2026-11-01T05:02:03Z"),
            ("2026-11-01 05:02:03Z", "2026-11-01T05:02:03Z"),
            ("2026-11-01T05:02:03.5Z", "2026-11-01T05:02:03.500Z"),
            ("2026-11-01T05:02:03.123456789Z", "2026-11-01T05:02:03.123456Z"),
            ("2026-11-01T05:02:03+00:00", "2026-11-01T05:02:03Z"),
            ("2024-08-09T18:23:17+0000", "2024-08-09T18:23:17Z"),
            ("2024-08-09T00:23:17+0130", "2024-08-08T22:53:17Z"),
            ("2024-08-09T23:23:17-01:30", "2024-08-10T00:53:17Z"),
            ("2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00Z"),
            ("14/Oct/2023:13:14:02 +0000", "2023-10-14T13:14:02Z"),
            ("[14/Oct/2023:13:14:02 +0000]", "2023-10-14T13:14:02Z"),
            ("14/oct/2023:00:14:02 +0200", "2023-10-13T22:14:02Z"),
            ("Fri, 11 Nov 2016 13:00:00 GMT", "2016-11-11T13:00:00Z"),
            ("Fri, 11 Nov 2016 13:00:00 UTC", "2016-11-11T13:00:00Z"),
            ("Fri, 11 Nov 2016 13:00:00 +0100", "2016-11-11T12:00:00Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z"),
            ("2017-01-01T00:59:60+01:00", "2016-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(shown(any(text.as_bytes())), expected, "{text}");
            assert_eq!(shown(in_microseconds(text.as_bytes())), expected, "{text}");
        }
    }

    #[test]
    fn numbers_by_their_size() {
        for (text, expected) in [
            ("0", "1970-01-01T00:00:00Z"),
            ("1793509323", "2026-11-01T05:02:03Z"),
            ("99999999999", "5138-11-16T09:46:39Z"),
            ("100000000000", "1973-03-03T09:46:40Z"),
            ("1793509323001", "2026-11-01T05:02:03.001Z"),
            ("1793509323000001", "2026-11-01T05:02:03.000001Z"),
            ("1793509323.5", "2026-11-01T05:02:03.500Z"),
            ("1793509323.0000019", "2026-11-01T05:02:03.000001Z"),
            ("253402300799999999", "9999-12-31T23:59:59.999999Z"),
            ("253402300800000000", "none"),
        ] {
            assert_eq!(shown(any(text.as_bytes())), expected, "{text}");
        }
    }

    #[test]
    fn numbers_by_their_name() {
        let text = b"1793509323";
        assert_eq!(shown(in_microseconds(text)), "1970-01-01T00:29:53.509323Z");
        assert_eq!(shown(in_microseconds(b"1793509323.25")), "none");
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "now",
            "-1793509323",
            "1793509323.",
            ".5",
            "1793509323001.5",
            "1.79e9",
            "18446744073709551616",
            "2026-11-01",
            "2026-11-01T05:02:03",
            "2026-11-01T05:02Z",
            "2026-11-01T05:02:03.Z",
            "2026-11-01T05:02:03Z ",
            "2026-11-01T05:02:03+1",
            "2026-11-01T05:02:03+24:00",
            "2026-11-01T05:02:03+00:60",
            "2026-02-29T05:02:03Z",
            "2026-13-01T05:02:03Z",
            "2026-00-01T05:02:03Z",
            "2026-11-31T05:02:03Z",
            "2026-11-01T24:00:00Z",
            "2026-11-01T05:60:00Z",
            "2026-11-01T05:02:60Z",
            "2026-11-01T23:59:61Z",
            "0000-01-01T00:00:00+00:01",
            "[14/Oct/2023:13:14:02 +0000",
            "14/Okt/2023:13:14:02 +0000",
            "31/Nov/2023:13:14:02 +0000",
            "14/Oct/2023:13:14:02",
            "Fri 11 Nov 2016 13:00:00 GMT",
            "Fri, 11 Nov 2016 13:00:00",
            "Fri, 11 Nov 2016 13:00:00 CET",
            "Fre, 11 Nov 2016 13:00:00 GMT",
        ] {
            assert_eq!(shown(any(text.as_bytes())), "none", "{text}");
        }
    }
}
