//! The values that CSV files and feeds share: paths, byte counts, durations, times.
//!
//! All are total functions of text that tell "unknown" from "unreadable": `Ok(None)` is a value that says it is
//! not known (empty, or 0 where 0 makes no sense), `Err(Unreadable)` is one that says nothing.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use percent_encoding::percent_decode_str;

use crate::units::Timestamp;

/// Text that is not a value of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Digits; a spreadsheet's `.0` behind them is forgiven. Empty is unknown.
pub(super) fn whole_number(text: &str) -> Result<Option<u64>, Unreadable> {
    if text.is_empty() {
        return Ok(None);
    }
    let (digits, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !is_digits(digits) || !fraction.bytes().all(|byte| byte == b'0') {
        return Err(Unreadable);
    }
    digits.parse().map(Some).map_err(|_| Unreadable)
}

/// Whole milliseconds of `1834`, `1834.5`, `30:34` or `00:30:34.5`. Half a millisecond is rounded up. Empty
/// and 0 are unknown.
pub(super) fn duration_ms(text: &str) -> Result<Option<u64>, Unreadable> {
    if text.is_empty() {
        return Ok(None);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fields: Vec<&str> = whole.split(':').collect();
    if fields.len() > 3 || !is_digits(fraction) || !fields.iter().all(|field| is_digits(field)) {
        return Err(Unreadable);
    }
    let seconds = fields.iter().try_fold(0_u64, |sum, field| {
        let field = field.parse().map_err(|_| Unreadable)?;
        sum.checked_mul(60).and_then(|sum| sum.checked_add(field)).ok_or(Unreadable)
    })?;
    let milliseconds = seconds
        .checked_mul(1_000)
        .and_then(|whole| whole.checked_add(fraction_milliseconds(fraction)))
        .ok_or(Unreadable)?;
    Ok((milliseconds > 0).then_some(milliseconds))
}

/// The digits after a decimal point, as milliseconds: `5` is 500, `0005` is 1.
fn fraction_milliseconds(digits: &str) -> u64 {
    let digit = |at: usize| digits.as_bytes().get(at).map_or(0, |byte| u64::from(byte - b'0'));
    digit(0) * 100 + digit(1) * 10 + digit(2) + u64::from(digit(3) >= 5)
}

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
    let zoned = || text.parse::<DateTime<chrono::FixedOffset>>().ok().map(|time| time.to_utc());
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
    Timestamp::from_micros(time.timestamp_micros()).map(Some).ok_or(Unreadable)
}

/// The host (lower case, without user, port or final dot) and the path of an absolute URL. The path is
/// percent-decoded once; query and fragment are dropped. None where it is no `http` or `https` URL with a path
/// to a file, or its path is not UTF-8.
pub(super) fn split_url(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    let (authority, _) = rest.split_once('/')?;
    let path = percent_decode_str(&rest[authority.len()..]).decode_utf8().ok()?;
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = host.rsplit_once(':').map_or(host, |(name, port)| if is_digits(port) { name } else { host });
    let host = host.trim_end_matches('.');
    (!host.is_empty() && path.len() > 1).then(|| (host.to_ascii_lowercase(), path.into_owned()))
}

/// A path as a CSV gives it, which is decoded already: taken to the letter, but a missing leading `/` is
/// added. An absolute URL is cut to its path, and as a URL decoded.
pub(super) fn csv_path(text: &str) -> Result<String, Unreadable> {
    if text.contains("://") {
        return split_url(text).map(|(_, path)| path).ok_or(Unreadable);
    }
    let path = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    if path.len() > 1 { Ok(path) } else { Err(Unreadable) }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        for (text, expected) in [
            ("", Ok(None)),
            ("0", Ok(Some(0))),
            ("48000000", Ok(Some(48_000_000))),
            ("48000000.0", Ok(Some(48_000_000))),
            ("18446744073709551615", Ok(Some(u64::MAX))),
            ("18446744073709551616", Err(Unreadable)),
            ("-1", Err(Unreadable)),
            ("+1", Err(Unreadable)),
            ("1.5", Err(Unreadable)),
            ("1e6", Err(Unreadable)),
            ("1,000", Err(Unreadable)),
            (".0", Err(Unreadable)),
        ] {
            assert_eq!(whole_number(text), expected, "{text:?}");
        }
    }

    #[test]
    fn durations_in_whole_milliseconds() {
        for (text, expected) in [
            ("", Ok(None)),
            ("0", Ok(None)),
            ("00:00:00", Ok(None)),
            ("0.0004", Ok(None)),
            ("1834", Ok(Some(1_834_000))),
            ("1834.5", Ok(Some(1_834_500))),
            ("60.0", Ok(Some(60_000))),
            ("0.0005", Ok(Some(1))),
            ("1.9999", Ok(Some(2_000))),
            ("30:34", Ok(Some(1_834_000))),
            ("00:30:34", Ok(Some(1_834_000))),
            ("1:00:00.25", Ok(Some(3_600_250))),
            ("90:00", Ok(Some(5_400_000))),
            ("1:2:3:4", Err(Unreadable)),
            ("1:", Err(Unreadable)),
            (":30", Err(Unreadable)),
            ("1.", Err(Unreadable)),
            ("-5", Err(Unreadable)),
            ("30m", Err(Unreadable)),
            ("18446744073709551615", Err(Unreadable)),
        ] {
            assert_eq!(duration_ms(text), expected, "{text:?}");
        }
    }

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
    fn urls_into_host_and_path() {
        for (url, host, path) in [
            ("https://cdn.example.com/show/1.mp3", "cdn.example.com", "/show/1.mp3"),
            ("HTTP://CDN.Example.com:8080/a.mp3?x=1#t=9", "cdn.example.com", "/a.mp3"),
            ("https://user:secret@cdn.example.com./a.mp3", "cdn.example.com", "/a.mp3"),
            ("https://cdn.example.com/a%20b%2520c.mp3", "cdn.example.com", "/a b%20c.mp3"),
            ("https://cdn.example.com/50%.mp3", "cdn.example.com", "/50%.mp3"),
            ("https://[2001:db8::1]/a.mp3", "[2001:db8::1]", "/a.mp3"),
            ("https://[2001:db8::1]:443/a.mp3", "[2001:db8::1]", "/a.mp3"),
            ("https://cdn.example.com//a/https://b.mp3", "cdn.example.com", "//a/https://b.mp3"),
        ] {
            assert_eq!(split_url(url), Some((host.to_owned(), path.to_owned())), "{url}");
        }
        for url in [
            "",
            "/a.mp3",
            "ftp://h/a.mp3",
            "https://",
            "https://h",
            "https://h/",
            "https:///a",
            "https://h/%ff",
        ] {
            assert_eq!(split_url(url), None, "{url}");
        }
    }

    #[test]
    fn paths_of_csv_files_are_decoded_already() {
        for (text, expected) in [
            ("/show/1.mp3", Ok("/show/1.mp3")),
            ("show/1.mp3", Ok("/show/1.mp3")),
            ("/a%20b.mp3", Ok("/a%20b.mp3")),
            ("/what?.mp3", Ok("/what?.mp3")),
            ("https://cdn.example.com/a%20b.mp3?x", Ok("/a b.mp3")),
            ("/", Err(Unreadable)),
            ("https://cdn.example.com", Err(Unreadable)),
        ] {
            assert_eq!(csv_path(text), expected.map(str::to_owned), "{text}");
        }
    }
}
