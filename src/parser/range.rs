//! The `Range` request header and the `Content-Range` response header (RFC 9110 §14), as counting needs them.
//!
//! Of `Range` one range of bytes is understood; everything else is [`RequestedRange::Other`], never an
//! error. A `Content-Range` that cannot be read is absent. A range whose last position lies before its
//! first is kept as it stands: it delivers nothing. Neither tolerates white space that the grammar lacks.

use super::value::{leading_number, number};
use crate::event::{ContentRange, RequestedRange};

/// Understands a `Range` header's value.
pub fn requested_range(header: &[u8]) -> RequestedRange {
    if header == b"bytes=0-1" {
        return RequestedRange::Probe;
    }
    after_unit(header, b"bytes=").and_then(one_range).unwrap_or(RequestedRange::Other)
}

/// Understands a `Content-Range` header's value; `None` where it says nothing usable.
pub fn content_range(header: &[u8]) -> Option<ContentRange> {
    let positions = after_unit(header, b"bytes ")?;
    if let Some(total) = positions.strip_prefix(b"*/") {
        return Some(ContentRange { positions: None, total: Some(number(total)?) });
    }
    let (first, rest) = leading_number(positions)?;
    let (last, rest) = leading_number(rest.strip_prefix(b"-")?)?;
    let total = match rest.strip_prefix(b"/")? {
        b"*" => None,
        total => Some(number(total)?),
    };
    Some(ContentRange { positions: Some((first, last)), total })
}

/// `first-last`, `first-` or `-length`
fn one_range(range: &[u8]) -> Option<RequestedRange> {
    if let Some(length) = range.strip_prefix(b"-") {
        return Some(RequestedRange::Suffix { length: number(length)? });
    }
    let (first, rest) = leading_number(range)?;
    Some(match rest.strip_prefix(b"-")? {
        b"" => RequestedRange::From { first },
        last => RequestedRange::Between { first, last: number(last)? },
    })
}

/// What follows `unit`, whose letters may be of either case.
fn after_unit<'a>(header: &'a [u8], unit: &[u8; 6]) -> Option<&'a [u8]> {
    let (start, rest) = header.split_first_chunk::<6>()?;
    (start == unit || start.eq_ignore_ascii_case(unit)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use RequestedRange::{Between, From, Other, Probe, Suffix};

    #[test]
    fn range_headers() {
        for (header, expected) in [
            ("bytes=0-1", Probe),
            ("Bytes=0-1", Between { first: 0, last: 1 }),
            ("bytes=00-1", Between { first: 0, last: 1 }),
            ("bytes=0-0", Between { first: 0, last: 0 }),
            ("bytes=5-2", Between { first: 5, last: 2 }),
            ("bytes=0-", From { first: 0 }),
            ("BYTES=6422528-", From { first: 6_422_528 }),
            ("bytes=18446744073709551615-", From { first: u64::MAX }),
            ("bytes=-500", Suffix { length: 500 }),
            ("bytes=-0", Suffix { length: 0 }),
            ("bytes=18446744073709551616-", Other),
            ("bytes=0-18446744073709551616", Other),
            ("bytes=0-1,5-6", Other),
            ("bytes=0-1,", Other),
            ("bytes=-", Other),
            ("bytes=", Other),
            ("bytes", Other),
            ("bytes=a-b", Other),
            ("bytes=+1-2", Other),
            ("bytes=1--2", Other),
            ("bytes= 0-1", Other),
            (" bytes=0-1", Other),
            ("bytes=0-1 ", Other),
            ("bytes 0-1", Other),
            ("seconds=0-1", Other),
            ("", Other),
        ] {
            assert_eq!(requested_range(header.as_bytes()), expected, "{header}");
        }
    }

    #[test]
    fn content_range_headers() {
        let range = |positions, total| Some(ContentRange { positions, total });
        for (header, expected) in [
            ("bytes 0-1/100", range(Some((0, 1)), Some(100))),
            ("BYTES 2-9/*", range(Some((2, 9)), None)),
            ("bytes */1234", range(None, Some(1234))),
            ("bytes 9-2/100", range(Some((9, 2)), Some(100))),
            ("bytes 0-99/50", range(Some((0, 99)), Some(50))),
            ("bytes */*", None),
            ("bytes 0-1", None),
            ("bytes 0-1/", None),
            ("bytes 0-1/100 ", None),
            ("bytes  0-1/100", None),
            ("bytes=0-1/100", None),
            ("bytes -5/100", None),
            ("bytes 0-1/99999999999999999999", None),
            ("items 0-1/100", None),
            ("", None),
        ] {
            assert_eq!(content_range(header.as_bytes()), expected, "{header}");
        }
    }
}
