//! The `Range` request header and the `Content-Range` response header (RFC 9110 §14), as counting needs them.
//!
//! Of `Range` one range of bytes is understood; everything else is [`RequestedRange::Other`], never an
//! error. A `Content-Range` that cannot be read is absent. A range whose last position lies before its
//! first is kept as it stands: it delivers nothing. Neither tolerates white space that the grammar lacks.

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case};
use nom::combinator::{all_consuming, map, opt, value};
use nom::sequence::{preceded, separated_pair, terminated};
use nom::{IResult, Parser};

use super::value::number;
use crate::event::{ContentRange, RequestedRange};

/// Understands a `Range` header's value.
pub fn requested_range(header: &[u8]) -> RequestedRange {
    if header == b"bytes=0-1" {
        return RequestedRange::Probe;
    }
    let from = terminated(position, tag("-"));
    let one = alt((
        map((from, opt(position)), |(first, last)| match last {
            Some(last) => RequestedRange::Between { first, last },
            None => RequestedRange::From { first },
        }),
        map(preceded(tag("-"), position), |length| RequestedRange::Suffix { length }),
    ));
    all_consuming(preceded(tag_no_case("bytes="), one))
        .parse(header)
        .map_or(RequestedRange::Other, |(_, range)| range)
}

/// Understands a `Content-Range` header's value; `None` where it says nothing usable.
pub fn content_range(header: &[u8]) -> Option<ContentRange> {
    let positions = || separated_pair(position, tag("-"), position);
    let forms = alt((
        map(separated_pair(positions(), tag("/"), position), |(positions, total)| ContentRange {
            positions: Some(positions),
            total: Some(total),
        }),
        map(terminated(positions(), tag("/*")), |positions| ContentRange {
            positions: Some(positions),
            total: None,
        }),
        map(preceded(tag("*/"), position), |total| ContentRange { positions: None, total: Some(total) }),
    ));
    let (_, range) = all_consuming(preceded(unit, forms)).parse(header).ok()?;
    Some(range)
}

fn unit(input: &[u8]) -> IResult<&[u8], (), ()> {
    value((), tag_no_case("bytes ")).parse(input)
}

/// Digits that fit a `u64`.
fn position(input: &[u8]) -> IResult<&[u8], u64, ()> {
    let end = input.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(input.len());
    let (digits, rest) = input.split_at(end);
    number(digits).map(|number| (rest, number)).ok_or(nom::Err::Error(()))
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
