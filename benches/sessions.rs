//! What counting costs with many sessions open: CPU time and memory a session, and of each further request.
//!
//! `cargo bench --bench sessions` does it with 1,000 sessions to 10,000,000, each number in a process of its own;
//! `… -- SESSIONS` with so many. They are opened in one day, each by a range request that makes it a progressive download;
//! then each receives a second range elsewhere, in another order, so that nearly every line's session is in no cache.
//! Lines are made here, parsed (told apart) and counted: the pure engine, its sums and its reach. Memory is the growth of
//! the resident set, so it holds the addresses of the older way of counting too. `cargo test --bench sessions` does it once
//! with 1,000, for what it asserts. Linux only.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::process::{Command, ExitCode};
use std::sync::{Arc, LazyLock};

use castmeter::attribution::agent::AgentTable;
use castmeter::attribution::{Engine, Episode, Mode, Policy, Receipt, Registry};

use castmeter::event::Unescaped;
use castmeter::parser::{LineParser, lines};
use castmeter::rollup::{Delta, Gathered, Reach};
use castmeter::units::{SourceId, Timestamp};

/// The last fits no cache.
const SESSIONS: [u32; 4] = [1_000, 10_000, 100_000, 10_000_000];
const EPISODES: u32 = 500;
const SIZE: u64 = 60_000_000;
const RANGE: u64 = 2_000_000;
const MAX_LINE_BYTES: usize = 65_536;
/// Lines that come together.
const BATCH: u32 = 1_000;
/// Batches between two commits.
const COMMIT: u32 = 100;
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
    let mut nanos = [[0, 0]; 2];
    let mut grown = [0, 0];
    for round in 0..rounds {
        let mut counting = Counting::new();
        for (pass, first_byte) in [0, SIZE / 2].into_iter().enumerate() {
            let [parsing, counting_them] = counting.pass(sessions, first_byte);
            nanos[pass] = [nanos[pass][0] + parsing, nanos[pass][1] + counting_them];
            if round == 0 {
                grown[pass] = resident_bytes().saturating_sub(before);
            }
            assert_eq!(counting.engine.open_sessions(), sessions as usize);
            assert_eq!(counting.downloads, i64::from(sessions), "each session is a download, once");
        }
    }
    let lines = u64::from(sessions) * u64::from(rounds);
    for ((pass, nanos), grown) in ["new sessions", "second requests"].iter().zip(nanos).zip(grown) {
        let [parsing, counting] = nanos.map(|nanos| nanos / lines);
        let (a_session, mib) = (grown / u64::from(sessions), (before + grown) >> 20);
        println!(
            "{sessions:>10} {pass:16} {parsing:>5} + {counting:>5} ns of CPU to parse and count a line, \
             {a_session:>5} bytes a session, {mib:>5} MiB resident"
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

    /// Every session receives a range; gives the nanoseconds of CPU that parsing and counting took.
    fn pass(&mut self, sessions: u32, first_byte: u64) -> [u64; 2] {
        let receipt = Receipt { source: SourceId(0), at: Timestamp::default(), redelivered: false };
        let parser = LineParser::json();
        let (mut delta, mut gathered) = (Delta::default(), Gathered::default());
        let mut nanos = [0, 0];
        let mut text = String::new();
        for batch in 0..sessions.div_ceil(BATCH) {
            text.clear();
            for line in batch * BATCH..sessions.min((batch + 1) * BATCH) {
                // Each number once, in an order without a pattern.
                let number = (u64::from(line) * 2_654_435_761 % u64::from(sessions)) as u32;
                self.write_line(&mut text, number, first_byte);
            }
            let began = cpu_nanos();
            let room = Unescaped::default();
            let parsed: Vec<_> = lines(text.as_bytes(), MAX_LINE_BYTES)
                .map(|line| line.and_then(|line| parser.parse(line, &room)))
                .collect();
            let parsed_at = cpu_nanos();
            let Self { engine, reach, .. } = self;
            engine.observe_all(
                &parsed,
                |line, _| **line,
                receipt,
                |_, outcome, changes| {
                    gathered.add_line(receipt.source, outcome, changes);
                    reach.add_line(outcome);
                },
            );
            delta.add_gathered(&gathered);
            gathered.clear();
            nanos = [nanos[0] + parsed_at - began, nanos[1] + cpu_nanos() - parsed_at];
            if batch.is_multiple_of(COMMIT) {
                self.downloads += delta.episode_hours.values().sum::<i64>();
                delta = Delta::default();
            }
        }
        self.downloads += delta.episode_hours.values().sum::<i64>();
        nanos
    }

    /// Of listener `number`, on 2026-11-01. Without an id, for the memory of ids is not what is measured.
    fn write_line(&self, text: &mut String, number: u32, first_byte: u64) {
        let (start, url) =
            (1_793_491_200_000_000 + u64::from(number) * 8_000, &self.urls[(number % EPISODES) as usize]);
        let (address, last_byte) = (Ipv4Addr::from_bits(number), first_byte + RANGE - 1);
        writeln!(
            text,
            r#"{{"v":1,"id":"","start_us":{start},"elapsed_us":1000000,"ip":"{address}","method":"GET","host":"cdn.example","url":"{url}","range":"bytes={first_byte}-{last_byte}","status":206,"body_bytes":{RANGE},"content_range":"bytes {first_byte}-{last_byte}/{SIZE}","completed":true,"ua":"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)","referer":"","country":"DE","region":"BY","asn":3320,"proxy_type":"","proxy_desc":"","pop":"FRA","state":"HIT","edge":true,"inner":false}}"#
        )
        .expect("memory");
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
