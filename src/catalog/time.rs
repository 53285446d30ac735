//! Points in time, as CSV files and feeds write them.
//!
//! CSV files keep to RFC 3339; feeds to RFC 822 and its successors (RFC 2822 §3.3 and §4.3), or mean to. What is
//! forgiven: a wrong or missing weekday, a month in full, a time of day without seconds or none at all, a zone
//! by name or none at all (RFC 2822 reads an unknown name as UTC), and RFC 3339 in a feed.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::values::{Unreadable, is_digits};
use crate::units::Timestamp;

/// Zones by the names that feeds use, where a name means one zone only, and their offset from UTC.
const ZONES: [(&str, &str); 24] = [
    ("UT", "+0000"),
    ("UTC", "+0000"),
    ("GMT", "+0000"),
    ("Z", "+0000"),
    ("WET", "+0000"),
    ("BST", "+0100"),
    ("WEST", "+0100"),
    ("CET", "+0100"),
    ("CEST", "+0200"),
    ("EET", "+0200"),
    ("EEST", "+0300"),
    ("MSK", "+0300"),
    ("JST", "+0900"),
    ("AEST", "+1000"),
    ("AEDT", "+1100"),
    ("NZST", "+1200"),
    ("EST", "-0500"),
    ("EDT", "-0400"),
    ("CST", "-0600"),
    ("CDT", "-0500"),
    ("MST", "-0700"),
    ("MDT", "-0600"),
    ("PST", "-0800"),
    ("PDT", "-0700"),
];

/// An instant as CSV files write it: RFC 3339, with a space for the `T`, or without a zone (then UTC); a date
/// alone (its midnight in UTC); seconds since the epoch (9 to 11 digits). Empty is unknown.
pub(super) fn iso_time(text: &str) -> Result<Option<Timestamp>, Unreadable> {
    if text.is_empty() {
        return Ok(None);
    }
    if (9..=11).contains(&text.len()) && is_digits(text) {
        let seconds = text.parse().map_err(|_| Unreadable)?;
        return Timestamp::from_seconds(seconds).map(Some).ok_or(Unreadable);
    }
    let zoned = || text.parse::<DateTime<FixedOffset>>().ok().map(|time| time.to_utc());
    let naive = || {
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .map(|time| time.and_utc())
    };
    let date = || {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(date.and_time(NaiveTime::MIN).and_utc())
    };
    let time = zoned().or_else(naive).or_else(date).ok_or(Unreadable)?;
    timestamp(time).map(Some)
}

/// An instant as feeds write it. Empty is unknown.
pub(super) fn feed_time(text: &str) -> Result<Option<Timestamp>, Unreadable> {
    let text = text.trim();
    let Some(normal) = rfc2822(text) else { return iso_time(text) };
    let time = DateTime::parse_from_rfc2822(&normal).map_err(|_| Unreadable)?;
    timestamp(time.to_utc()).map(Some)
}

/// The text as RFC 2822 wants it, without the weekday; None where it does not begin as such a date.
fn rfc2822(text: &str) -> Option<String> {
    let mut words = text.split([' ', ',', '\t', '\n', '\r']).filter(|word| !word.is_empty()).peekable();
    words.next_if(|word| word.starts_with(|first: char| first.is_ascii_alphabetic()));
    let day = words.next().filter(|day| day.len() <= 2 && is_digits(day))?;
    let month = words.next()?.get(..3)?;
    let year = words.next()?;
    let time = words.next().unwrap_or("00:00");
    let zone = words.next().unwrap_or_default();
    let offset = match ZONES.iter().find(|(name, _)| name.eq_ignore_ascii_case(zone)) {
        Some((_, offset)) => (*offset).to_owned(),
        None if zone.starts_with(['+', '-']) => zone.replace(':', ""),
        None => "+0000".to_owned(),
    };
    let padding = if time.find(':') == Some(1) { "0" } else { "" };
    Some(format!("{day} {month} {year} {padding}{time} {offset}"))
}

fn timestamp(time: DateTime<Utc>) -> Result<Timestamp, Unreadable> {
    Timestamp::from_micros(time.timestamp_micros()).ok_or(Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_csv_files() {
        let noon = "2026-11-01T12:00:00Z";
        for (text, expected) in [
            (noon, noon),
            ("2026-11-01t12:00:00z", noon),
            ("2026-11-01 12:00:00Z", noon),
            ("2026-11-01 12:00:00 UTC", noon),
            ("2026-11-01 12:00:00 +0000", noon),
            ("2026-11-01T13:00:00+01:00", noon),
            ("2026-11-01T13:00:00+0100", noon),
            ("2026-11-01T12:00:00", noon),
            ("2026-11-01 12:00", noon),
            ("1793534400", noon),
            ("2026-11-01T12:00:00.25Z", "2026-11-01T12:00:00.250Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
        ] {
            let time = iso_time(text).map(|time| time.map(|time| time.to_string()));
            assert_eq!(time, Ok(Some(expected.to_owned())), "{text:?}");
        }
        assert_eq!(iso_time(""), Ok(None));
        for text in ["soon", "2026-13-01", "2026-02-30", "20261101", "01.11.2026", "+262142-01-01T00:00:00Z"]
        {
            assert_eq!(iso_time(text), Err(Unreadable), "{text:?}");
        }
    }

    #[test]
    fn times_of_feeds() {
        let noon = "2026-11-02T12:00:00Z";
        for text in [
            "Mon, 02 Nov 2026 12:00:00 GMT",
            "Mon, 2 Nov 2026 12:00:00 +0000",
            "2 Nov 2026 12:00 UT",
            "Tue, 02 Nov 2026 12:00:00 GMT",
            "Monday, 02 November 2026 12:00:00 Z",
            "Mon,02 Nov 2026 12:00:00 -0000",
            "Mon, 02 Nov 26 12:00:00 GMT",
            "  Mon,  02 Nov 2026\n12:00:00  GMT ",
            "Mon, 02 Nov 2026 07:00:00 EST",
            "Mon, 02 Nov 2026 7:00:00 est",
            "Mon, 02 Nov 2026 14:00:00 CEST",
            "Mon, 02 Nov 2026 14:00:00 +02:00",
            "Mon, 02 Nov 2026 12:00:00 XYZ",
            "Mon, 02 Nov 2026 12:00:00",
            "2026-11-02T13:00:00+01:00",
            "2026-11-02 12:00:00",
        ] {
            let time = feed_time(text).map(|time| time.map(|time| time.to_string()));
            assert_eq!(time, Ok(Some(noon.to_owned())), "{text:?}");
        }
        assert_eq!(
            feed_time("02 Nov 2026").map(|time| time.map(|time| time.day().to_string())),
            Ok(Some("2026-11-02".into()))
        );
        assert_eq!(feed_time(" "), Ok(None));
        for text in [
            "soon",
            "Mon, 32 Nov 2026 12:00:00 GMT",
            "Mon, 02 Nov 2026 25:00:00 GMT",
            "Mon, 02 \u{e9}\u{e9} 2026",
        ] {
            assert_eq!(feed_time(text), Err(Unreadable), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(text: String) {
            let _ = (iso_time(&text), feed_time(&text), feed_time(&format!("Mon, 02 Nov 2026 12:00:00 {text}")));
        }
    }
}
