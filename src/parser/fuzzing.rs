//! What the fuzz targets do with their input; `fuzz/` and the replay of its seeds call the same functions.
//!
//! Each panics where something does not hold that always must; returning is passing.

use std::io::Read;
use std::sync::LazyLock;

use super::json::{self, Keys};
use super::{Framer, LineParser, any_object, content_range, lines, prefix, requested_range};
use crate::event::{ContentRange, Defect, RequestedRange, Unescaped};

/// Formats that together use every part of the parsers.
const FORMATS: [&str; 5] = [
    "json",
    "changelog-csv",
    r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#,
    r#"%{%Y-%m-%dT%H:%M:%S%z}t|%{User-Agent}i|%h|%U%q|%>s|%B|%{fastly.ff.visits_this_service}V"#,
    r#"{"t":"%{begin:%Y-%m-%d %T}t","n":{"ip":"%h"},"r":"%m %{json.escape(req.url)}V","s":%>s,"b":%b}"#,
];

/// One line, in every format: any bytes give a request or a defect, and a syslog header changes neither; a line that is
/// read as version 1 at once is read as the same object key by key.
pub fn line(line: &[u8]) {
    static KEYS: LazyLock<Keys> = LazyLock::new(json::known_keys);
    if let Ok(request) = json::version_1(line) {
        assert_eq!(
            any_object(line, &KEYS, &Unescaped::default()),
            Ok(request),
            "the short way leads elsewhere"
        );
    }
    static PARSERS: LazyLock<[LineParser; FORMATS.len()]> = LazyLock::new(|| {
        FORMATS.map(|format| LineParser::from_spec(format).expect("a format that is known to compile"))
    });
    for (parser, format) in PARSERS.iter().zip(FORMATS) {
        let room = Unescaped::default();
        let parsed = parser.parse(line, &room);
        if let Ok(request) = &parsed {
            assert!(!request.url.is_empty(), "a request without a path");
        }
        let with_header = [b"<134>2016-07-04T22:37:26Z cache-sjc3128 LogTest[62959]: ", line].concat();
        if prefix::strip(line) == Ok(line) {
            assert_eq!(parser.parse(&with_header, &room), parsed, "a header makes a difference in {format}");
        }
    }
}

/// A format string, and after its first newline a line in it: a format compiles or says where it is wrong.
pub fn format(input: &[u8]) {
    let (format, line) = match memchr::memchr(b'\n', input) {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &b""[..]),
    };
    let Ok(format) = std::str::from_utf8(format) else { return };
    match LineParser::from_spec(format) {
        Ok(parser) => {
            let fields = parser.fields();
            assert!(
                super::Field::REQUIRED.into_iter().all(|field| fields.contains(field)),
                "a required field lacks"
            );
            assert!(
                parser.describe().iter().all(|origin| fields.contains(origin.field)),
                "a field of no format"
            );
            // What it reads is checked by `line`; here it only must not panic.
            let _ = parser.parse(line, &Unescaped::default());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A header's value: what is understood of it, printed, is understood as the same.
pub fn ranges(header: &[u8]) {
    let range = requested_range(header);
    let printed = match range {
        RequestedRange::Probe => "bytes=0-1".to_owned(),
        RequestedRange::Between { first, last } => format!("bytes={first}-{last}"),
        RequestedRange::From { first } => format!("bytes={first}-"),
        RequestedRange::Suffix { length } => format!("bytes=-{length}"),
        RequestedRange::Other => String::new(),
    };
    let same = requested_range(printed.as_bytes());
    let written_otherwise =
        same == RequestedRange::Probe && range == RequestedRange::Between { first: 0, last: 1 };
    assert!(same == range || written_otherwise, "{range:?} became {same:?}");

    if let Some(range @ ContentRange { positions, total }) = content_range(header) {
        assert!(positions.is_some() || total.is_some(), "a Content-Range that says nothing");
        let positions = positions.map_or("*".to_owned(), |(first, last)| format!("{first}-{last}"));
        let total = total.map_or("*".to_owned(), |total| total.to_string());
        assert_eq!(content_range(format!("bytes {positions}/{total}").as_bytes()), Some(range));
    }
}

/// A body: its first byte says how it is cut into pieces, its second how long a line may be. The pieces give
/// the lines that the whole gives, and no line is longer than it may be.
pub fn framing(input: &[u8]) {
    let [step, max, body @ ..] = input else { return };
    let (step, max) = (usize::from(*step).max(1), usize::from(*max));
    let whole: Vec<_> = lines(body, max).map(|line| line.map(<[u8]>::to_vec)).collect();
    assert!(whole.iter().flatten().all(|line| !line.is_empty() && line.len() <= max), "a line that is none");
    assert!(whole.iter().flatten().map(Vec::len).sum::<usize>() <= body.len(), "more than there was");
    let cut = |step: usize| {
        let mut framer = Framer::new(max);
        let (mut cut, mut piece, mut body) = (Vec::new(), Vec::new(), body);
        while !framer.is_at_end() {
            // Reading from memory does not fail.
            let lines = framer.next(&mut piece, step, |room| body.read(room)).expect("a slice is read");
            cut.extend(lines.map(|line| line.map(<[u8]>::to_vec)));
        }
        cut
    };
    assert_eq!(cut(step), whole, "it depends on the pieces");
    assert_eq!(cut(body.len().max(1)), whole);
    let mut defects = whole.iter().filter_map(|line| line.as_ref().err());
    assert!(defects.all(|malformed| malformed.defect == Defect::TooLong));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Runs every seed and every input that has ever crashed a target.
    fn replay(target: &str, run: fn(&[u8])) {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let mut replayed = 0;
        for folder in ["seeds", "artifacts"] {
            let Ok(inputs) = std::fs::read_dir(fuzz.join(folder).join(target)) else { continue };
            for input in inputs {
                let path = input.unwrap().path();
                let bytes = std::fs::read(&path).unwrap();
                // The seeds are text files with a newline at their end, which is not meant.
                let seed = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                let result = std::panic::catch_unwind(|| {
                    run(&bytes);
                    run(seed);
                });
                assert!(result.is_ok(), "{} fails", path.display());
                replayed += 1;
            }
        }
        assert!(replayed > 0, "no seeds for {target}");
    }

    #[test]
    fn line_seeds() {
        replay("line", line);
    }

    #[test]
    fn format_seeds() {
        replay("format", format);
    }

    #[test]
    fn ranges_seeds() {
        replay("ranges", ranges);
    }

    #[test]
    fn framing_seeds() {
        replay("framing", framing);
    }
}
