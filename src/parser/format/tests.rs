//! Formats as people have them, and lines as they come.

use crate::event::Defect::{self, *};
use crate::event::{RequestedRange, Text};
use crate::parser::{Field, FormatError, LineParser};

fn parser(format: &str) -> LineParser {
    LineParser::from_spec(format).unwrap_or_else(|error| panic!("{format}: {error}"))
}

/// What a line gives, shortly: `start address method url status bytes "agent" edge`, `-` for what is absent.
fn told(format: &str, line: &str) -> String {
    let parser = parser(format);
    let request = match parser.parse(line.as_bytes(), Box::leak(Box::default())) {
        Ok(request) => request,
        Err(malformed) => return malformed.defect.name().to_owned(),
    };
    let text = |text: &Option<Text<'_>>| {
        text.as_ref().map_or("-".to_owned(), |text| String::from_utf8_lossy(text).into_owned())
    };
    format!(
        "{} {} {} {} {} {} [{}] {}",
        request.start,
        request.address,
        text(&request.method),
        String::from_utf8_lossy(request.url),
        request.status,
        request.body_bytes,
        text(&request.user_agent),
        request.edge.map_or("-", |edge| if edge { "edge" } else { "shield" }),
    )
}

fn defect(format: &str, line: &str) -> Option<Defect> {
    parser(format).parse(line.as_bytes(), Box::leak(Box::default())).err().map(|malformed| malformed.defect)
}

const COMBINED: &str = r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i""#;

#[test]
fn apaches_combined_format() {
    let line = |rest: &str| format!("198.51.100.7 - - [14/Oct/2023:13:14:02 +0000] {rest}");
    let told = |rest: &str| told(COMBINED, &line(rest)).replacen("2023-10-14T13:14:02Z 198.51.100.7 ", "", 1);
    for (rest, expected) in [
        (r#""GET /a.mp3?x=1 HTTP/1.1" 206 99 "-" "Pod/1.0""#, "GET /a.mp3?x=1 206 99 [Pod/1.0] -"),
        (r#""HEAD /a.mp3 HTTP/2" 200 - "(null)" """#, "HEAD /a.mp3 200 0 [-] -"),
        (r#""GET /a" b.mp3 HTTP/1.1" 206 99 "-" "x""#, "GET /a\" b.mp3 206 99 [x] -"),
        (r#""GET /a" 200 5 "x HTTP/1.1" 206 99 "-" "x""#, r#"GET /a" 200 5 "x 206 99 [x] -"#),
        (r#""GET /a HTTP/1.1" 206 99 "-" "<a href="x">""#, "GET /a 206 99 [<a href=\"x\">] -"),
        (r#""GET /a HTTP/1.1" 206 99 "r" "say \"hi\" now""#, "GET /a 206 99 [say \"hi\" now] -"),
        (r#""GET /a HTTP/1.1" 206 99 "r\" \"s" "x""#, "GET /a 206 99 [x] -"),
        (r#""GET /a HTTP/1.1" 206 99 "r" "C:\""#, "GET /a 206 99 [C:\\] -"),
        (r#""GET /a HTTP/1.1" 206 99 "r" "back\slash""#, "GET /a 206 99 [back\\slash] -"),
        (r#""GET /a HTTP/1.1" 1206 99 "r" "x""#, "GET /a 1206 99 [x] -"),
        (r#""GET /a HTTP/1.1" 206 9x "r" "x""#, "bad_number"),
        (r#""GET /a HTTP/1.1" 2-6 99 "r" "x""#, "bad_number"),
        (r#""GET /a HTTP/1.1" - 99 "r" "x""#, "missing_field"),
        (r#""-" 206 99 "r" "x""#, "missing_field"),
        (r#""GET" 206 99 "r" "x""#, "missing_field"),
        (r#""GET /a HTTP/1.1" 206 99 "r" "x"#, "bad_record"),
        (r#""GET /a HTTP/1.1" 206 99 "r""#, "bad_record"),
        (r#""GET /a HTTP/1.1" 206 99 "r" "x" "#, "bad_record"),
        ("", "bad_record"),
    ] {
        assert_eq!(told(rest), expected, "{rest}");
    }
}

#[test]
fn what_is_wrong_in_one_place_is_told_by_its_name() {
    let good = r#"198.51.100.7 - - [14/Oct/2023:13:14:02 +0000] "GET /a HTTP/1.1" 206 99 "r" "x""#;
    for (from, to, expected) in [
        ("", "", None),
        ("198.51.100.7", "198.51.100", Some(BadAddress)),
        ("198.51.100.7", "-", Some(MissingField)),
        ("14/Oct", "31/Feb", Some(BadTime)),
        ("[14/Oct/2023:13:14:02 +0000]", "yesterday", Some(BadTime)),
        ("[14/Oct/2023:13:14:02 +0000]", "-", Some(MissingField)),
        (" - - ", " ", Some(BadRecord)),
        ("198.51.100.7", "<134>198.51.100.7", Some(BadPrefix)),
        ("198.51.100.7", "<134>2016-07-04T22:37:26Z cache log[1]: 198.51.100.7", None),
        ("198.51.100.7", "2016-07-04T22:37:26Z cache log[1]: 198.51.100.7", None),
        ("198.51.100.7", "<134>1 2016-07-04T22:37:26Z cache log 1 - - 198.51.100.7", None),
    ] {
        let line = good.replacen(from, to, 1);
        assert_eq!(defect(COMBINED, &line), expected, "{line}");
    }
}

#[test]
fn changelogs_csv() {
    let head = "198.51.100.7,[14/Oct/2016:16:56:40 +0000],";
    let tail = r#",-33.900,18.628,"Cape Town",AF,ZA,"South Africa""#;
    let told = |middle: &str| {
        let told = told("changelog-csv", &format!("{head}{middle}{tail}"));
        told.replacen("2016-10-14T16:56:40Z 198.51.100.7 - ", "", 1).replace(" -", "")
    };
    for (middle, expected) in [
        (r#"/a.mp3,2,206,"Pod/1.0""#, "/a.mp3 206 2 [Pod/1.0]"),
        (r#"/a.mp3,2,206,""Pod/1.0"""#, "/a.mp3 206 2 [Pod/1.0]"),
        (r#"/a.mp3,2,206,"""Pod/1.0""""#, "/a.mp3 206 2 [Pod/1.0]"),
        (r#"/a.mp3,2,206,"""#, "/a.mp3 206 2 [-]"),
        (r#"/a.mp3,2,206,"(null)""#, "/a.mp3 206 2 [-]"),
        (r#"/a.mp3,2,206,"<div style="x">""#, "/a.mp3 206 2 [<div style=\"x\">]"),
        (r#"/a.mp3,2,206,"a","b",1,2,"c""#, "/a.mp3 206 2 [a\",\"b\",1,2,\"c]"),
        (r#"/a.mp3,2,206,"x",-33.9,18.6,"y",AF,ZA,"z""#, "/a.mp3 206 2 [x\",-33.9,18.6,\"y\",AF,ZA,\"z]"),
        (r#"/a.mp3%22,%22size":12,"x",7,404,"Pod""#, "/a.mp3%22,%22size\":12,\"x\" 404 7 [Pod]"),
        (r#"/a,,,"b,7,404,"Pod""#, "/a,,,\"b 404 7 [Pod]"),
        (r#"/a,1,2,"b,7,404,"Pod""#, "/a,1,2,\"b 404 7 [Pod]"),
        (r#"/a,,404,"Pod""#, "missing_field"),
        (r#"/a,-,404,"Pod""#, "missing_field"),
        (r#",7,404,"Pod""#, "missing_field"),
        (r#"/a,7,,"Pod""#, "missing_field"),
        (r#"/a,-7,404,"Pod""#, "bad_number"),
        (r#"/a,b,7,4x4,"Pod""#, "bad_number"),
        (r#"/a,7,404,Pod"#, "bad_record"),
        (r#"/a,7,404"#, "bad_record"),
        ("", "bad_record"),
    ] {
        assert_eq!(told(middle), expected, "{middle}");
    }
    let good = format!(r#"{head}/a,7,200,"Pod"{tail}"#);
    for (from, to, expected) in [
        ("", "<134>2016-10-14T16:56:41Z cache-jfk1 Show[81772]: ", None),
        ("198.51.100.7", "198.51.100.x", Some(BadAddress)),
        ("198.51.100.7", "-", Some(MissingField)),
        ("14/Oct", "32/Oct", Some(BadTime)),
        ("[14/Oct/2016:16:56:40 +0000]", "[]", Some(MissingField)),
        ("[14/Oct/2016:16:56:40 +0000]", "14/Oct/2016:16:56:40 +0000", Some(BadRecord)),
        ("Cape Town", "Saint John, N.B.", None),
        ("Cape Town", "(null)", None),
        (",ZA", "", Some(BadRecord)),
    ] {
        assert_eq!(defect("changelog-csv", &good.replacen(from, to, 1)), expected, "{to}");
    }
}

#[test]
fn formats_of_other_houses() {
    for (format, line, expected) in [
        (
            // Pipes, with the date and the time of day apart.
            r#"%h | "%l" | "%u" | %{%Y-%m-%d}t | %{%H:%M:%S %z}t | %r | %>s | %{X-Cache}o | %{User-Agent}i | %b"#,
            r#"212.108.235.9 | "-" | "-" | 2018-11-30 | 15:09:56 +0000 | GET /a|b HTTP/1.1 | 200 | (null) | Drupal | 7 | 12"#,
            "2018-11-30T15:09:56Z 212.108.235.9 GET /a|b 200 12 [Drupal | 7] -",
        ),
        (
            // All fields in quotes, the first always empty, user agents escaped.
            r#""" "%t" "%m" "%U%q" "%{Host}i" "%>s" "%h" "%{cstr_escape(req.http.User-Agent)}V" "%{Range}i" "%b""#,
            r#""" "Fri, 11 Nov 2016 13:00:00 GMT" "GET" "/2016/x.mp3?a="b" "h.example" "206" "66.87.114.1" "\"Samsung\xe9\"" "bytes=5-" "232""#,
            "2016-11-11T13:00:00Z 66.87.114.1 GET /2016/x.mp3?a=\"b 206 232 [\"Samsung\u{fffd}\"] -",
        ),
        (
            // Tabs and epoch time with its fraction apart.
            "%{time.start.sec}V.%{time.start.usec_frac}V\t%a\t%{req.method}V %{req.url}V\t%s\t%B\t%{fastly.ff.visits_this_service}V\t%{User-Agent}i",
            "1793509323.000250\t2001:db8::1\tGET /a b.mp3\t200\t0\t1\tPod\t1.0",
            "2026-11-01T05:02:03.000250Z 2001:db8::1 GET /a b.mp3 200 0 [Pod\t1.0] shield",
        ),
        (
            // key=value
            r#"time=%{begin:%Y-%m-%dT%H:%M:%SZ}t ip=%h url="%U" status=%s bytes=%B ua="%{User-Agent}i" dur=%D"#,
            r#"time=2026-11-01T05:02:03Z ip=1.2.3.4 url="/a" status=200 bytes=7 ua="a" dur=b" dur=55"#,
            "2026-11-01T05:02:03Z 1.2.3.4 - /a 200 7 [a\" dur=b] -",
        ),
        (
            // An expression that prints several values, and what stands for none.
            r#"%{time.start.msec "|" client.ip "|" + req.request + "|" req.url.path}V|%{resp.status}V|%b|%{if(req.http.User-Agent, req.http.User-Agent, "none")}V|%{req.http.Fastly-FF}V"#,
            "1793509323001|1.2.3.4|PUT|/a|200|-|none|(null)",
            "2026-11-01T05:02:03.001Z 1.2.3.4 PUT /a 200 0 [-] edge",
        ),
        (
            // The line begins with a user agent.
            "%{User-Agent}i|%h|%t|%U|%s|%b",
            "<script>|1.2.3.4|[14/Oct/2023:13:14:02 +0000]|/a|200|1",
            "2023-10-14T13:14:02Z 1.2.3.4 - /a 200 1 [<script>] -",
        ),
        (
            "%{User-Agent}i|%h|%t|%U|%s|%b",
            "<134>2016-07-04T22:37:26Z cache log[1]: Pod|1.2.3.4|[14/Oct/2023:13:14:02 +0000]|/a|200|1",
            "2023-10-14T13:14:02Z 1.2.3.4 - /a 200 1 [Pod] -",
        ),
    ] {
        assert_eq!(told(format, line), expected, "{line}");
    }
}

#[test]
fn a_line_that_begins_with_a_time_is_no_header() {
    let format = "%{%Y-%m-%dT%H:%M:%SZ}t %h %m: %U %s %b";
    let line = "2026-11-01T05:02:03Z 1.2.3.4 GET: /a 200 1";
    let expected = "2026-11-01T05:02:03Z 1.2.3.4 GET /a 200 1 [-] -";
    for header in
        ["", "2026-11-01T05:02:09Z cache-fra1 log[7]: ", "<134>2026-11-01T05:02:09Z cache-fra1 log[7]: "]
    {
        assert_eq!(told(format, &format!("{header}{line}")), expected, "{header}");
    }
    assert_eq!(told(format, "<134>rubbish"), "bad_prefix");
    assert_eq!(told(format, "2026-11-01T05:02:09Z cache-fra1 log[7]: x"), "bad_record");
}

/// Fastly's default, as its documentation has it.
const FASTLY_DEFAULT: &str = r#"{
  "timestamp":"%{strftime(\{"%Y-%m-%dT%H:%M:%S%z"\}, time.start)}V",
  "client_ip":"%{req.http.Fastly-Client-IP}V",
  "geo_country":"%{client.geo.country_name}V",
  "geo_city":"%{client.geo.city}V",
  "host":"%{if(req.http.Fastly-Orig-Host, req.http.Fastly-Orig-Host, req.http.Host)}V",
  "url":"%{json.escape(req.url)}V",
  "request_method":"%{json.escape(req.method)}V",
  "request_referer":"%{json.escape(req.http.referer)}V",
  "request_user_agent":"%{json.escape(req.http.User-Agent)}V",
  "response_state":"%{json.escape(fastly_info.state)}V",
  "response_status":%{resp.status}V,
  "response_reason":%{if(resp.response, "%22"+json.escape(resp.response)+"%22", "null")}V,
  "response_body_size":%{resp.body_bytes_written}V,
  "fastly_server":"%{json.escape(server.identity)}V",
  "fastly_is_edge":%{if(fastly.ff.visits_this_service == 0, "true", "false")}V
}
"#;

#[test]
fn fastlys_default_as_a_format_string_reads_what_the_json_parser_reads() {
    let line = br#"<134>2026-08-09T18:23:18Z cache-iad1 log[1]: { "timestamp":"2026-08-09T18:23:17+0000", "client_ip":"198.51.100.7",
        "geo_country":"germany", "geo_city":"k\u00f6ln", "host":"h.example", "url":"\/a.mp3", "request_method":"GET",
        "request_referer":"", "request_user_agent":"P\"od", "response_state":"HIT", "response_status":200,
        "response_reason":"OK", "response_body_size":7, "fastly_server":"cache-iad-k1-IAD", "fastly_is_edge":true }"#;
    let request = parser(FASTLY_DEFAULT).parse(line, Box::leak(Box::default())).unwrap();
    assert_eq!(request, LineParser::json().parse(line, Box::leak(Box::default())).unwrap());
    assert_eq!(request.pop, Some(&b"IAD"[..]));
    for (line, expected) in [(&line[..300], BadJson), (b"<134>x", BadPrefix), (b"{}", MissingField)] {
        assert_eq!(
            parser(FASTLY_DEFAULT).parse(line, Box::leak(Box::default())).unwrap_err().defect,
            expected
        );
    }
    // Terraform doubles the percent signs of templates.
    let terraform = FASTLY_DEFAULT.replace("%{", "%%{");
    assert_eq!(parser(&terraform).parse(line, Box::leak(Box::default())).unwrap(), request);
}

#[test]
fn json_formats_with_keys_of_their_own() {
    let format = r#"{"t":%{time.start.usec}V,"net":{"client":{"ip":"%h"},"bytes":%b},"req":"%m %{json.escape(req.url)}V %H",
        "code":"%>s","dup":[1,"%h"],"range":%{if(req.http.Range, "%22" json.escape(req.http.Range) "%22", "null")}V,
        "shield":%{if(!req.http.Fastly-FF, "no", "yes")}V,"ua":"%{if(req.http.User-Agent, json.escape(req.http.User-Agent), "none")}V"}"#;
    for (line, expected) in [
        (
            r#"{"t":1793509323000001,"net":{"client":{"ip":"1.2.3.4"},"bytes":9},"req":"GET /a\"b c HTTP/1.1","code":"206","range":"bytes=5-","shield":"no","ua":"P\/1"}"#,
            r#"2026-11-01T05:02:03.000001Z 1.2.3.4 GET /a"b c 206 9 [P/1] edge"#,
        ),
        (
            r#" {"ua":"none","shield":"yes","code":206,"req":"GET /a HTTP/1.1","net":{"x":[{}],"bytes":-,"client":{"ip":"1.2.3.4","y":1}},"t":"1793509323000001"} "#,
            "2026-11-01T05:02:03.000001Z 1.2.3.4 GET /a 206 0 [-] shield",
        ),
        (
            r#"{"t":1,"net":{"client":{"ip":"1.2.3.4"},"bytes":x},"req":"GET /a HTTP/1.1","code":206}"#,
            "bad_json",
        ),
        (
            r#"{"t":1,"net":{"client":{"ip":"1.2.3"},"bytes":1},"req":"GET /a HTTP/1.1","code":206}"#,
            "bad_address",
        ),
        (r#"{"t":1,"net":"1.2.3.4","req":"GET /a HTTP/1.1","code":206}"#, "missing_field"),
        (
            r#"{"t":"x","net":{"client":{"ip":"1.2.3.4"},"bytes":1},"req":"GET /a HTTP/1.1","code":206}"#,
            "bad_time",
        ),
    ] {
        assert_eq!(told(format, line), expected, "{line}");
    }
    let line = r#"{"t":1,"net":{"client":{"ip":"1.2.3.4"},"bytes":9},"req":"GET /a HTTP/1.1","code":206,"range":"bytes=5-"}"#;
    let request = parser(format).parse(line.as_bytes(), Box::leak(Box::default())).unwrap().range;
    assert_eq!(request, Some(RequestedRange::From { first: 5 }));
}

#[test]
fn a_format_that_writes_its_own_header() {
    let header =
        r#"<134>1 %{"%Y-%m-%dT%T%z"}t %{server.datacenter}V podlog - - [tok@41058 tag="fastly" tag="b c"] "#;
    for body in ["%h %t %U %s %b", r#"{"ip":"%h","t":"%t","u":"%U","s":%s,"b":%b}"#] {
        let line = body
            .replace("%h", "1.2.3.4")
            .replace("%t", "[14/Oct/2023:13:14:02 +0000]")
            .replace("%U", "/a")
            .replace("%s", "200")
            .replace("%b", "1");
        let written = format!(
            r#"<134>1 2023-10-14T13:14:09+0000 FRA podlog - - [tok@41058 tag="fastly" tag="b c"] {line}"#
        );
        let expected = "2023-10-14T13:14:02Z 1.2.3.4 - /a 200 1 [-] -";
        assert_eq!(told(&format!("{header}{body}"), &written), expected, "{body}");
        assert_eq!(told(&format!("{header}{body}"), &line), expected, "{body}");
    }
}

#[test]
fn conditions_in_all_their_forms() {
    let format = |condition: &str| format!("%h %t %U %s %b %{{{condition}}}V");
    for (condition, printed, edge) in [
        (r#"if(fastly.ff.visits_this_service == 0, "true", "false")"#, "true", Some(true)),
        (r#"if(fastly.ff.visits_this_service == 0, "1", "0")"#, "0", Some(false)),
        (r#"if(fastly.ff.visits_this_service > 0, "1", "0")"#, "1", Some(false)),
        (r#"if(fastly.ff.visits_this_service, "shield", "edge")"#, "edge", Some(true)),
        (r#"if(!req.http.Fastly-FF, "Y", "N")"#, "Y", Some(true)),
        (r#"if(req.http.Fastly-FF, "Y", "N")"#, "Y", Some(false)),
        (r#"if(!(fastly.ff.visits_this_service < 1), "Y", "N")"#, "N", Some(true)),
        ("fastly.ff.visits_this_service", "2", Some(false)),
        ("fastly.ff.visits_this_service", "0", Some(true)),
        ("fastly.ff.visits_this_service == 0", "1", Some(true)),
        ("!req.http.Fastly-FF", "0", Some(false)),
        ("req.http.Fastly-FF", "abc!FRA!cache-fra1", Some(false)),
        ("req.http.Fastly-FF", "(null)", Some(true)),
        (r#"if(req.restarts == 0, "true", "false")"#, "true", None),
        (r#"if(fastly.ff.visits_this_service == 0 && req.restarts == 0, "true", "false")"#, "true", None),
        (r#"if(fastly.ff.visits_this_service == 0, "true", "false")"#, "maybe", None),
    ] {
        let line = format!("1.2.3.4 [14/Oct/2023:13:14:02 +0000] /a 200 1 {printed}");
        let parser = parser(&format(condition));
        assert_eq!(
            parser.parse(line.as_bytes(), Box::leak(Box::default())).unwrap().edge,
            edge,
            "{condition} {printed}"
        );
        assert_eq!(parser.fields().contains(Field::Edge), !condition.contains("restarts"), "{condition}");
    }
    let inner = parser(&format(r#"if(!segmented_caching.is_inner_req, "0", "1")"#));
    assert_eq!(
        inner
            .parse(b"1.2.3.4 [14/Oct/2023:13:14:02 +0000] /a 200 1 1", Box::leak(Box::default()))
            .unwrap()
            .inner,
        Some(true)
    );
    let completed = parser(&format("resp.completed"));
    assert_eq!(
        completed
            .parse(b"1.2.3.4 [14/Oct/2023:13:14:02 +0000] /a 200 1 0", Box::leak(Box::default()))
            .unwrap()
            .completed,
        Some(false)
    );
}

#[test]
fn what_a_format_gives_is_told() {
    let parser = parser("%h %{client.ip}V %t %r %s %b %{x-unknown}o");
    let fields: Vec<Field> = parser.fields().iter().collect();
    let expected = [Field::Start, Field::Address, Field::Url, Field::Status, Field::BodyBytes, Field::Method];
    assert_eq!(fields, expected);
    let described: Vec<String> =
        parser.describe().iter().map(|origin| format!("{} {}", origin.field.name(), origin.source)).collect();
    let expected = [
        "start time %t",
        "client address %h",
        "client address %{client.ip}V",
        "path %r",
        "status %s",
        "body bytes %b",
        "method %r",
    ];
    assert_eq!(described, expected);
    let json = LineParser::json();
    assert_eq!(json.fields().iter().count(), Field::ALL.len());
    assert!(Field::ALL.into_iter().all(|field| json.describe().iter().any(|origin| origin.field == field)));
}

#[test]
fn formats_that_cannot_be_used() {
    for (format, expected) in [
        ("nonsense", "unknown log format \"nonsense\""),
        ("%h %t", "it gives no path, no status, no body bytes, without which"),
        ("%h %U %s %b %{%H:%M}t", "it gives no start time, without which"),
        ("%h %t %U %s %b %{x", "byte 15: a directive's { that no } closes"),
        ("%h %t %U %s %b %", "byte 15: a % that begins no directive"),
        ("%h %{%Y-%Q}t %U %s %b", "byte 3: %Q is no time conversion"),
        ("%h %t%U %s %b", "byte 5: nothing stands between %t and %U"),
        (r#"{"a":"%h","b":"%t" "c":"%r %s %b"}"#, "byte 19: a , or the end of the object was expected"),
        (r#"{"a":"%h","b":"%t","c":"%r %s %b"} x"#, "byte 35: something after the JSON object"),
        (r#"{"a":"%h","b":"%t","c":"%r %s %b"#, "a string without its end"),
        (r#"{"a":"%h","b":"%t","c":"%r %s%b"}"#, "nothing stands between %s and %b"),
    ] {
        let error = LineParser::from_spec(format).unwrap_err().to_string();
        assert!(error.contains(expected), "{format}: {error}");
    }
    let long = "%h".repeat(40_000);
    assert_eq!(LineParser::from_spec(&long).unwrap_err(), FormatError::TooLong { bytes: 80_000 });
}

#[test]
fn a_line_that_fits_in_too_many_ways_ends_soon() {
    let format = r#"%t "%{A}i" "%{B}i" "%{C}i" "%{D}i" "%{E}i" "%{User-Agent}i" "%r" "%s" "%b" "%h""#;
    let line = format!("[14/Oct/2023:13:14:02 +0000] {}", r#""a" "#.repeat(10_000));
    assert_eq!(defect(format, &line), Some(BadRecord));
}
