//! Version 1 lines as Fastly writes them: one key after the other, without a space.
//!
//! All lines of that format have the same keys in the same order, so they need no search for keys, no table of them and
//! no draft: each key is compared with the one that must come, and each value is read where it stands. This is how
//! nearly every line is read. One that is different in anything, or has an escape in a text, be it broken or a request
//! all the same, is left to the parser of any object: a request from here is the one that would come from there.

use std::hint::black_box;

use super::string::up_to_mark;
use crate::event::{Defect, Malformed, Request, Text};
use crate::parser::range::{content_range, requested_range};
use crate::parser::time::from_microseconds;
use crate::parser::value::{self, present};
use crate::units::{ByteCount, Country};

/// What is told of a line that is left to the parser of any object, which may find a request in it all the same.
const LEFT: Malformed = Malformed { defect: Defect::BadJson, start: None };

/// Reads a whole line. An error says that this is not how Fastly writes them, and nothing more; it is of the kind that
/// the other parser gives so that a request is not moved once it is read.
pub(in crate::parser) fn version_1(line: &[u8]) -> Result<Request<'_>, Malformed> {
    let mut line = Unread(line);
    line.pass(br#"{"v":1,"id":""#)?;
    let id = line.text()?;
    line.pass(br#"","start_us":"#)?;
    let start = from_microseconds(line.number()?).ok_or(LEFT)?;
    line.pass(br#","elapsed_us":"#)?;
    let elapsed_us = Some(line.number()?);
    line.pass(br#","ip":""#)?;
    let address = value::address(line.value()?).ok_or(LEFT)?;
    line.pass(br#"","method":""#)?;
    let method = line.text()?;
    line.pass(br#"","host":""#)?;
    let host = line.text()?;
    line.pass(br#"","url":""#)?;
    let url = line.text()?.ok_or(LEFT)?;
    line.pass(br#"","range":""#)?;
    let range = line.text()?.map(requested_range);
    line.pass(br#"","status":"#)?;
    let status = line.number()?.try_into().map_err(|_| LEFT)?;
    line.pass(br#","body_bytes":"#)?;
    let body_bytes = ByteCount(value::storable(line.number()?).ok_or(LEFT)?);
    line.pass(br#","content_range":""#)?;
    let content_range = line.text()?.and_then(content_range);
    line.pass(br#"","completed":"#)?;
    let completed = Some(line.boolean()?);
    line.pass(br#","ua":""#)?;
    let user_agent = line.text()?;
    line.pass(br#"","referer":""#)?;
    let referer = line.text()?;
    line.pass(br#"","country":""#)?;
    let country = line.text()?.map_or(Country::UNKNOWN, Country::parse);
    line.pass(br#"","region":""#)?;
    let region = line.text()?;
    line.pass(br#"","asn":"#)?;
    let asn = line.number()?.try_into().ok();
    line.pass(br#","proxy_type":""#)?;
    let proxy_type = line.text()?;
    line.pass(br#"","proxy_desc":""#)?;
    let proxy_description = line.text()?;
    line.pass(br#"","pop":""#)?;
    let pop = line.text()?;
    line.pass(br#"","state":""#)?;
    let cache_state = line.text()?;
    line.pass(br#"","edge":"#)?;
    let edge = Some(line.boolean()?);
    line.pass(br#","inner":"#)?;
    let inner = Some(line.boolean()?);
    line.pass(b"}")?;
    if !line.0.is_empty() {
        return Err(LEFT);
    }
    Ok(Request {
        start,
        address,
        url,
        status,
        body_bytes,
        id,
        elapsed_us,
        method,
        host,
        range,
        content_range,
        completed,
        user_agent,
        referer,
        country,
        region,
        asn,
        proxy_type,
        proxy_description,
        pop,
        cache_state,
        edge,
        inner,
    })
}

/// What is left of a line.
struct Unread<'a>(&'a [u8]);

impl<'a> Unread<'a> {
    #[inline(always)]
    fn pass<const N: usize>(&mut self, expected: &[u8; N]) -> Result<(), Malformed> {
        self.0 = self.0.strip_prefix(expected).ok_or(LEFT)?;
        Ok(())
    }

    /// A string whose first quote was passed. That it ends by a quote is for the next key to find.
    #[inline(always)]
    fn value(&mut self) -> Result<&'a [u8], Malformed> {
        let (value, rest) = up_to_mark(self.0).ok_or(LEFT)?;
        // Hidden from the compiler how far this is in the line: it would carry that along as a sum of all lengths.
        self.0 = black_box(rest);
        Ok(value)
    }

    /// As above, unless what it says means absent.
    #[inline(always)]
    fn text(&mut self) -> Result<Option<Text<'a>>, Malformed> {
        // In many is nothing to be looked for.
        if self.0.first() == Some(&b'"') {
            return Ok(None);
        }
        self.value().map(present)
    }

    /// A number without sign and fraction.
    #[inline(always)]
    fn number(&mut self) -> Result<u64, Malformed> {
        let (number, rest) = value::leading_number(self.0).ok_or(LEFT)?;
        // Of more digits, none of them a leading zero.
        let is_short = self.0.len() - rest.len() == 1;
        if self.0[0] == b'0' && !is_short {
            return Err(LEFT);
        }
        self.0 = rest;
        Ok(number)
    }

    #[inline(always)]
    fn boolean(&mut self) -> Result<bool, Malformed> {
        let (value, rest) = match self.0 {
            [b't', b'r', b'u', b'e', rest @ ..] => (true, rest),
            [b'f', b'a', b'l', b's', b'e', rest @ ..] => (false, rest),
            _ => return Err(LEFT),
        };
        self.0 = rest;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Unescaped;
    use crate::parser::{LineParser, any_object};

    const LINE: &str = concat!(
        r#"{"v":1,"id":"4c4f7468fb","start_us":1795134066426494,"elapsed_us":1193673367,"#,
        r#""ip":"2001:db8:ac5e::1411","method":"GET","host":"cdn.example","url":"/podcast/ledger/225.mp3?a=b","#,
        r#""range":"bytes=0-99","status":206,"body_bytes":100,"content_range":"bytes 0-99/40581287","completed":true,"#,
        r#""ua":"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X)","referer":"","country":"US","region":"TX","asn":7922,"#,
        r#""proxy_type":"","proxy_desc":"","pop":"DEN","state":"MISS-CLUSTER","edge":true,"inner":false}"#,
    );

    fn as_any_object(line: &[u8]) -> Result<Request<'_>, Malformed> {
        any_object(line, &super::super::known_keys(), Box::leak(Box::default()))
    }

    #[test]
    fn lines_as_fastly_writes_them() {
        for line in [LINE, &LINE.replace("2001:db8:ac5e::1411", "192.0.2.1"), &LINE.replace("206", "9")] {
            let request = version_1(line.as_bytes());
            assert!(request.is_ok(), "{line}");
            assert_eq!(request, as_any_object(line.as_bytes()));
        }
    }

    #[test]
    fn all_else_is_left_to_the_other_parser() {
        for (part, other) in [
            ("1193673367", "0123"),
            ("1193673367", "12.5"),
            ("1193673367", ""),
            ("40581287\"", "40581287\" "),
            ("206", "65536"),
            ("100,", "9223372036854775808,"),
            ("\"/podcast/ledger/225.mp3?a=b\"", "\"\""),
            ("\"v\":1", "\"v\":2"),
            ("podcast", "pod\\u0063ast"),
            ("false}", "false} "),
            ("false}", "falsy}"),
            ("false}", "false"),
            ("completed", "ended"),
        ] {
            assert!(version_1(LINE.replacen(part, other, 1).as_bytes()).is_err(), "{part} {other}");
        }
    }

    proptest! {
        /// Whatever is put in wherever: where this gives a request, any object's parser gives the same.
        #[test]
        fn never_another_request(edits in prop::collection::vec(
            (0..LINE.len(), 0..3usize, prop::sample::select(vec!["", "0", "9", "-", "\"", "\\", "\\u0041", ",", "}", " ", "null", "(null)", "\"-\"", "true", "é"])),
            0..3,
        )) {
            let mut line = LINE.as_bytes().to_vec();
            for (at, length, text) in edits {
                let at = at.min(line.len());
                let end = (at + length).min(line.len());
                line.splice(at..end, text.bytes());
            }
            if let Ok(request) = version_1(&line) {
                prop_assert_eq!(as_any_object(&line), Ok(request));
                let room = Unescaped::default();
                prop_assert_eq!(LineParser::json().parse(&line, &room), Ok(request));
            }
        }
    }
}
