//! From bytes to requests: framing, syslog header, the three kinds of formats, ranges.

use std::fmt::Write;
use std::hint::black_box;
use std::io::Read;

use castmeter::event::{Defect, RequestedRange, Unescaped};
use castmeter::parser::{Framer, LineParser, content_range, lines, requested_range};
use divan::Bencher;
use memchr::memmem;

use super::input::{
    COMBINED, CSV, Expected, JSON, LINES_PER_BATCH, MAX_LINE_BYTES, REQUESTS, batches, expected,
    leading_number, text_lines, time,
};

#[divan::bench]
fn framing_of_a_body(bencher: Bencher<'_, '_>) {
    time(bencher, &batches(&JSON), |batch| {
        let (mut count, mut bytes) = (0, 0);
        for line in lines(batch, MAX_LINE_BYTES) {
            count += 1;
            bytes += line.expect("no line is too long").len();
        }
        assert_eq!((count, bytes), (LINES_PER_BATCH, batch.len() - LINES_PER_BATCH));
    });
}

#[divan::bench]
fn framing_in_pieces(bencher: Bencher<'_, '_>) {
    time(bencher, &batches(&JSON), |batch| {
        let (mut count, mut bytes) = (0, 0);
        let (mut framer, mut piece, mut rest) = (Framer::new(MAX_LINE_BYTES), Vec::new(), *batch);
        while !framer.is_at_end() {
            for line in framer.next(&mut piece, 8_192, |room| rest.read(room)).expect("a slice is read") {
                count += 1;
                bytes += line.expect("no line is too long").len();
            }
        }
        assert_eq!((count, bytes), (LINES_PER_BATCH, batch.len() - LINES_PER_BATCH));
    });
}

/// The header of a syslog line, and nothing but an empty object behind it.
#[divan::bench]
fn syslog_prefix(bencher: Bencher<'_, '_>) {
    let parser = LineParser::json();
    let headers: Vec<Vec<u8>> = batches(&CSV)
        .into_iter()
        .map(|batch| {
            let header =
                |line: &[u8]| [&line[..=memchr::memchr(b']', line).expect("a header")], b": {}\n"].concat();
            text_lines(batch).filter(|line| memmem::find(line, b"]: ").is_some()).flat_map(header).collect()
        })
        .collect();
    time(bencher, &headers, |batch| {
        let mut stripped = 0;
        for line in lines(batch, MAX_LINE_BYTES) {
            let room = Unescaped::default();
            let defect = parser.parse(line.expect("short"), &room).expect_err("an empty object").defect;
            stripped += usize::from(defect == Defect::MissingField);
        }
        assert!((LINES_PER_BATCH - 20..=LINES_PER_BATCH).contains(&stripped), "{stripped} headers were read");
    });
}

#[divan::bench]
fn json(bencher: Bencher<'_, '_>) {
    let parser = LineParser::json();
    let key = memmem::Finder::new(br#""body_bytes":"#);
    let batches =
        expected(&JSON, &parser, |line| leading_number(&line[key.find(line)? + key.needle().len()..]));
    time(bencher, &batches, |batch| parse(&parser, batch));
}

/// changelog.com's columns behind a syslog header.
#[divan::bench]
fn csv(bencher: Bencher<'_, '_>) {
    let parser = LineParser::from_spec("changelog-csv").expect("a preset");
    let batches = expected(&CSV, &parser, |line| {
        let columns = &line[memmem::find(line, b"]: ")? + 3..];
        leading_number(columns.split(|byte| *byte == b',').nth(3)?)
    });
    time(bencher, &batches, |batch| parse(&parser, batch));
}

/// A format string of nine directives.
#[divan::bench]
fn template(bencher: Bencher<'_, '_>) {
    let parser = LineParser::from_spec(COMBINED).expect("a sound format");
    let text = combined_lines();
    let batches = expected(text.as_bytes(), &parser, |line| {
        leading_number(line.split(|byte| *byte == b'"').nth(2)?.rsplit(|byte| *byte == b' ').nth(1)?)
    });
    time(bencher, &batches, |batch| parse(&parser, batch));
}

fn parse(parser: &LineParser, expected: &Expected<'_>) {
    let (mut valid, mut body_bytes) = (0, 0);
    for line in lines(expected.batch, MAX_LINE_BYTES) {
        let room = Unescaped::default();
        let Ok(request) = black_box(parser.parse(line.expect("no line is too long"), &room)) else {
            continue;
        };
        valid += 1;
        body_bytes += request.body_bytes.0;
    }
    assert_eq!((valid, body_bytes), (expected.valid, expected.body_bytes));
}

/// The generated requests as a service with [`COMBINED`] logs them.
fn combined_lines() -> String {
    let mut text = String::new();
    for request in &*REQUESTS {
        let word = |field: &Option<castmeter::event::Text<'_>>| {
            let text = field.filter(|bytes| !bytes.contains(&b'"')).unwrap_or(b"-");
            String::from_utf8_lossy(text).into_owned()
        };
        writeln!(
            text,
            r#"{} - - [{}] "{} {} HTTP/1.1" {} {} "{}" "{}""#,
            request.address,
            request.start.to_utc().format("%d/%b/%Y:%H:%M:%S +0000"),
            word(&request.method),
            String::from_utf8_lossy(request.url),
            request.status,
            request.body_bytes,
            word(&request.referer),
            word(&request.user_agent),
        )
        .expect("memory");
    }
    text
}

/// Both headers of every line, as they stand there.
#[divan::bench]
fn ranges(bencher: Bencher<'_, '_>) {
    time(bencher, &range_headers(), |batch| {
        let (mut first_bytes, mut sizes) = (0, 0);
        for (range, content) in &batch.headers {
            if let RequestedRange::Between { first, .. } | RequestedRange::From { first } =
                requested_range(range)
            {
                first_bytes += first;
            }
            sizes += content_range(content).and_then(|content| content.total).unwrap_or(0);
        }
        assert_eq!((first_bytes, sizes), (batch.first_bytes, batch.sizes));
    });
}

/// The headers of a batch, with sums of what they say, got by cutting them at `=` and `/`.
struct Headers {
    /// `Range`, `Content-Range`
    headers: Vec<(&'static [u8], &'static [u8])>,
    first_bytes: u64,
    sizes: u64,
}

fn range_headers() -> Vec<Headers> {
    let value = |line: &'static [u8], key: &[u8]| -> Option<&'static [u8]> {
        let value = &line[memmem::find(line, key)? + key.len()..];
        Some(&value[..memchr::memchr(b'"', value)?])
    };
    let first =
        |range: &[u8]| leading_number(range.strip_prefix(b"bytes=")?).filter(|_| !range.contains(&b','));
    let size = |content: &[u8]| leading_number(content.rsplit(|byte| *byte == b'/').next()?);
    let of_batch = |batch| {
        let of_line = |line| {
            let range = value(line, br#""range":""#).unwrap_or_default();
            (range, value(line, br#""content_range":""#).unwrap_or_default())
        };
        let headers: Vec<_> = text_lines(batch).map(of_line).collect();
        let first_bytes = headers.iter().filter_map(|(range, _)| first(range)).sum();
        let sizes = headers.iter().filter_map(|(_, content)| size(content)).sum();
        Headers { headers, first_bytes, sizes }
    };
    let json: &'static [u8] = &JSON;
    batches(json).into_iter().map(of_batch).collect()
}
