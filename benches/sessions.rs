//! What counting costs with many sessions open: memory and time a session, and of each further request.
//!
//! `cargo bench --bench sessions -- [SESSIONS]` (10,000,000 by default) opens so many sessions in one day, each by a range
//! request that makes it a progressive download, then lets each receive a second range elsewhere, in another order. Only the
//! pure engine, its sums and its reach; requests are made here, not parsed. Memory is the growth of the resident set, so
//! it holds the addresses of the older way of counting too.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use castmeter::attribution::agent::AgentTable;
use castmeter::attribution::{Engine, Episode, Mode, Policy, Receipt, Registry};
use castmeter::event::{ContentRange, Request};
use castmeter::rollup::{Delta, Reach};
use castmeter::units::{ByteCount, Country, SourceId, Timestamp};

const EPISODES: u32 = 500;
const SIZE: u64 = 60_000_000;
const RANGE: u64 = 2_000_000;
/// Lines between two commits.
const BATCH: u32 = 100_000;

fn main() {
    let sessions = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(10_000_000);
    let mut counting = Counting::new();
    let before = resident_bytes();
    for (pass, first_byte) in [("new sessions", 0), ("second requests", SIZE / 2)] {
        let nanos = counting.pass(sessions, first_byte);
        let grown = resident_bytes().saturating_sub(before);
        let open = counting.engine.open_sessions() as u64;
        println!(
            "{pass}: {} ns a line; {open} open sessions, {} bytes each (resident, with addresses)",
            nanos / u128::from(sessions),
            grown / open
        );
    }
    println!("downloads counted: {}", counting.downloads);
}

struct Counting {
    engine: Engine,
    reach: Reach,
    urls: Vec<String>,
    downloads: i64,
}

impl Counting {
    fn new() -> Self {
        let urls: Vec<String> = (0..EPISODES).map(|number| format!("/show/{number}.mp3")).collect();
        let mut registry = Registry::new(Mode::Catalog, []);
        registry.update(urls.iter().map(|url| Episode {
            show: "show".to_owned(),
            show_title: String::new(),
            slug: url[6..].to_owned(),
            title: String::new(),
            path: url.clone(),
            host: None,
            size: Some(SIZE),
            duration_ms: Some(3_600_000),
            audio_start: 0,
            published_at: Timestamp::from_seconds(1_793_491_200),
        }));
        let engine = Engine::new(Policy::default(), registry, Arc::new(AgentTable::builtin()), [7; 16]);
        Self { engine, reach: Reach::default(), urls, downloads: 0 }
    }

    /// Every session receives a range; gives the nanoseconds.
    fn pass(&mut self, sessions: u32, first_byte: u64) -> u128 {
        let receipt = Receipt { source: SourceId(0), at: Timestamp::default(), redelivered: false };
        let mut delta = Delta::default();
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
        let began = Instant::now();
        for number in 0..sessions {
            // Each number once, in an order without a pattern.
            let number = (u64::from(number) * 2_654_435_761 % u64::from(sessions)) as u32;
            let request = Ok(request(&self.urls[(number % EPISODES) as usize], number, first_byte));
            let outcome = self.engine.observe(&request, receipt);
            delta.add_line(receipt.source, &outcome, self.engine.changes());
            self.reach.add_line(&outcome);
            if number % BATCH == 0 {
                self.downloads += delta.episode_hours.values().sum::<i64>();
                delta = Delta::default();
            }
        }
        self.downloads += delta.episode_hours.values().sum::<i64>();
        began.elapsed().as_nanos()
    }
}

/// Of listener `number`, on 2026-11-01.
fn request(url: &str, number: u32, first_byte: u64) -> Request<'_> {
    Request {
        start: Timestamp::from_micros(1_793_491_200_000_000 + i64::from(number) * 8_000).expect("in range"),
        address: IpAddr::V4(Ipv4Addr::from_bits(number)),
        url: Cow::Borrowed(url.as_bytes()),
        status: 206,
        body_bytes: ByteCount(RANGE),
        id: None,
        elapsed_us: Some(1_000_000),
        method: Some(Cow::Borrowed(b"GET")),
        host: None,
        range: None,
        content_range: Some(ContentRange {
            positions: Some((first_byte, first_byte + RANGE - 1)),
            total: Some(SIZE),
        }),
        completed: Some(true),
        user_agent: Some(Cow::Borrowed(b"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)")),
        referer: None,
        country: Country::parse(b"DE"),
        region: Some(Cow::Borrowed(b"BY")),
        asn: None,
        proxy_type: None,
        proxy_description: None,
        pop: Some(Cow::Borrowed(b"FRA")),
        cache_state: Some(Cow::Borrowed(b"HIT")),
        edge: Some(true),
        inner: Some(false),
    }
}

/// Linux's resident set of this process.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux's /proc");
    let pages: u64 =
        statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the resident pages");
    pages * 4_096
}
