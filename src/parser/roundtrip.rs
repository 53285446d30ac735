//! Printed, parsed, the same: requests in each format, with a printer that is written for these tests only.

use std::fmt::Write;
use std::net::IpAddr;

use proptest::prelude::*;

use super::{LineParser, content_range, requested_range};
use crate::event::{Request, Text, Unescaped};
use crate::units::{ByteCount, Country, Timestamp};

/// How a line may be dressed without meaning anything else.
#[derive(Clone, Debug)]
struct Style {
    /// White space between tokens.
    space: &'static str,
    /// Numbers and booleans as strings.
    quoted: bool,
    /// Which escape a byte that needs none gets: every so many.
    escape_every: usize,
    /// Sorts the members.
    order: Vec<u8>,
    header: &'static str,
}

/// What a database's sums can take.
fn byte_count() -> impl Strategy<Value = u64> {
    0..=i64::MAX as u64
}

fn style() -> impl Strategy<Value = Style> {
    let header = prop::sample::select(vec![
        "",
        "<134>2016-07-04T22:37:26Z cache-sjc3128 LogTest[62959]: ",
        "<134>1 2016-07-04T22:37:26+0000 host app 1 - [a b=\"c\"] ",
        "2018-11-30T15:09:56Z cache-fra19136 fastlyupdates[41062]: ",
    ]);
    let space = prop::sample::select(vec!["", " ", "\t", "\r\n  "]);
    (space, any::<bool>(), 1..20usize, prop::collection::vec(any::<u8>(), 24), header).prop_map(
        |(space, quoted, escape_every, order, header)| Style { space, quoted, escape_every, order, header },
    )
}

fn absent_or<T: std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    prop::option::of(value)
}

/// Bytes that do not mean absent.
fn text() -> impl Strategy<Value = Text<'static>> {
    let special = prop::sample::select(b"\"\\/,;-()? \t\x00\x1f\x7f\xff\xc3\xa9".to_vec());
    prop::collection::vec(prop_oneof![3 => b'a'..=b'z', 1 => special, 1 => any::<u8>()], 1..40)
        .prop_filter("not absent", |text| !matches!(text.as_slice(), b"-" | b"(null)"))
        // Never freed, as nothing of a request is its own.
        .prop_map(|text| -> Text<'static> { text.leak() })
}

fn start() -> impl Strategy<Value = Timestamp> {
    (0..253_402_300_799_999_999i64).prop_map(|micros| Timestamp::from_micros(micros).unwrap())
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)]
}

fn request() -> impl Strategy<Value = Request<'static>> {
    let required = (start(), address(), text(), any::<u16>(), byte_count());
    let texts = prop::collection::vec(absent_or(text()), 10);
    let flags = prop::collection::vec(absent_or(any::<bool>()), 3);
    let range =
        absent_or(prop::sample::select(vec!["bytes=0-1", "bytes=5-", "bytes=1-2,4-5", "bytes=-9", "x"]));
    let content = absent_or(prop::sample::select(vec!["bytes 0-1/2", "bytes 3-4/*", "bytes */7"]));
    let rest =
        (absent_or(any::<u64>()), absent_or(any::<u32>()), range, content, prop::option::of("[a-zA-Z]{2}"));
    (required, texts, flags, rest).prop_map(|(required, mut texts, flags, rest)| {
        let (start, address, url, status, body_bytes) = required;
        let (elapsed_us, asn, range, content, country) = rest;
        let mut text = || texts.pop().flatten();
        Request {
            start,
            address,
            url,
            status,
            body_bytes: ByteCount(body_bytes),
            id: text(),
            elapsed_us,
            method: text(),
            host: text(),
            range: range.map(|header| requested_range(header.as_bytes())),
            content_range: content.and_then(|header| content_range(header.as_bytes())),
            completed: flags[0],
            user_agent: text(),
            referer: text(),
            country: country.map_or(Country::UNKNOWN, |code| Country::parse(code.as_bytes())),
            region: text(),
            asn,
            proxy_type: text(),
            proxy_description: text(),
            pop: text(),
            cache_state: text(),
            edge: flags[1],
            inner: flags[2],
        }
    })
}

/// A version 1 line.
fn printed(request: &Request<'_>, style: &Style) -> Vec<u8> {
    use crate::event::RequestedRange::{Between, From, Other, Probe, Suffix};
    let mut members: Vec<(&str, Vec<u8>)> = Vec::new();
    let plain = |value: String| if style.quoted { format!("\"{value}\"") } else { value }.into_bytes();
    let quoted = |text: &[u8]| [b"\"", escaped(text, style.escape_every).as_slice(), b"\""].concat();
    members.push(("v", plain("1".to_owned())));
    members.push(("start_us", plain(request.start.micros().to_string())));
    members.push(("ip", quoted(request.address.to_string().as_bytes())));
    members.push(("url", quoted(request.url)));
    members.push(("status", plain(request.status.to_string())));
    members.push(("body_bytes", plain(request.body_bytes.to_string())));
    let texts = [
        ("id", &request.id),
        ("method", &request.method),
        ("host", &request.host),
        ("ua", &request.user_agent),
        ("referer", &request.referer),
        ("region", &request.region),
        ("proxy_type", &request.proxy_type),
        ("proxy_desc", &request.proxy_description),
        ("pop", &request.pop),
        ("state", &request.cache_state),
    ];
    members.extend(texts.into_iter().map(|(key, text)| (key, quoted(text.as_deref().unwrap_or_default()))));
    for (key, flag) in [("completed", request.completed), ("edge", request.edge), ("inner", request.inner)] {
        let flag = match (flag, style.quoted) {
            (None, _) => "null",
            (Some(true), false) => "true",
            (Some(false), false) => "false",
            (Some(true), true) => "\"1\"",
            (Some(false), true) => "0",
        };
        members.push((key, flag.into()));
    }
    let number = |value: Option<u64>| value.map_or(Vec::new(), |value| plain(value.to_string()));
    members.push(("elapsed_us", number(request.elapsed_us)));
    members.push(("asn", number(request.asn.map(u64::from))));
    members.push(("country", quoted(request.country.as_str().as_bytes())));
    let range = request.range.map_or(String::new(), |range| match range {
        Probe => "bytes=0-1".to_owned(),
        Between { first, last } => format!("bytes={first}-{last}"),
        From { first } => format!("bytes={first}-"),
        Suffix { length } => format!("bytes=-{length}"),
        Other => "bytes=1-2,4-5".to_owned(),
    });
    members.push(("range", quoted(range.as_bytes())));
    let content = request.content_range.map_or(String::new(), |range| {
        let or_star = |number: Option<u64>| number.map_or("*".to_owned(), |number| number.to_string());
        let positions = range.positions.map_or("*".to_owned(), |(first, last)| format!("{first}-{last}"));
        format!("bytes {positions}/{}", or_star(range.total))
    });
    members.push(("content_range", quoted(content.as_bytes())));
    let mut order = style.order.iter();
    members.sort_by_cached_key(|_| order.next());

    let space = style.space.as_bytes();
    let mut line = style.header.as_bytes().to_vec();
    line.push(b'{');
    for (index, (key, value)) in members.iter().enumerate() {
        line.extend_from_slice(if index == 0 { b"" } else { b"," });
        let key = escaped(key.as_bytes(), style.escape_every);
        for part in [space, b"\"", &key, b"\"", space, b":", space, value, space] {
            line.extend_from_slice(part);
        }
    }
    line.push(b'}');
    line.extend_from_slice(space);
    line
}

/// JSON's escapes where they must be, and every so often where they need not be.
fn escaped(text: &[u8], every: usize) -> Vec<u8> {
    let mut json = Vec::new();
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'"' | b'\\' => json.extend([b'\\', *byte]),
            b'/' if index % every == 0 => json.extend(b"\\/"),
            0..0x80 if index % every == 0 => json.extend(format!("\\u{byte:04x}").bytes()),
            0x80.. if index % every == 0 => json.extend(format!("\\x{byte:02X}").bytes()),
            _ => json.push(*byte),
        }
    }
    json
}

/// Text that a client might send, without backslashes, and not in quotes itself.
fn unescaped(alphabet: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(alphabet.chars().collect::<Vec<_>>()), 0..30)
        .prop_map(|middle| format!("x{}y", middle.into_iter().collect::<String>()))
}

proptest! {
    #[test]
    fn version_1_lines(request in request(), style in style()) {
        let (line, room) = (printed(&request, &style), Unescaped::default());
        prop_assert_eq!(LineParser::json().parse(&line, &room), Ok(request));
    }

    #[test]
    fn combined_lines(
        start in start(),
        address in address(),
        url in unescaped("abc,;\"' /?&=%"),
        agent in unescaped("abc,;\"' /()<>"),
        (status, bytes) in (100..600u16, byte_count()),
    ) {
        let parser = LineParser::from_spec(r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#).unwrap();
        let time = start.to_utc().format("%d/%b/%Y:%H:%M:%S +0000");
        let line = format!(r#"{address} - - [{time}] "GET /{url} HTTP/1.1" {status} {bytes} "-" "{agent}""#);
        let room = Unescaped::default();
        let request = parser.parse(line.as_bytes(), &room).unwrap();
        prop_assert_eq!(request.start.seconds(), start.seconds());
        prop_assert_eq!((request.address, request.status, request.body_bytes.0), (address, status, bytes));
        let url = format!("/{url}");
        prop_assert_eq!(request.url, url.as_bytes());
        prop_assert_eq!(request.user_agent, Some(agent.as_bytes()));
    }

    #[test]
    fn changelog_lines(
        start in start(),
        address in address(),
        url in unescaped("abc,;\"' /?&=%"),
        agent in unescaped("abc,;\"' /()<>"),
        quotes in 1..3usize,
        (status, bytes) in (100..600u16, byte_count()),
        city in "[a-zA-Zéö, .'-]{0,12}",
    ) {
        let parser = LineParser::from_spec("changelog-csv").unwrap();
        let time = start.to_utc().format("%d/%b/%Y:%H:%M:%S +0000");
        let mut line = format!("{address},[{time}],/{url},{bytes},{status},");
        let quotes = "\"".repeat(quotes);
        write!(line, r#"{quotes}{agent}{quotes},-33.900,18.628,"{city}",AF,ZA,"South Africa""#).unwrap();
        let room = Unescaped::default();
        let request = parser.parse(line.as_bytes(), &room).unwrap();
        prop_assert_eq!(request.start.seconds(), start.seconds());
        prop_assert_eq!((request.address, request.status, request.body_bytes.0), (address, status, bytes));
        let url = format!("/{url}");
        prop_assert_eq!(request.url, url.as_bytes());
        prop_assert_eq!(request.user_agent, Some(agent.as_bytes()));
        prop_assert_eq!(request.country.as_str(), "ZA");
    }

    #[test]
    fn every_way_to_write_a_time(start in start()) {
        let utc = start.to_utc();
        let micros = start.micros();
        for (format, exact) in [
            ("%Y-%m-%dT%H:%M:%S%.6fZ", micros),
            ("%Y-%m-%dT%H:%M:%S%.9f+00:00", micros),
            ("%Y-%m-%dT%H:%M:%S%z", start.seconds() * 1_000_000),
            ("%d/%b/%Y:%H:%M:%S %z", start.seconds() * 1_000_000),
            ("[%d/%b/%Y:%H:%M:%S %z]", start.seconds() * 1_000_000),
            ("%a, %d %b %Y %H:%M:%S GMT", start.seconds() * 1_000_000),
        ] {
            let text = utc.format(format).to_string();
            let time = super::time::any(text.as_bytes()).map(Timestamp::micros);
            prop_assert_eq!(time, Some(exact), "{}", text);
        }
    }

    #[test]
    fn addresses_are_what_the_standard_library_says(text in "[0-9a-f.:]{0,18}|([0-9]{1,4}\\.){3}[0-9]{1,4}") {
        prop_assert_eq!(super::value::address(text.as_bytes()), text.parse().ok());
    }

    #[test]
    fn numbers_are_what_the_standard_library_says(text in "[0-9]{0,22}") {
        prop_assert_eq!(super::value::number(text.as_bytes()), text.parse().ok());
    }

    #[test]
    fn an_edit_of_a_good_line_never_panics(
        request in request(),
        style in style(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut line = printed(&request, &style);
        let at = at.index(line.len());
        line[at] = byte;
        for parser in [LineParser::json(), LineParser::from_spec("changelog-csv").unwrap()] {
            let room = Unescaped::default();
            let whole = parser.parse(&line, &room).is_ok();
            let cut = parser.parse(&line[..at], &room).is_ok();
            prop_assert!(!(whole && cut && at < line.trim_ascii_end().len()), "half a line is a line");
        }
    }
}
