//! The traffic as a whole: the same bytes again, lines that can be read, in order, with the documented shares.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use serde_json::Value;

use super::schedule::HORIZON;
use super::*;

const KEYS: [&str; 24] = [
    "v",
    "id",
    "start_us",
    "elapsed_us",
    "ip",
    "method",
    "host",
    "url",
    "range",
    "status",
    "body_bytes",
    "content_range",
    "completed",
    "ua",
    "referer",
    "country",
    "region",
    "asn",
    "proxy_type",
    "proxy_desc",
    "pop",
    "state",
    "edge",
    "inner",
];

fn generate(options: &Options) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_lines(options, &mut bytes).unwrap();
    bytes
}

fn lines(options: &Options) -> Vec<Vec<u8>> {
    let bytes = generate(options);
    assert_eq!(bytes.last(), Some(&b'\n'));
    bytes[..bytes.len() - 1].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// The lines that can be read, and how many cannot.
fn entries(options: &Options) -> (Vec<Value>, usize) {
    let lines = lines(options);
    let read = |line: &Vec<u8>| {
        let entry: Value = serde_json::from_slice(line).ok()?;
        let address_reads = entry["ip"].as_str()?.parse::<IpAddr>().is_ok();
        (address_reads && entry.get("status").is_some()).then_some(entry)
    };
    let entries: Vec<Value> = lines.iter().filter_map(read).collect();
    let malformed = lines.len() - entries.len();
    (entries, malformed)
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry[key].as_str().unwrap()
}

fn path(entry: &Value) -> String {
    let encoded = text(entry, "url").split('?').next().unwrap().as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < encoded.len() {
        if encoded[at] == b'%' {
            let digits = std::str::from_utf8(&encoded[at + 1..at + 3]).unwrap();
            decoded.push(u8::from_str_radix(digits, 16).unwrap());
            at += 3;
        } else {
            decoded.push(encoded[at]);
            at += 1;
        }
    }
    String::from_utf8(decoded).unwrap()
}

fn micros(entry: &Value, key: &str) -> i64 {
    entry[key].as_i64().unwrap()
}

#[test]
fn the_same_options_give_the_same_bytes_for_ever() {
    let sum = |format| crc32c::crc32c(&generate(&Options { lines: 2_000, format, ..Options::default() }));
    let mut catalog = Vec::new();
    write_catalog(&Options::default(), &mut catalog).unwrap();
    let sums = [
        sum(OutputFormat::Json),
        sum(OutputFormat::Csv),
        sum(OutputFormat::Syslog),
        crc32c::crc32c(&catalog),
    ];
    // Other sums are other traffic, and no recorded measurement compares any more: change them on purpose.
    assert_eq!(format!("{sums:08x?}"), "[c51f35de, 530db0f5, 889d30f7, 1f3c634f]");
}

#[test]
fn another_seed_gives_other_bytes() {
    let of = |seed| generate(&Options { lines: 100, seed, ..Options::default() });
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn fewer_lines_are_fewer_lines() {
    for count in [0, 1, 7] {
        let bytes = generate(&Options { lines: count, ..Options::default() });
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count() as u64, count);
    }
}

#[test]
fn small_and_extreme_options_do_no_harm() {
    let options = Options { lines: 500, ..Options::default() };
    for options in [
        Options { episodes: 0, shows: 0, listeners: 0, days: 0, ..options.clone() },
        Options { episodes: 3, shows: 9, listeners: 1, days: 1, ..options.clone() },
        Options { listeners: u32::MAX, seed: u64::MAX, days: u32::MAX, ..options.clone() },
        Options { episodes: 20_000, shows: 500, ..options.clone() },
        Options { start: Timestamp::from_seconds(-1_000_000_000).unwrap(), ..options },
    ] {
        assert_eq!(lines(&options).len(), 500, "{options:?}");
    }
}

#[test]
fn episodes_are_early_only_on_purpose() {
    let options = Options { lines: 30_000, ..Options::default() };
    let mut catalog = Vec::new();
    write_catalog(&options, &mut catalog).unwrap();
    let published: BTreeMap<String, String> = csv::Reader::from_reader(catalog.as_slice())
        .records()
        .map(Result::unwrap)
        .map(|row| (row[2].to_owned(), row[5].to_owned()))
        .collect();
    let (mut early, mut soon_after) = (0, 0);
    for entry in entries(&options).0 {
        let start = Timestamp::from_micros(micros(&entry, "start_us")).unwrap();
        if let Some(published) = published.get(&path(&entry)) {
            early += u32::from(start.to_string() < *published);
            soon_after += u32::from(start.day().to_string() == published[..10.min(published.len())]);
        }
    }
    assert!((60..300).contains(&early), "{early}");
    assert!(soon_after > 1_000, "{soon_after}");
}

#[test]
fn lines_have_exactly_the_named_keys_and_one_in_a_thousand_cannot_be_read() {
    let (entries, malformed) = entries(&Options { lines: 30_000, ..Options::default() });
    for entry in &entries {
        let keys: Vec<&str> = entry.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, KEYS);
        assert_eq!(entry["v"], 1);
    }
    assert!((10..70).contains(&malformed), "{malformed}");
}

#[test]
fn lines_come_in_the_order_of_their_ends_and_ids_come_again_only_with_the_whole_line() {
    let options = Options { lines: 30_000, ..Options::default() };
    let (mut last_end, mut last_start, mut disordered) = (0, 0, 0);
    let mut seen: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut again = 0;
    for line in lines(&options) {
        let Ok(entry) = serde_json::from_slice::<Value>(&line) else { continue };
        let (start, elapsed) = (micros(&entry, "start_us"), micros(&entry, "elapsed_us"));
        assert!(start >= options.start.micros() && start < options.end().micros());
        assert!((0..=HORIZON).contains(&elapsed));
        match seen.get(text(&entry, "id")) {
            Some(first) => {
                assert_eq!(*first, line);
                again += 1;
            }
            None => {
                assert!(start + elapsed >= last_end);
                disordered += u32::from(start < last_start);
                (last_end, last_start) = (start + elapsed, start);
                seen.insert(text(&entry, "id").to_owned(), line);
            }
        }
    }
    assert!((90..220).contains(&again), "{again}");
    assert!(disordered > 5_000, "{disordered}");
}

#[test]
fn the_catalogue_and_the_feeds_name_what_is_asked_for() {
    let options = Options { lines: 30_000, ..Options::default() };
    let mut catalog = Vec::new();
    write_catalog(&options, &mut catalog).unwrap();
    let mut table = csv::Reader::from_reader(catalog.as_slice());
    let header = ["show", "episode", "path", "bytes", "duration_s", "published_at", "audio_start"];
    assert_eq!(table.headers().unwrap(), header.as_slice());
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len() as u32, options.episodes);
    assert!(rows.iter().any(|row| row[3].is_empty()) && rows.iter().any(|row| row[5].is_empty()));
    let paths: BTreeMap<&str, &str> = rows.iter().map(|row| (&row[2], &row[3])).collect();
    let feeds: BTreeSet<String> = super::feeds(&options).into_iter().collect();
    assert_eq!(feeds.len() as u32, options.shows);

    let (mut episodes, mut readers) = (BTreeSet::new(), BTreeSet::new());
    for entry in entries(&options).0 {
        let path = path(&entry);
        let size = paths.get(path.as_str());
        if path.ends_with(".mp3") || path.ends_with(".m4a") {
            assert_eq!(size.is_none(), entry["status"] == 404, "{path}");
            episodes.insert(path);
        } else if feeds.contains(&path) {
            readers.insert(path);
        }
        if let (Some((_, total)), Some(size)) = (text(&entry, "content_range").split_once('/'), size) {
            assert!(size.is_empty() || *size == total);
        }
    }
    assert!(episodes.len() > 500, "{}", episodes.len());
    assert!(readers.len() > 6, "{readers:?}");
}

#[test]
fn shares_are_as_documented() {
    let (entries, _) = entries(&Options { lines: 60_000, ..Options::default() });
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut count = |name, holds: bool| *counts.entry(name).or_default() += u32::from(holds);
    let mut agents = HashSet::new();
    let mut listeners = HashSet::new();
    for entry in &entries {
        let (ip, ua, range, url) =
            (text(entry, "ip"), text(entry, "ua"), text(entry, "range"), text(entry, "url"));
        let machine = ip.starts_with("198.1") || ip.starts_with("2001:db8:ffff:");
        let feed = url.ends_with("/feed");
        agents.insert(ua);
        listeners.insert((ip, ua));
        count("robot", machine && !feed);
        count("feed", feed);
        count("subscribers", ua.contains(" subscribers"));
        count("shield", entry["edge"] == false);
        count("inner", entry["inner"] == true);
        count("IPv6", ip.starts_with("2001:"));
        count("mapped", ip.starts_with("::ffff:"));
        count("whole", entry["status"] == 200);
        count("partial", entry["status"] == 206);
        count("not modified", entry["status"] == 304);
        count("missing", entry["status"] == 404);
        count("unsatisfiable", entry["status"] == 416);
        count("moved", entry["status"] == 301);
        count("probe", range == "bytes=0-1");
        count("suffix", range.starts_with("bytes=-"));
        count("HEAD", entry["method"] == "HEAD");
        count("broken off", entry["completed"] == false);
        count("query", url.contains('?'));
        count("escape", url.contains('%'));
        count("hosting", entry["proxy_type"] == "hosting" && !machine);
        count("VPN", entry["proxy_desc"] == "vpn");
        count("relay", entry["proxy_desc"] == "apple");
        count("quote", ua.contains('"'));
        count("backslash", ua.contains('\\'));
        count("not ASCII", !ua.is_ascii());
    }
    // In 10,000 lines, at least and at most.
    for (name, least, most) in [
        ("robot", 450, 800),
        ("feed", 300, 550),
        ("subscribers", 60, 200),
        ("shield", 180, 380),
        ("inner", 150, 500),
        ("IPv6", 3_000, 4_000),
        ("mapped", 150, 350),
        ("whole", 3_200, 5_200),
        ("partial", 4_400, 6_400),
        ("not modified", 120, 320),
        ("missing", 40, 110),
        ("unsatisfiable", 10, 40),
        ("moved", 15, 60),
        ("probe", 80, 220),
        ("suffix", 12, 60),
        ("HEAD", 250, 550),
        ("broken off", 1_300, 2_600),
        ("query", 800, 1_700),
        ("escape", 400, 2_500),
        ("hosting", 40, 200),
        ("VPN", 30, 160),
        ("relay", 200, 450),
        ("quote", 1, 60),
        ("backslash", 1, 30),
        ("not ASCII", 30, 400),
    ] {
        let share = f64::from(counts[name]) * 10_000.0 / entries.len() as f64;
        assert!((f64::from(least)..f64::from(most)).contains(&share), "{name}: {share:.1} in 10,000");
    }
    assert!(agents.len() > 1_200, "{}", agents.len());
    assert!(listeners.len() > 20_000, "{}", listeners.len());
}

#[test]
fn other_formats_carry_the_same_requests() {
    let options = Options { lines: 3_000, ..Options::default() };
    let json = lines(&options);
    let syslog = lines(&Options { format: OutputFormat::Syslog, ..options.clone() });
    for (bare, prefixed) in json.iter().zip(&syslog) {
        let prefixed = String::from_utf8_lossy(prefixed);
        let Some((prefix, message)) = prefixed.split_once("]: ") else { continue };
        assert!(prefix.starts_with("<134>2026-11-0") && prefix.contains("Z cache-"), "{prefix}");
        let Ok(entry) = serde_json::from_slice::<Value>(bare) else { continue };
        assert_eq!(serde_json::from_str::<Value>(message).unwrap(), entry);
        let end = Timestamp::from_micros(micros(&entry, "start_us") + micros(&entry, "elapsed_us")).unwrap();
        assert_eq!(&prefix[5..24], &end.to_string()[..19]);
    }
    let csv = lines(&Options { format: OutputFormat::Csv, ..options });
    let columns = |line: &&Vec<u8>| String::from_utf8_lossy(line).split(',').count() >= 12;
    assert!(csv.iter().filter(columns).count() > 2_985);
    let first = String::from_utf8_lossy(&csv[0]).into_owned();
    assert!(first.contains(" +0000],/podcast/") && first.contains("[01/Nov/2026:"), "{first}");
}

#[test]
fn traffic_as_it_happens_follows_the_callers_clock() {
    let options = Options::default();
    let mut generator = Generator::new(&options);
    let mut out = Vec::new();
    let (mut on_time, mut starts) = (0, BTreeSet::new());
    for tick in 0..20_000 {
        let now = options.start.plus(Duration::from_millis(tick * 5));
        out.clear();
        generator.next_line_at(now, &mut out);
        let Ok(entry) = serde_json::from_slice::<Value>(&out) else { continue };
        let start = micros(&entry, "start_us");
        let behind = now.micros() - start - micros(&entry, "elapsed_us");
        assert!((0..=310_000_000).contains(&behind), "{behind}");
        on_time += u32::from(behind < 1_000_000);
        starts.insert(start);
    }
    assert!(on_time > 19_500, "{on_time}");
    assert!(starts.len() > 18_000, "{}", starts.len());
    // A clock that goes back does no harm.
    generator.next_line_at(options.start, &mut out);
}
