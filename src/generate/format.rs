//! Log lines as text: the version 1 JSON line, the same behind Fastly's classic syslog prefix, and the CSV
//! line that changelog.com's Fastly service wrote.
//!
//! JSON strings hold what Fastly's `json.escape` prints, an absent header being an empty string. The CSV is
//! as careless as the original: user agents are not escaped, so a quote in one breaks the line's columns.

use super::OutputFormat;
use super::entry::{Blemish, ContentHeader, Entry, RangeHeader, Target, Vantage};
use super::schedule::MICROS_PER_SECOND;
use super::text::{push_decimal, push_hex_id, push_two_digits};
use super::world::World;
use crate::units::{Timestamp, UtcDay};

const HOST: &str = "cdn.example";
const PAGES: [&str; 4] = ["cover.jpg", "cover-600.webp", "chapters.json", "transcript.vtt"];
const PROCESS: u64 = 411_617;

/// Writes entries in one format.
pub struct Writer {
    format: OutputFormat,
    date: DateText,
}

impl Writer {
    pub fn new(format: OutputFormat) -> Self {
        Self { format, date: DateText::of(UtcDay(0)) }
    }

    /// Appends the entry and a line feed.
    pub fn write(&mut self, world: &World, entry: &Entry, out: &mut Vec<u8>) {
        let begin = out.len();
        match self.format {
            OutputFormat::Json => write_json(world, entry, out),
            OutputFormat::Syslog => {
                self.write_prefix(world, entry, "castmeter", out);
                write_json(world, entry, out);
            }
            OutputFormat::Csv => {
                self.write_prefix(world, entry, "S3Shows", out);
                self.write_csv(world, entry, out);
            }
        }
        if let Some(Blemish::Cut(part)) = entry.blemish {
            let length = out.len() - begin;
            out.truncate(begin + 1 + (length - 1) * usize::from(part) / 256);
        }
        out.push(b'\n');
    }

    /// `<134>2016-07-04T22:37:26Z cache-sjc3128 LogTest[62959]: `, stamped with the end of the transfer.
    fn write_prefix(&mut self, world: &World, entry: &Entry, log: &str, out: &mut Vec<u8>) {
        let client = &entry.client;
        let pop = world.places.get(client.place).pops[usize::from(client.pop)];
        let end_seconds = entry.end_us().div_euclid(MICROS_PER_SECOND);
        let (date, second) = self.date_at(end_seconds);
        out.extend_from_slice(b"<134>");
        out.extend_from_slice(&date.iso);
        out.push(b'T');
        push_time(out, second);
        out.extend_from_slice(b"Z cache-");
        out.extend(pop.bytes().map(|letter| letter.to_ascii_lowercase()));
        out.extend_from_slice(b"-k82200");
        push_two_digits(out, entry.id % 64);
        out.push(b' ');
        out.extend_from_slice(log.as_bytes());
        out.push(b'[');
        push_decimal(out, PROCESS);
        out.extend_from_slice(b"]: ");
    }

    fn write_csv(&mut self, world: &World, entry: &Entry, out: &mut Vec<u8>) {
        let client = &entry.client;
        write_address(entry, out);
        let (date, second) = self.date_at(entry.start.seconds());
        out.extend_from_slice(b",[");
        out.extend_from_slice(&date.clf);
        out.push(b':');
        push_time(out, second);
        out.extend_from_slice(b" +0000],");
        write_path(world, entry.target, out);
        out.push(b',');
        push_decimal(out, entry.exchange.sent);
        out.push(b',');
        if entry.blemish != Some(Blemish::NoStatus) {
            push_decimal(out, entry.exchange.status.into());
        }
        out.extend_from_slice(b",\"");
        out.extend_from_slice(world.agents.get(client.agent).text.as_bytes());
        let country = world.places.get(client.place);
        for text in ["\",", country.latitude, ",", country.longitude, ",\"", country.city, "\","] {
            out.extend_from_slice(text.as_bytes());
        }
        let (code, name) = if client.unplaced { ("?", "(null)") } else { (country.code, country.name) };
        for text in [country.continent, ",", code, ",\"", name, "\""] {
            out.extend_from_slice(text.as_bytes());
        }
    }

    /// The date and the second of its day; dates are remembered, as most lines are of the same.
    fn date_at(&mut self, seconds: i64) -> (&DateText, u64) {
        let day = UtcDay(seconds.div_euclid(86_400) as i32);
        if self.date.day != day {
            self.date = DateText::of(day);
        }
        (&self.date, seconds.rem_euclid(86_400) as u64)
    }
}

/// A day as the two formats write it.
struct DateText {
    day: UtcDay,
    /// `2026-11-01`
    iso: Vec<u8>,
    /// `01/Nov/2026`
    clf: Vec<u8>,
}

impl DateText {
    fn of(day: UtcDay) -> Self {
        let date = day.to_date();
        Self {
            day,
            iso: date.format("%Y-%m-%d").to_string().into_bytes(),
            clf: date.format("%d/%b/%Y").to_string().into_bytes(),
        }
    }
}

/// `23:59:59`
fn push_time(out: &mut Vec<u8>, second_of_day: u64) {
    push_two_digits(out, second_of_day / 3_600);
    out.push(b':');
    push_two_digits(out, second_of_day / 60 % 60);
    out.push(b':');
    push_two_digits(out, second_of_day % 60);
}

fn write_json(world: &World, entry: &Entry, out: &mut Vec<u8>) {
    let client = &entry.client;
    let country = world.places.get(client.place);
    let exchange = &entry.exchange;
    let put = |out: &mut Vec<u8>, text: &str| out.extend_from_slice(text.as_bytes());
    put(out, r#"{"v":1,"id":""#);
    push_hex_id(out, entry.id);
    put(out, r#"","start_us":"#);
    push_decimal(out, micros(entry.start));
    put(out, r#","elapsed_us":"#);
    push_decimal(out, entry.elapsed_us);
    put(out, r#","ip":""#);
    write_address(entry, out);
    put(out, r#"","method":""#);
    put(out, entry.method.name());
    put(out, r#"","host":""#);
    put(out, HOST);
    put(out, r#"","url":""#);
    write_path(world, entry.target, out);
    put(out, entry.query.text());
    put(out, r#"","range":""#);
    write_range(exchange.range, out);
    put(out, r#"","#);
    if entry.blemish != Some(Blemish::NoStatus) {
        put(out, r#""status":"#);
        push_decimal(out, exchange.status.into());
        put(out, ",");
    }
    put(out, r#""body_bytes":"#);
    push_decimal(out, exchange.sent);
    put(out, r#","content_range":""#);
    write_content_range(exchange.content, out);
    put(
        out,
        if exchange.completed { r#"","completed":true,"ua":""# } else { r#"","completed":false,"ua":""# },
    );
    put(out, &world.agents.get(client.agent).json);
    put(out, r#"","referer":""#);
    put(out, entry.referer.text());
    put(out, r#"","country":""#);
    put(out, if client.unplaced { "?" } else { country.code });
    put(out, r#"","region":""#);
    put(out, if client.unplaced { "?" } else { country.regions[usize::from(client.region)] });
    put(out, r#"","asn":"#);
    push_decimal(out, client.network.into());
    let (proxy_type, proxy_description) = client.proxy.names();
    put(out, r#","proxy_type":""#);
    put(out, proxy_type);
    put(out, r#"","proxy_desc":""#);
    put(out, proxy_description);
    put(out, r#"","pop":""#);
    put(out, country.pops[usize::from(client.pop)]);
    put(out, r#"","state":""#);
    put(out, entry.cache.name());
    put(
        out,
        match entry.vantage {
            Vantage::Edge => r#"","edge":true,"inner":false}"#,
            Vantage::Shield => r#"","edge":false,"inner":false}"#,
            Vantage::Inner => r#"","edge":true,"inner":true}"#,
        },
    );
}

fn micros(time: Timestamp) -> u64 {
    u64::try_from(time.micros()).unwrap_or(0)
}

fn write_address(entry: &Entry, out: &mut Vec<u8>) {
    match entry.blemish {
        Some(Blemish::Address) => out.extend_from_slice(b"unknown"),
        _ => entry.client.address.write(out),
    }
}

fn write_path(world: &World, target: Target, out: &mut Vec<u8>) {
    match target {
        Target::Episode { index, odd } => {
            let episode = world.library.get(index);
            out.extend_from_slice(if odd { &episode.odd_url } else { &episode.url }.as_bytes());
        }
        Target::Feed { show } => out.extend_from_slice(world.library.shows[show as usize].feed.as_bytes()),
        Target::Page { show, page } => {
            let feed = &world.library.shows[show as usize].feed;
            // Beside the feed: `/podcast/ledger/cover.jpg`.
            out.extend_from_slice(&feed.as_bytes()[..feed.len() - "feed".len()]);
            out.extend_from_slice(PAGES[usize::from(page) % PAGES.len()].as_bytes());
        }
        Target::Missing { number } => {
            out.extend_from_slice(b"/podcast/ledger/lost-");
            push_decimal(out, number.into());
            out.extend_from_slice(b".mp3");
        }
    }
}

fn write_range(range: RangeHeader, out: &mut Vec<u8>) {
    if range != RangeHeader::Absent {
        out.extend_from_slice(b"bytes=");
    }
    match range {
        RangeHeader::Absent => {}
        RangeHeader::From(first) => {
            push_decimal(out, first);
            out.push(b'-');
        }
        RangeHeader::Between(first, last) => {
            push_decimal(out, first);
            out.push(b'-');
            push_decimal(out, last);
        }
        RangeHeader::Suffix(length) => {
            out.push(b'-');
            push_decimal(out, length);
        }
        RangeHeader::Two(last, from) => {
            out.extend_from_slice(b"0-");
            push_decimal(out, last);
            out.push(b',');
            push_decimal(out, from);
            out.push(b'-');
        }
    }
}

fn write_content_range(content: ContentHeader, out: &mut Vec<u8>) {
    match content {
        ContentHeader::Absent => {}
        ContentHeader::Part { part, total } => {
            out.extend_from_slice(b"bytes ");
            push_decimal(out, part.start);
            out.push(b'-');
            push_decimal(out, part.end - 1);
            out.push(b'/');
            push_decimal(out, total);
        }
        ContentHeader::Unsatisfied { total } => {
            out.extend_from_slice(b"bytes */");
            push_decimal(out, total);
        }
    }
}
