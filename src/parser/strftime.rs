//! Times in a form that a format string spells out: `%Y-%m-%dT%H:%M:%S%z`, or epoch seconds and their fraction
//! in two places of a line.
//!
//! A pattern is compiled once. What it reads are parts of a time; a line may have several patterns (a date here,
//! a time of day there), whose parts are put together. Fastly writes all times in UTC, so a pattern without an
//! offset is UTC. Names of months are English; names of days are passed over.

use nom::Parser;
use nom::bytes::complete::{take, take_while_m_n};
use nom::combinator::{map, map_opt};
use nom::{IResult, branch::alt};

use super::time::{Civil, digits, micros_of_fraction, month, offset_minutes};
use super::value::number;
use crate::units::Timestamp;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Literal(u8),
    Year,
    /// Without the century: 69 to 99 are of the last one.
    ShortYear,
    Month,
    MonthName,
    /// One or two digits, perhaps after a space.
    Day,
    /// Letters, passed over.
    Weekday,
    Hour,
    /// 1 to 12.
    HalfDayHour,
    AmPm,
    Minute,
    Second,
    /// Digits of a fraction, as many as there are.
    Fraction,
    Offset,
    /// `GMT` or `UTC`.
    Zone,
    /// Since 1970; the number is how many make a second.
    Epoch(u64),
}

/// What patterns have read of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    hour: Option<u32>,
    half_day_hour: Option<u32>,
    afternoon: Option<bool>,
    minute: Option<u32>,
    second: Option<u32>,
    micros: Option<u32>,
    offset: Option<i32>,
    epoch_micros: Option<u64>,
}

impl Parts {
    /// These, and what of `other` these lack.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            year: self.year.or(other.year),
            month: self.month.or(other.month),
            day: self.day.or(other.day),
            hour: self.hour.or(other.hour),
            half_day_hour: self.half_day_hour.or(other.half_day_hour),
            afternoon: self.afternoon.or(other.afternoon),
            minute: self.minute.or(other.minute),
            second: self.second.or(other.second),
            micros: self.micros.or(other.micros),
            offset: self.offset.or(other.offset),
            epoch_micros: self.epoch_micros.or(other.epoch_micros),
        }
    }

    /// The instant they make, if they make one.
    pub(super) fn instant(self) -> Option<Timestamp> {
        let micros = self.micros.unwrap_or(0);
        if let Some(epoch) = self.epoch_micros {
            let fraction = if epoch % 1_000_000 == 0 { u64::from(micros) } else { 0 };
            return Timestamp::from_micros(epoch.checked_add(fraction)?.try_into().ok()?);
        }
        let hour = match (self.hour, self.half_day_hour) {
            (Some(hour), _) => hour,
            (None, hour) => {
                hour.filter(|hour| (1..=12).contains(hour))? % 12 + if self.afternoon? { 12 } else { 0 }
            }
        };
        let clock = (hour, self.minute?, self.second.unwrap_or(0));
        Civil { year: self.year?, month: self.month?, day: self.day?, clock, micros }
            .at_offset(self.offset.unwrap_or(0))
    }
}

impl Pattern {
    /// Compiles a `strftime` format; the error is the conversion that is not known.
    pub(super) fn compile(format: &str) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut rest = format.chars();
        while let Some(character) = rest.next() {
            if character != '%' {
                let mut bytes = [0; 4];
                items.extend(character.encode_utf8(&mut bytes).bytes().map(Item::Literal));
                continue;
            }
            // Flags and `E`, `O` change how a number is padded, which is of no matter.
            let conversion =
                rest.by_ref().find(|c| !matches!(c, '-' | '_' | '0' | '^' | '#' | 'E' | 'O' | ':'));
            items.extend(match conversion {
                Some('Y') => vec![Item::Year],
                Some('y') => vec![Item::ShortYear],
                Some('m') => vec![Item::Month],
                Some('b' | 'B' | 'h') => vec![Item::MonthName],
                Some('d' | 'e') => vec![Item::Day],
                Some('a' | 'A') => vec![Item::Weekday],
                Some('H' | 'k') => vec![Item::Hour],
                Some('I' | 'l') => vec![Item::HalfDayHour],
                Some('p' | 'P') => vec![Item::AmPm],
                Some('M') => vec![Item::Minute],
                Some('S') => vec![Item::Second],
                Some('f' | 'N' | 'L') => vec![Item::Fraction],
                Some('z') => vec![Item::Offset],
                Some('Z') => vec![Item::Zone],
                Some('s') => vec![Item::Epoch(1)],
                Some('T') => Self::compile("%H:%M:%S")?.items,
                Some('R') => Self::compile("%H:%M")?.items,
                Some('r') => Self::compile("%I:%M:%S %p")?.items,
                Some('F') => Self::compile("%Y-%m-%d")?.items,
                Some('D') => Self::compile("%m/%d/%y")?.items,
                Some('c') => Self::compile("%a %b %e %H:%M:%S %Y")?.items,
                Some('n') => vec![Item::Literal(b'\n')],
                Some('t') => vec![Item::Literal(b'\t')],
                Some('%') => vec![Item::Literal(b'%')],
                other => return Err(format!("%{}", other.map_or(String::new(), String::from))),
            });
        }
        Ok(Self { items })
    }

    /// Epoch time of `per_second` units.
    pub(super) fn epoch(per_second: u64) -> Self {
        Self { items: vec![Item::Epoch(per_second)] }
    }

    /// The digits of a second's fraction, alone.
    pub(super) fn fraction() -> Self {
        Self { items: vec![Item::Fraction] }
    }

    /// The parts that `text` has, if all of it is as the pattern says.
    pub(super) fn read(&self, text: &[u8]) -> Option<Parts> {
        let mut parts = Parts::default();
        let mut rest = text;
        for item in &self.items {
            (rest, ()) = item.read(rest, &mut parts).ok()?;
        }
        rest.is_empty().then_some(parts)
    }

    /// Parts such as this pattern reads, to see whether several patterns together make an instant.
    pub(super) fn example(&self) -> Parts {
        let mut parts = Parts::default();
        for item in &self.items {
            match item {
                Item::Year | Item::ShortYear => parts.year = Some(2000),
                Item::Month | Item::MonthName => parts.month = Some(1),
                Item::Day => parts.day = Some(1),
                Item::Hour => parts.hour = Some(1),
                Item::HalfDayHour => parts.half_day_hour = Some(1),
                Item::AmPm => parts.afternoon = Some(false),
                Item::Minute => parts.minute = Some(1),
                Item::Second => parts.second = Some(1),
                Item::Fraction => parts.micros = Some(1),
                Item::Offset | Item::Zone => parts.offset = Some(0),
                Item::Epoch(_) => parts.epoch_micros = Some(1),
                Item::Literal(_) | Item::Weekday => {}
            }
        }
        parts
    }
}

type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

impl Item {
    fn read<'a>(&self, input: &'a [u8], parts: &mut Parts) -> Parsed<'a, ()> {
        match self {
            Self::Literal(byte) => {
                map_opt(take(1usize), |seen: &[u8]| (seen[0] == *byte).then_some(())).parse(input)
            }
            Self::Year => put(digits::<4>, input, &mut parts.year),
            Self::ShortYear => {
                let full = |year| if year < 69 { 2000 + year } else { 1900 + year };
                put(map(digits::<2>, full), input, &mut parts.year)
            }
            Self::Month => put(one_or_two, input, &mut parts.month),
            Self::MonthName => {
                let (rest, ()) = put(month, input, &mut parts.month)?;
                letters(rest)
            }
            Self::Day => put(one_or_two, input, &mut parts.day),
            Self::Weekday => letters(input),
            Self::Hour => put(one_or_two, input, &mut parts.hour),
            Self::HalfDayHour => put(one_or_two, input, &mut parts.half_day_hour),
            Self::AmPm => put(am_pm, input, &mut parts.afternoon),
            Self::Minute => put(digits::<2>, input, &mut parts.minute),
            Self::Second => put(digits::<2>, input, &mut parts.second),
            Self::Fraction => {
                let digits = take_while_m_n(1, 9, |byte: u8| byte.is_ascii_digit());
                put(map(digits, micros_of_fraction), input, &mut parts.micros)
            }
            Self::Offset => put(offset_minutes, input, &mut parts.offset),
            Self::Zone => put(utc, input, &mut parts.offset),
            Self::Epoch(per_second) => put(epoch(*per_second), input, &mut parts.epoch_micros),
        }
    }
}

fn put<'a, T>(
    mut parser: impl Parser<&'a [u8], Output = T, Error = ()>,
    input: &'a [u8],
    part: &mut Option<T>,
) -> Parsed<'a, ()> {
    let (rest, value) = parser.parse(input)?;
    *part = Some(value);
    Ok((rest, ()))
}

/// ` 7`, `07`, `7` or `17`
fn one_or_two(input: &[u8]) -> Parsed<'_, u32> {
    let input = input.strip_prefix(b" ").unwrap_or(input);
    alt((digits::<2>, digits::<1>)).parse(input)
}

fn letters(input: &[u8]) -> Parsed<'_, ()> {
    map(nom::bytes::complete::take_while(|byte: u8| byte.is_ascii_alphabetic()), |_| ()).parse(input)
}

fn am_pm(input: &[u8]) -> Parsed<'_, bool> {
    map_opt(take(2usize), |text: &[u8]| match text.to_ascii_lowercase().as_slice() {
        b"am" => Some(false),
        b"pm" => Some(true),
        _ => None,
    })
    .parse(input)
}

fn utc(input: &[u8]) -> Parsed<'_, i32> {
    map_opt(take(3usize), |zone: &[u8]| matches!(zone, b"GMT" | b"UTC").then_some(0)).parse(input)
}

fn epoch<'a>(per_second: u64) -> impl Parser<&'a [u8], Output = u64, Error = ()> {
    let digits = take_while_m_n(1, 18, |byte: u8| byte.is_ascii_digit());
    map_opt(digits, move |digits: &[u8]| number(digits)?.checked_mul(1_000_000 / per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(patterns: &[(&str, &str)]) -> Option<String> {
        let mut all = Parts::default();
        for (format, text) in patterns {
            all = Pattern::compile(format).unwrap().read(text.as_bytes())?.or(all);
        }
        all.instant().map(|time| time.to_string())
    }

    #[test]
    fn one_pattern() {
        for (format, text, expected) in [
            ("%Y-%m-%dT%H:%M:%S%z", "2024-08-09T18:23:17+0000", Some("2024-08-09T18:23:17Z")),
            ("%Y-%m-%dT%H:%M:%S%z", "2024-08-09T18:23:17+02:00", Some("2024-08-09T16:23:17Z")),
            ("%Y-%m-%d %T", "2024-08-09 18:23:17", Some("2024-08-09T18:23:17Z")),
            ("%d/%b/%Y:%H:%M:%S %z", "14/Oct/2016:16:56:40 +0000", Some("2016-10-14T16:56:40Z")),
            ("%a, %d %b %Y %T %Z", "Fri, 11 Nov 2016 13:00:00 GMT", Some("2016-11-11T13:00:00Z")),
            ("%A %e %B %y %I:%M %p", "Friday  4 November 16 12:05 AM", Some("2016-11-04T00:05:00Z")),
            ("%D %r", "11/04/16 01:02:03 PM", Some("2016-11-04T13:02:03Z")),
            ("%F %k:%M:%S.%f", "2016-11-04  7:02:03.25", Some("2016-11-04T07:02:03.250Z")),
            ("%Y%m%d%H%M%S", "20161104070203", Some("2016-11-04T07:02:03Z")),
            ("%s", "1793509323", Some("2026-11-01T05:02:03Z")),
            ("%-d.%-m.%Y %R 100%%", "4.1.2016 07:02 100%", Some("2016-01-04T07:02:00Z")),
            ("%Y-%m-%d %T", "2024-02-30 18:23:17", None),
            ("%Y-%m-%d %T", "2024-02-28 18:23:17Z", None),
            ("%Y-%m-%d %T", "2024-02-28T18:23:17", None),
            ("%I:%M %F", "13:00 2024-01-01", None),
            ("%F %T %Z", "2024-01-01 00:00:00 CET", None),
            ("%F", "2024-01-01", None),
            ("%T", "18:23:17", None),
        ] {
            assert_eq!(read(&[(format, text)]).as_deref(), expected, "{format} {text}");
        }
    }

    #[test]
    fn several_patterns_of_one_line() {
        assert_eq!(
            read(&[("%F", "2018-11-30"), ("%T %z", "15:09:56 +0000")]).as_deref(),
            Some("2018-11-30T15:09:56Z")
        );
        assert_eq!(
            read(&[("%s", "1793509323"), ("%f", "000250")]).as_deref(),
            Some("2026-11-01T05:02:03.000250Z")
        );
        let mut example = Pattern::compile("%F").unwrap().example();
        assert!(example.instant().is_none());
        example = example.or(Pattern::compile("%T").unwrap().example());
        assert!(example.instant().is_some());
        for units in [1, 1_000, 1_000_000] {
            let parts = Pattern::epoch(units).read(format!("{}", 1_793_509_323 * units).as_bytes()).unwrap();
            assert_eq!(parts.instant().unwrap().seconds(), 1_793_509_323);
        }
    }

    #[test]
    fn conversions_that_are_not_known() {
        for (format, expected) in [("%Q", "%Q"), ("%Y-%", "%"), ("%U", "%U")] {
            assert_eq!(Pattern::compile(format), Err(expected.to_owned()));
        }
    }
}
