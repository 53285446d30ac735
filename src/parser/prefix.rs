//! The syslog header that may stand before a log line, recognised line by line.
//!
//! | header | example |
//! |---|---|
//! | Fastly's classic | `<134>2016-07-04T22:37:26Z cache-sjc3128 LogTest[62959]: ` |
//! | RFC 5424 | `<134>1 2016-07-04T22:37:26Z host app procid msgid [id key="value"] ` |
//! | RFC 3164 | `<134>Jul  4 22:37:26 host tag[pid]: ` |
//! | rsyslog wrote the file | the first and the third without the priority |
//!
//! A line that begins with `<` must begin with a whole header. Without a priority a header is only one if
//! all of it is there: time, host and a tag with its colon. The header's time is when the line was sent,
//! not when the request began, and is not used. Logplex, which lacks the structured data, is not read.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till1, take_while_m_n};
use nom::combinator::{map_opt, opt, value, verify};
use nom::multi::many1_count;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::time::{clock, month, offset_minutes, rfc3339};
use super::value::{leading_number, number};
use crate::event::Defect;

/// RFC 5424 §6.2.1: facility 23, severity 7.
const MAX_PRIORITY: u64 = 191;

const MOST_BEFORE_TIME: usize = "<191>".len();

type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

/// The line without its syslog header, if it has one; [`Defect::BadPrefix`] if it begins as one only.
pub(super) fn strip(line: &[u8]) -> Result<&[u8], Defect> {
    match line.first() {
        Some(b'{') => Ok(line),
        Some(b'<') => header(line).ok_or(Defect::BadPrefix),
        _ => Ok(header_without_priority(line).unwrap_or(line)),
    }
}

/// What follows a header that begins with a priority.
pub(super) fn header(line: &[u8]) -> Option<&[u8]> {
    if let Some(message) = classic(line) {
        return Some(message);
    }
    let header = preceded(priority, alt((rfc5424, legacy)));
    terminated_by_message(header, line)
}

/// What follows a header whose priority was cut off by whoever wrote the file.
pub(super) fn header_without_priority(line: &[u8]) -> Option<&[u8]> {
    terminated_by_message(legacy, line)
}

/// What follows Fastly's classic header as it mostly is, read without a detour; None does not mean that it is none.
fn classic(line: &[u8]) -> Option<&[u8]> {
    let (priority, rest) = leading_number(line.strip_prefix(b"<")?)?;
    let (time, rest) = rest.strip_prefix(b">")?.split_first_chunk()?;
    // A priority has at most three digits.
    if priority > MAX_PRIORITY
        || line.len() - rest.len() > MOST_BEFORE_TIME + time.len()
        || !is_plain_time(time)
    {
        return None;
    }
    let rest = rest.strip_prefix(b" ")?;
    let space = memchr::memchr(b' ', rest).filter(|space| *space > 0)?;
    program_tag(&rest[space + 1..]).ok().map(|(message, ())| message)
}

/// `2016-07-04T22:37:26Z`, on a day that every month has.
fn is_plain_time(time: &[u8; 20]) -> bool {
    let two = |at: usize| {
        let [tens, ones] = [time[at], time[at + 1]].map(|digit| digit.wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| tens * 10 + ones)
    };
    let signs = [4, 7, 10, 13, 16, 19].map(|at| time[at]);
    signs == *b"--T::Z"
        && two(0).is_some()
        && two(2).is_some()
        && two(5).is_some_and(|month| (1..=12).contains(&month))
        && two(8).is_some_and(|day| (1..=28).contains(&day))
        && two(11).is_some_and(|hour| hour < 24)
        && [14, 17].into_iter().all(|at| two(at).is_some_and(|it| it < 60))
}

fn terminated_by_message<'a>(
    mut header: impl Parser<&'a [u8], Output = (), Error = ()>,
    line: &'a [u8],
) -> Option<&'a [u8]> {
    header.parse(line).ok().map(|(message, ())| message)
}

/// `<134>`
fn priority(input: &[u8]) -> Parsed<'_, ()> {
    let digits = take_while_m_n(1, 3, |byte: u8| byte.is_ascii_digit());
    let known = map_opt(digits, |digits: &[u8]| number(digits).filter(|number| *number <= MAX_PRIORITY));
    value((), (tag("<"), known, tag(">"))).parse(input)
}

/// `1 TIME HOST APP PROCID MSGID DATA`, and the space before a message if there is one.
fn rfc5424(input: &[u8]) -> Parsed<'_, ()> {
    let time = alt((value((), rfc3339), value((), tag("-"))));
    let words = (word, tag(" "), word, tag(" "), word, tag(" "), word, tag(" "));
    let data = alt((value((), tag("-")), value((), many1_count(structured_data))));
    let (rest, _) = (tag("1 "), time, tag(" "), words, data).parse(input)?;
    let (rest, space) = opt(tag(" ")).parse(rest)?;
    if space.is_none() && !rest.is_empty() {
        return Err(nom::Err::Error(()));
    }
    Ok((rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest), ()))
}

/// `TIME HOST TAG: `
fn legacy(input: &[u8]) -> Parsed<'_, ()> {
    let time = alt((value((), rfc3339), value((), rfc3164_time)));
    value((), (time, tag(" "), word, tag(" "), program_tag)).parse(input)
}

/// `Jul  4 22:37:26`: neither year nor offset.
fn rfc3164_time(input: &[u8]) -> Parsed<'_, ()> {
    let day = preceded(opt(tag(" ")), take_while_m_n(1, 2, |byte: u8| byte.is_ascii_digit()));
    let day = map_opt(day, |day: &[u8]| number(day).filter(|day| (1..=31).contains(day)));
    let clock = verify(clock, |(hour, minute, second)| *hour < 24 && *minute < 60 && *second <= 60);
    value((), (month, tag(" "), day, tag(" "), clock, opt(offset_minutes))).parse(input)
}

/// `LogTest[62959]: `, the number and the last space being optional. Ends at the first colon that could
/// end a tag, so that a name with a colon in it is no obstacle.
fn program_tag(input: &[u8]) -> Parsed<'_, ()> {
    for (at, byte) in input.iter().enumerate() {
        match byte {
            b' ' | b'{' | b'"' => break,
            b':' if at > 0 && matches!(input.get(at + 1), None | Some(b' ' | b'{')) => {
                let rest = &input[at + 1..];
                return Ok((rest.strip_prefix(b" ").unwrap_or(rest), ()));
            }
            _ => {}
        }
    }
    Err(nom::Err::Error(()))
}

fn word(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_till1(|byte| byte == b' ').parse(input)
}

/// `[id key="value" …]`; within quotes `\` takes the next byte as it is.
fn structured_data(input: &[u8]) -> Parsed<'_, ()> {
    let error = nom::Err::Error(());
    let (mut quoted, mut escaped) = (false, false);
    if !matches!(input, [b'[', name, ..] if !matches!(name, b' ' | b']' | b'"' | b'=')) {
        return Err(error);
    }
    for (at, byte) in input.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Ok((&input[at + 1..], ())),
            _ => {}
        }
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The short way is one that the long one takes too.
        #[test]
        fn a_classic_header_is_a_header(
            priority in "[0-9]{1,4}|191|192",
            time in "2016-[0-2][0-9]-[0-3][0-9]T[0-2][0-9]:[0-7][0-9]:[0-7][0-9]Z|2016-07-04T22:37:26[Z+ ]",
            rest in " ?(cache|)[ :]{0,2}(Log|\\{|)(\\[1\\])?:{0,2} ?(\\{\\}| |\"|a: b)?",
        ) {
            let line = format!("<{priority}>{time}{rest}");
            let long_way = terminated_by_message(preceded(super::priority, alt((rfc5424, legacy))), line.as_bytes());
            prop_assert_eq!(header(line.as_bytes()), long_way, "{}", line);
        }
    }

    #[test]
    fn whole_headers_are_cut_off() {
        for header in [
            "<134>2016-07-04T22:37:26Z cache-sjc3128 LogTest[62959]: ",
            "<0>2016-07-04T22:37:26Z cache-iad-kiad7000128 s3-logs[1]: ",
            "<191>2016-07-04T22:37:26.123+0000 cache LogTest: ",
            "<134>2016-07-04T22:37:26Z cache LogTest[62959]:",
            "<134>2016-07-04T22:37:26Z cache a:b[62959]: ",
            "<134>1 2016-07-04T22:37:26Z cache-sjc3128 LogTest 62959 - - ",
            "<134>1 2016-07-04T22:37:26+0000 LHR log - - [tok@41058 tag=\"fastly\" tag=\"other tag\"] ",
            "<134>1 2016-07-04T22:37:26Z h a p m [x k=\"a\\\"b]c\"][y@1 l=\"\\]\"] ",
            "<134>1 - - - - - - \u{feff}",
            "<134>Jul  4 22:37:26 host tag[7]: ",
            "<134>Nov 23 04:38:51 host tag: ",
            "2018-11-30T15:09:56Z cache-fra19136 fastlyupdates[41062]: ",
            "2018-11-30T15:09:56+00:00 cache tag: ",
            "Nov 23 04:38:51 host tag[pid]: ",
        ] {
            for message in ["{\"v\": 1}", "{}", ""] {
                let line = format!("{header}{message}");
                assert_eq!(strip(line.as_bytes()), Ok(message.as_bytes()), "{line}");
            }
        }
        let text = b"<134>2016-07-04T22:37:26Z cache LogTest[1]: 1.2.3.4 - : GET";
        assert_eq!(strip(text), Ok(&b"1.2.3.4 - : GET"[..]));
        assert_eq!(strip(b"<134>1 - h a - - -"), Ok(&b""[..]));
    }

    #[test]
    fn half_headers_are_defects() {
        for line in [
            "<",
            "<>",
            "<134>",
            "<134",
            "<abc>2016-07-04T22:37:26Z cache tag: {}",
            "<192>2016-07-04T22:37:26Z cache tag: {}",
            "<1340>2016-07-04T22:37:26Z cache tag: {}",
            "<134>{\"v\":1}",
            "<134> 2016-07-04T22:37:26Z cache tag: {}",
            "<134>2016-07-04 cache tag: {}",
            "<134>2016-13-04T22:37:26Z cache tag: {}",
            "<134>2016-07-04T22:37:26 cache tag: {}",
            "<134>2016-07-04T22:37:26Z",
            "<134>2016-07-04T22:37:26Z {\"v\":1}",
            "<134>2016-07-04T22:37:26Z cache",
            "<134>2016-07-04T22:37:26Z cache {\"v\":1}",
            "<134>2016-07-04T22:37:26Z cache tag {\"v\":1}",
            "<134>2016-07-04T22:37:26Z cache : {\"v\":1}",
            "<134>2016-07-04T22:37:26Z cache tag[1]:x",
            "<134>2 2016-07-04T22:37:26Z h a p m - {}",
            "<134>1 2016-07-04T22:37:26Z h a p m {}",
            "<134>1 2016-07-04T22:37:26Z h a p m -{}",
            "<134>1 2016-07-04T22:37:26Z h a p m [x k=\"a\" {}",
            "<134>1 2016-07-04T22:37:26Z h a p m [x]{}",
            "<134>1 2016-07-04T22:37:26Z h a p m [] {}",
            "<134>1 2016-07-04T22:37:26Z h a p",
            "<134>1 yesterday h a p m - {}",
            "<134>Nov 32 04:38:51 host tag: {}",
            "<134>Nov 23 24:38:51 host tag: {}",
            "<div>2016-07-04T22:37:26Z cache tag: {}",
        ] {
            assert_eq!(strip(line.as_bytes()), Err(Defect::BadPrefix), "{line}");
        }
    }

    #[test]
    fn without_a_priority_only_a_whole_header_is_one() {
        for line in [
            "",
            "{}",
            " <134>2016-07-04T22:37:26Z cache tag: {}",
            "2018-11-30T15:09:56Z 1.2.3.4 GET /a: 200",
            "2018-11-30T15:09:56Z 1.2.3.4 GET",
            "2018-11-30T15:09:56Z host {\"v\": 1}",
            "1 2016-07-04T22:37:26Z h a p m - {}",
        ] {
            assert_eq!(strip(line.as_bytes()), Ok(line.as_bytes()), "{line}");
        }
    }
}
