//! What counting costs with many sessions open: CPU time and memory a session, and of each further request.
//!
//! `cargo bench --bench sessions` does it with 1,000 sessions to 10,000,000, each number in a process of its own;
//! `… -- SESSIONS` with so many. They are opened in one day, each by a range request that makes it a progressive download;
//! then each receives a second range elsewhere, in another order. Only the pure engine, its sums and its reach; requests
//! are made here, not parsed. Memory is the growth of the resident set, so it holds the addresses of the older way of
//! counting too. `cargo test --bench sessions` does it once with 1,000, for what it asserts. Linux only.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, ExitCode};
use std::sync::{Arc, LazyLock};

use castmeter::attribution::agent::AgentTable;
use castmeter::attribution::{Engine, Episode, Mode, Policy, Receipt, Registry};
use castmeter::event::{ContentRange, Request};
use castmeter::rollup::{Delta, Reach};
use castmeter::units::{ByteCount, Country, SourceId, Timestamp};

/// The last fits no cache.
const SESSIONS: [u32; 4] = [1_000, 10_000, 100_000, 10_000_000];
const EPISODES: u32 = 500;
const SIZE: u64 = 60_000_000;
const RANGE: u64 = 2_000_000;
/// Lines between two commits.
const BATCH: u32 = 100_000;
/// Fewer sessions are counted several times over.
const LEAST_LINES: u32 = 1_000_000;

static AGENTS: LazyLock<Arc<AgentTable>> = LazyLock::new(|| Arc::new(AgentTable::builtin()));

fn main() -> ExitCode {
    let sessions = std::env::args().find_map(|argument| argument.parse().ok());
    let is_measuring = std::env::args().any(|argument| argument == "--bench");
    match sessions {
        Some(sessions) => measure(sessions, LEAST_LINES.div_ceil(sessions)),
        None if !is_measuring => measure(SESSIONS[0], 1),
        None => {
            let program = std::env::current_exe().expect("a program");
            for sessions in SESSIONS {
                let run = Command::new(&program).args(["--bench", &sessions.to_string()]).status();
                if !run.expect("it starts").success() {
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    ExitCode::SUCCESS
}

/// Counts so many sessions, `rounds` times from the beginning.
fn measure(sessions: u32, rounds: u32) {
    LazyLock::force(&AGENTS);
    let before = resident_bytes();
    let mut nanos = [0, 0];
    let mut grown = [0, 0];
    for round in 0..rounds {
        let mut counting = Counting::new();
        for (pass, first_byte) in [0, SIZE / 2].into_iter().enumerate() {
            nanos[pass] += counting.pass(sessions, first_byte);
            if round == 0 {
                grown[pass] = resident_bytes().saturating_sub(before);
            }
            assert_eq!(counting.engine.open_sessions(), sessions as usize);
            assert_eq!(counting.downloads, i64::from(sessions), "each session is a download, once");
        }
    }
    let lines = u64::from(sessions) * u64::from(rounds);
    for ((pass, nanos), grown) in ["new sessions", "second requests"].iter().zip(nanos).zip(grown) {
        let (a_line, a_session) = (nanos / lines, grown / u64::from(sessions));
        println!(
            "{sessions:>10} {pass:16} {a_line:>6} ns of CPU a line, {a_session:>6} bytes a session, {:>5} MiB resident",
            (before + grown) >> 20
        );
    }
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
            chapters: None,
        }));
        let engine = Engine::new(Policy::default(), registry, Arc::clone(&AGENTS), [7; 16]);
        Self { engine, reach: Reach::default(), urls, downloads: 0 }
    }

    /// Every session receives a range; gives the nanoseconds of CPU.
    fn pass(&mut self, sessions: u32, first_byte: u64) -> u64 {
        let receipt = Receipt { source: SourceId(0), at: Timestamp::default(), redelivered: false };
        let mut delta = Delta::default();
        let began = cpu_nanos();
        for line in 0..sessions {
            // Each number once, in an order without a pattern.
            let number = (u64::from(line) * 2_654_435_761 % u64::from(sessions)) as u32;
            let request = Ok(request(&self.urls[(number % EPISODES) as usize], number, first_byte));
            let outcome = self.engine.observe(&request, receipt);
            delta.add_line(receipt.source, &outcome, self.engine.changes());
            self.reach.add_line(&outcome);
            if line.is_multiple_of(BATCH) {
                self.downloads += delta.episode_hours.values().sum::<i64>();
                delta = Delta::default();
            }
        }
        self.downloads += delta.episode_hours.values().sum::<i64>();
        cpu_nanos() - began
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

/// CPU time of this thread, which is the only one.
fn cpu_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux's /proc");
    stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("the time on a CPU")
}

/// Linux's resident set of this process.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux's /proc");
    let pages: u64 =
        statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the resident pages");
    pages * 4_096
}
