//! What metrics cost: `cargo bench --bench metrics`.
//!
//! A scrape of 5,000 episodes in both text formats, and counting's own work: a publication with a change of every
//! episode, while nobody scrapes and while somebody always does; a line's part in lag and listeners. The least, the
//! median and the greatest of several runs; of lines the least. `cargo test --bench metrics` does each a few times, for what
//! it asserts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use castmeter::attribution::agent::AgentTable;
use castmeter::attribution::{Engine, Episode, Fate, Mode, Policy, Registry, Secret};
use castmeter::clock::{Clock, SystemClock};
use castmeter::journal::{SYNC_SECONDS, Status};
use castmeter::metrics::{Format, Metrics, Observed, Publication};
use castmeter::rollup::{Arrivals, EpisodeOverview, LineCount, Overview};
use castmeter::units::{ByteCount, EpisodeId, JournalPosition, ListenerKey, SourceId, Timestamp};

const EPISODES: u32 = 5_000;
const RUNS: usize = 200;
const LINES: u64 = 2_000_000;
const FEW_RUNS: usize = 3;
const FEW_LINES: u64 = 10_000;

fn main() {
    let clock = SystemClock::new();
    let bench = Bench::new();
    let is_measuring = std::env::args().any(|argument| argument == "--bench");
    let (runs, lines) = if is_measuring { (RUNS, LINES) } else { (FEW_RUNS, FEW_LINES) };
    for _ in 0..3 {
        bench.publish();
    }
    println!("{:50} {:>9} {:>9} {:>9}", "ms", "least", "median", "greatest");
    for (name, format) in [("OpenMetrics", Format::OpenMetrics), ("classic", Format::Classic)] {
        let bytes = bench.scrape(format);
        assert!(bytes > 100 * EPISODES as usize, "a page of {bytes} bytes lacks episodes");
        report(&format!("a scrape, {name}, {} kB", bytes / 1_000), &clock, runs, || {
            bench.scrape(format);
        });
    }
    report("a publication", &clock, runs, || bench.publish());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                bench.scrape(Format::OpenMetrics);
            }
        });
        report("a publication, while scrapes follow one another", &clock, runs, || bench.publish());
        stop.store(true, Ordering::Relaxed);
    });
    for listeners in [1_000, 100_000, 10_000_000] {
        let spans = (0..5).map(|_| {
            let began = clock.monotonic();
            arrive(listeners, lines);
            clock.monotonic() - began
        });
        let a_line = spans.min().expect("some runs").as_nanos() as f64 / lines as f64;
        println!("a line, of {listeners} listeners: {a_line:.1} ns");
    }
}

fn report(what: &str, clock: &SystemClock, runs: usize, mut work: impl FnMut()) {
    let mut spans: Vec<Duration> = (0..runs)
        .map(|_| {
            let began = clock.monotonic();
            work();
            clock.monotonic() - began
        })
        .collect();
    spans.sort();
    let ms = |span: Duration| span.as_secs_f64() * 1e3;
    println!("{what:50} {:9.3} {:9.3} {:9.3}", ms(spans[0]), ms(spans[runs / 2]), ms(spans[runs - 1]));
}

struct Bench {
    metrics: Arc<Metrics>,
    engine: Engine,
    episodes: Vec<Episode>,
    sources: Vec<String>,
    overview: Overview,
}

impl Bench {
    fn new() -> Self {
        let mut overview = Overview::default();
        for id in 0..EPISODES {
            *overview.of_episode(EpisodeId(id)) =
                EpisodeOverview { downloads: 7, delivered_bytes: 123_456_789, body_bytes: 234_567_890 };
        }
        for fate in Fate::all() {
            let count = LineCount { requests: 40, body_bytes: 1_000_000 };
            overview.fates.insert((SourceId(0), fate), count);
        }
        let table = Arc::new(AgentTable::builtin());
        let registry = Registry::new(Mode::Catalog, []);
        let secret: Secret = [7; 16];
        Self {
            metrics: Metrics::new(EPISODES as usize),
            engine: Engine::new(Policy::default(), registry, table, secret),
            episodes: (0..EPISODES).map(episode).collect(),
            sources: vec!["fastly".to_owned()],
            overview,
        }
    }

    fn publish(&self) {
        let mut arrivals = Arrivals::default();
        self.metrics.publish(Publication {
            overview: &self.overview,
            arrived: arrivals.take(),
            live: arrivals.live().count(),
            position: JournalPosition(1),
            episodes: &self.episodes,
            sources: &self.sources,
            engine: &self.engine,
            watermark: None,
            gaps_closed: 0,
        });
    }

    /// The page's length.
    fn scrape(&self, format: Format) -> usize {
        let observed = Observed {
            now: Timestamp::default(),
            journal: status(),
            journal_limit: ByteCount(1),
            disk_free: None,
        };
        self.metrics.page(format, observed).len()
    }
}

fn episode(id: u32) -> Episode {
    Episode {
        show: format!("a-show-of-the-network-{}", id % 12),
        show_title: String::new(),
        slug: format!("season-3-episode-{id}-with-a-title.mp3"),
        title: String::new(),
        path: String::new(),
        host: None,
        size: None,
        duration_ms: None,
        audio_start: 0,
        published_at: None,
        chapters: None,
    }
}

fn status() -> Status {
    Status {
        first: JournalPosition::START,
        next: JournalPosition(1),
        committed: JournalPosition::START,
        bytes: ByteCount(1),
        segments: 1,
        full: None,
        running: true,
        refused: 0,
        appended: 0,
        appended_bytes: ByteCount(0),
        syncs: 0,
        failed_syncs: 0,
        all_syncs: Duration::ZERO,
        syncs_by_time: [0; SYNC_SECONDS.len() + 1],
        damages: 0,
        lost_records: 0,
    }
}

/// Lines as they come: a thousand a batch, of requests that ended within the last half minute.
fn arrive(listeners: u64, lines: u64) {
    let mut arrivals = Arrivals::default();
    let mut random = 1_u64;
    for line in 0..lines {
        if line % 1_000 == 0 {
            arrivals.begin(at(1_000_000 + line / 10_000));
        }
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        arrivals.line(SourceId(0), Some(at(1_000_000 + line / 10_000 - (random >> 59))));
        // Spread as keyed hashes are.
        let listener = (random >> 20) % listeners;
        arrivals.listener(ListenerKey([listener.wrapping_mul(0x9e37_79b9_7f4a_7c15).swap_bytes(), 0]));
    }
    assert_eq!(arrivals.take().lines, [lines]);
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(i64::try_from(seconds).expect("small")).expect("in range")
}
