//! Whole lines through the JSON parser: every defect, every kind of value.

use super::*;
use crate::event::Defect::{self, *};
use crate::event::RequestedRange;
use crate::units::Country;

const GOOD: &str =
    r#""start_us":1793509323000001,"ip":"198.51.100.7","url":"/e.mp3","status":206,"body_bytes":99"#;

fn parse(line: &str) -> Result<Request<'_>, Malformed> {
    LineParser::json().parse(line.as_bytes(), Box::leak(Box::default()))
}

fn defect(line: &str) -> Option<Defect> {
    parse(line).err().map(|malformed| malformed.defect)
}

/// The line `{GOOD}` with more members after it; of equal keys the last is taken.
fn with(more: &str) -> String {
    format!("{{{GOOD},{more}}}")
}

#[test]
fn a_full_version_1_line() {
    let line = r#"<134>2026-11-01T05:02:04Z cache-fra-etou8220082 log[1]: { "v" : 1, "id":"x1",
        "start_us":1793509323000001,"elapsed_us":1200,"ip":"::ffff:198.51.100.7","method":"GET","host":"h.example",
        "url":"\/a%20b.mp3?x=1","range":"bytes=5-","status":206,"body_bytes":99,"content_range":"bytes 5-103/104",
        "completed":true,"ua":"A\u00e9\xff","referer":"https://r.example/","country":"de","region":"BE","asn":3320,
        "proxy_type":"hosting","proxy_desc":"vpn","pop":"FRA","state":"HIT","edge":1,"inner":"false",
        "unknown":{"a":[1,{"b":null}],"n":}} "#;
    let request = parse(line).unwrap();
    assert_eq!(request.start.to_string(), "2026-11-01T05:02:03.000001Z");
    assert_eq!(request.address.to_string(), "::ffff:198.51.100.7");
    assert_eq!((request.status, request.body_bytes.0, request.elapsed_us), (206, 99, Some(1200)));
    assert_eq!(request.range, Some(RequestedRange::From { first: 5 }));
    assert_eq!(request.content_range.unwrap().total, Some(104));
    assert_eq!((request.completed, request.edge, request.inner), (Some(true), Some(true), Some(false)));
    assert_eq!((request.country, request.asn), (Country::parse(b"DE"), Some(3320)));
    let texts = [
        (request.id, "x1"),
        (request.method, "GET"),
        (request.host, "h.example"),
        (request.referer, "https://r.example/"),
        (request.region, "BE"),
        (request.proxy_type, "hosting"),
        (request.proxy_description, "vpn"),
        (request.pop, "FRA"),
        (request.cache_state, "HIT"),
    ];
    for (text, expected) in texts {
        assert_eq!(text, Some(expected.as_bytes()));
    }
    assert_eq!(*request.url, *b"/a%20b.mp3?x=1");
    assert_eq!(request.user_agent, Some(&b"A\xc3\xa9\xff"[..]));
}

#[test]
fn fastlys_default_json() {
    let line = r#"{     "timestamp": "2026-08-09T18:23:17+0000",     "client_ip": "2001:db8::1",
        "geo_country": "united states",     "geo_city": "ashburn",     "host": "h.example",     "url": "/feed",
        "request_method": "HEAD",     "request_protocol": "HTTP/1.1",     "request_referer": "",
        "request_user_agent": "Pod/1.0 (+http://pod.example/)",     "response_state": "HIT-CLUSTER",
        "response_status": 200,     "response_reason": "OK",     "response_body_size": 69752,
        "fastly_server": "cache-iad-kcgs7200110-IAD",     "fastly_is_edge": true   }"#;
    let request = parse(line).unwrap();
    assert_eq!(request.start.to_string(), "2026-08-09T18:23:17Z");
    assert_eq!(request.address.to_string(), "2001:db8::1");
    assert_eq!((request.status, request.body_bytes.0, request.edge), (200, 69752, Some(true)));
    assert_eq!((request.method, request.pop), (Some(&b"HEAD"[..]), Some(&b"IAD"[..])));
    assert_eq!((request.referer, request.country, request.range), (None, Country::UNKNOWN, None));
    assert_eq!(request.cache_state, Some(&b"HIT-CLUSTER"[..]));
}

#[test]
fn each_defect_of_a_json_line() {
    for (line, expected) in [
        (with(r#""v":1"#).as_str(), None),
        ("<134>{}", Some(BadPrefix)),
        ("<134>2026-11-01T05:02:04Z cache log[1]: ", Some(BadJson)),
        ("", Some(BadJson)),
        ("   ", Some(BadJson)),
        ("garbage", Some(BadJson)),
        ("[{}]", Some(BadJson)),
        ("{}", Some(MissingField)),
        (&with(r#""ip":null"#), Some(MissingField)),
        (&with(r#""ip":"""#), Some(MissingField)),
        (&with(r#""url":"-""#), Some(MissingField)),
        (&with(r#""url":{}"#), Some(MissingField)),
        (&with(r#""status":"(null)""#), Some(MissingField)),
        (&with(r#""status":"#), Some(MissingField)),
        (&with(r#""body_bytes":"-""#), Some(MissingField)),
        (&with(r#""start_us":null"#), Some(MissingField)),
        (&with(r#""start_us":1.5"#), Some(BadTime)),
        (&with(r#""start_us":-1"#), Some(BadTime)),
        (&with(r#""start_us":[]"#), Some(BadTime)),
        (&with(r#""start_us":"2026-02-30T00:00:00Z""#), Some(BadTime)),
        (&with(r#""ip":"198.51.100.256""#), Some(BadAddress)),
        (&with(r#""ip":7"#), Some(BadAddress)),
        (&with(r#""ip":{}"#), Some(BadAddress)),
        (&with(r#""status":-206"#), Some(BadNumber)),
        (&with(r#""status":206.0"#), Some(BadNumber)),
        (&with(r#""status":65536"#), Some(BadNumber)),
        (&with(r#""status":true"#), Some(BadNumber)),
        (&with(r#""body_bytes":1e3"#), Some(BadNumber)),
        (&with(r#""body_bytes":"12x""#), Some(BadNumber)),
        (&with(r#""body_bytes":18446744073709551616"#), Some(BadNumber)),
        (&with(r#""body_bytes":[1]"#), Some(BadNumber)),
        (&with(r#""v":2"#), Some(UnknownVersion)),
        (&with(r#""v":"1.0""#), Some(UnknownVersion)),
        (&with(r#""v":true"#), Some(UnknownVersion)),
        (&with(r#""v":{}"#), Some(UnknownVersion)),
        // Where several apply, the order of the list decides, not that of the line.
        (&with(r#""v":2,"status":"x","ip":"x","start_us":"x","url":"""#), Some(MissingField)),
        (&with(r#""v":2,"status":"x","ip":"x","start_us":"x""#), Some(BadTime)),
        (&with(r#""v":2,"status":"x","ip":"x""#), Some(BadAddress)),
        (&with(r#""v":2,"status":"x""#), Some(BadNumber)),
        (&with(r#""v":2,"ip":"x","broken""#), Some(BadJson)),
    ] {
        assert_eq!(defect(line), expected, "{line}");
    }
}

#[test]
fn a_malformed_line_keeps_its_start_where_it_can_be_read() {
    for (line, expected) in [
        (with(r#""ip":"x""#), Some("2026-11-01T05:02:03.000001Z")),
        (with(r#""v":2"#), Some("2026-11-01T05:02:03.000001Z")),
        (with(r#""start_us":"x""#), None),
        (with(r#""start_us":"x","url":null"#), None),
        (with(r#""broken"#), None),
    ] {
        let start = parse(&line).unwrap_err().start;
        assert_eq!(start.map(|start| start.to_string()).as_deref(), expected, "{line}");
    }
}

/// What Fastly prints for a number that is not there.
#[test]
fn absent_without_quotes() {
    for more in [r#""asn":-"#, r#""asn":(null)"#, r#""asn":?"#, r#""asn":,"a":1"#, r#""a":[],"asn":(null)"#] {
        let line = with(more);
        assert_eq!(parse(&line).map(|request| request.asn), Ok(None), "{line}");
    }
}

#[test]
fn what_is_not_one_json_object() {
    for more in [
        r#""a":1}{"#,
        r#""a":1},"#,
        r#""a":1}x"#,
        "",
        r#""a""#,
        r#""a":1,"#,
        r#""a":+1"#,
        r#""a":01"#,
        r#""a":.5"#,
        r#""a":5."#,
        r#""a":1e"#,
        r#""a":0x10"#,
        r#""a":NaN"#,
        r#""a":truex"#,
        r#""a":nul"#,
        r#""a":(null"#,
        r#""a":nothing"#,
        r#""a":"\q""#,
        r#""a":"open"#,
        r#""a":[1,]"#,
        r#""a":[,1]"#,
        r#""a":[1 2]"#,
        r#""a":[1}"#,
        r#""a":{"b"}"#,
        r#""a":{"b":1]"#,
        r#""a":{"b":1,}"#,
        "a:1",
        "'a':1",
        "\"a\":1\u{a0}",
    ] {
        let line = with(more);
        assert_eq!(defect(&line), Some(BadJson), "{line}");
    }
    let nested = |depth| with(&format!(r#""a":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    assert_eq!(defect(&nested(100)), None);
    assert_eq!(defect(&nested(200)), Some(BadJson));
}

#[test]
fn what_is_one_json_object_all_the_same() {
    for more in [
        r#""a":{"b":}"#,
        r#""a":[1,"x",{"y":[]},[],{}, -0.5E-3 ]"#,
        r#""":0"#,
        "\"a\"\t:\r\n 1 , \"b\" :2",
        "\"a\":\"raw \u{1} control\"",
    ] {
        let line = with(more);
        assert_eq!(defect(&line), None, "{line}");
    }
    let mut line = with(r#""ua":"caf?""#).into_bytes();
    let byte = line.iter().position(|byte| *byte == b'?').unwrap();
    line[byte] = 0xff;
    let request = LineParser::json().parse(&line, Box::leak(Box::default())).unwrap();
    assert_eq!(request.user_agent, Some(&b"caf\xff"[..]));
}

#[test]
fn values_in_other_clothes() {
    let line = with(
        r#""\u0076":"1","status":"206","body_bytes":"0","start_us":"1793509323000002","completed":"1","edge":0,"inner":false,"ua":12,"host":true"#,
    );
    let request = parse(&line).unwrap();
    assert_eq!(
        (request.start.micros(), request.status, request.body_bytes.0),
        (1_793_509_323_000_002, 206, 0)
    );
    assert_eq!((request.completed, request.edge, request.inner), (Some(true), Some(false), Some(false)));
    assert_eq!((request.user_agent, request.host), (Some(&b"12"[..]), Some(&b"true"[..])));
}

#[test]
fn optional_values_that_cannot_be_read_are_absent() {
    let line = with(
        r#""asn":"?","elapsed_us":"abc","edge":"maybe","inner":2,"completed":[],"country":"Germany","content_range":"x","range":"","ua":"(null)","id":{},"method":null"#,
    );
    let request = parse(&line).unwrap();
    assert_eq!((request.asn, request.elapsed_us, request.edge, request.inner), (None, None, None, None));
    assert_eq!((request.completed, request.country, request.content_range), (None, Country::UNKNOWN, None));
    assert_eq!((request.range, request.user_agent, request.id, request.method), (None, None, None, None));
    assert_eq!(parse(&with(r#""range":"items=1""#)).unwrap().range, Some(RequestedRange::Other));
}

#[test]
fn of_equal_keys_the_last_and_of_families_version_1() {
    let request = with(r#""status":200,"timestamp":"x","client_ip":"x","response_status":404"#);
    assert_eq!(parse(&request).unwrap().status, 200);
    let request = format!(r#"{{"response_status":404,"geo_country_code":"FR","geo_country":"de",{GOOD}}}"#);
    let request = parse(&request).unwrap();
    assert_eq!((request.status, request.country), (206, Country::parse(b"FR")));
}
