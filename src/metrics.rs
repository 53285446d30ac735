//! Every metric family of the service, in one file.
//!
//! Names are `castmeter_<what>_<unit>`, labels come from closed sets or from the bounded catalogue. Nothing here is
//! touched per line: counting publishes sums a few times a second, receivers report per batch.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hashbrown::HashMap;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::attribution::{Episode, Fate};
use crate::journal;
use crate::receiver::{Event, Observer, Transport};
use crate::rollup::Delta;
use crate::units::{ByteCount, EpisodeId};

/// The label of episodes past the bound.
const OTHER: &str = "(other)";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DefectLabels {
    source: String,
    defect: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    source: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EpisodeLabels {
    show: String,
    episode: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransportLabels {
    transport: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IncidentLabels {
    transport: &'static str,
    incident: &'static str,
}

/// Handles to all families. Shared by reference; every method may be called from any thread.
pub struct Metrics {
    registry: Registry,
    received: Family<SourceLabels, Counter>,
    valid: Family<SourceLabels, Counter>,
    malformed: Family<DefectLabels, Counter>,
    ignored: Family<ReasonLabels, Counter>,
    downloads: Family<EpisodeLabels, Counter>,
    delivered_bytes: Family<EpisodeLabels, Counter>,
    body_bytes: Family<EpisodeLabels, Counter>,
    episodes_other: Counter,
    episodes: Mutex<Episodes>,

    sessions_open: Gauge,
    coverage_gaps_closed: Counter,
    watermark_seconds: Gauge,
    counted_position: Gauge,

    connections: Family<TransportLabels, Gauge>,
    batches: Family<TransportLabels, Counter>,
    batch_bytes: Family<TransportLabels, Counter>,
    line_bytes: Family<TransportLabels, Counter>,
    incidents: Family<IncidentLabels, Counter>,

    journal_bytes: Gauge,
    journal_segments: Gauge,
    journal_full: Gauge,
    journal_position: Gauge,
    journal_damages: Counter,
    journal_syncs: Counter,
    journal_sync_failures: Counter,
    journal_last_sync_seconds: Gauge<f64, AtomicU64>,

    store_position: Gauge,
    store_commits: Counter,
    store_failures: Counter,
    store_commit_seconds: Histogram,
}

/// Which episodes have labels of their own, and what their counters show.
struct Episodes {
    max: usize,
    shown: HashMap<EpisodeId, Shown>,
}

/// Sums are signed and may go back for a moment, counters may not: a counter shows the highest sum so far.
#[derive(Clone, Copy, Debug, Default)]
struct HighWater {
    sum: i64,
    shown: u64,
}

impl HighWater {
    /// What to add to the counter.
    fn add(&mut self, change: i64) -> u64 {
        self.sum = self.sum.saturating_add(change);
        let rise = u64::try_from(self.sum).unwrap_or(0).saturating_sub(self.shown);
        self.shown += rise;
        rise
    }
}

#[derive(Clone, Debug)]
struct Shown {
    labels: EpisodeLabels,
    downloads: HighWater,
    delivered_bytes: HighWater,
    body_bytes: HighWater,
}

impl Metrics {
    /// `max_episodes`: how many have labels of their own.
    pub fn new(max_episodes: usize) -> Arc<Self> {
        let mut registry = Registry::with_prefix("castmeter");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", build);
        let metrics = Self {
            received: registered(&mut registry, "lines_received", "Log lines received, by source"),
            valid: registered(&mut registry, "lines_valid", "Log lines that joined a session"),
            malformed: registered(
                &mut registry,
                "lines_malformed",
                "Log lines that could not be read, by defect",
            ),
            ignored: registered(&mut registry, "lines_ignored", "Log lines read but not counted, by reason"),
            downloads: registered(&mut registry, "downloads", "Downloads (IAB v2.3), by show and episode"),
            delivered_bytes: in_bytes(&mut registry, "delivered", "Bytes delivered, each once a session"),
            body_bytes: in_bytes(
                &mut registry,
                "body",
                "Body bytes of every line, the older way of counting",
            ),
            episodes_other: registered(
                &mut registry,
                "episodes_without_labels",
                "Episodes past metrics.max_episodes, shown as (other)",
            ),
            episodes: Mutex::new(Episodes { max: max_episodes, shown: HashMap::new() }),
            sessions_open: registered(&mut registry, "sessions_open", "Sessions held in memory"),
            coverage_gaps_closed: registered(
                &mut registry,
                "coverage_gaps_closed",
                "Times a session had more byte ranges than it may hold, and its smallest gap was closed",
            ),
            watermark_seconds: registered(
                &mut registry,
                "watermark_timestamp_seconds",
                "How far requests have come, as Unix time; days close by it",
            ),
            counted_position: registered(&mut registry, "counted_position", "Journal records counted"),
            connections: registered(&mut registry, "receiver_connections", "Open connections"),
            batches: registered(&mut registry, "receiver_batches", "Batches acknowledged"),
            batch_bytes: in_bytes(&mut registry, "receiver_batch", "Batches acknowledged, as received"),
            line_bytes: in_bytes(&mut registry, "receiver_lines", "Batches acknowledged, inflated"),
            incidents: registered(&mut registry, "receiver_incidents", "What was refused or went wrong"),
            journal_bytes: in_bytes(&mut registry, "journal", "What the journal holds"),
            journal_segments: registered(&mut registry, "journal_segments", "Segment files of the journal"),
            journal_full: registered(&mut registry, "journal_full", "1 while the journal takes no more"),
            journal_position: registered(&mut registry, "journal_position", "Records that are durable"),
            journal_damages: registered(
                &mut registry,
                "journal_damages",
                "Damaged places found in the journal",
            ),
            journal_syncs: registered(&mut registry, "journal_syncs", "fsyncs of the journal"),
            journal_sync_failures: registered(&mut registry, "journal_sync_failures", "fsyncs that failed"),
            journal_last_sync_seconds: registered(
                &mut registry,
                "journal_last_sync_seconds",
                "How long the last fsync took",
            ),
            store_position: registered(
                &mut registry,
                "store_position",
                "Journal records the store has taken in",
            ),
            store_commits: registered(&mut registry, "store_commits", "Commits to the store"),
            store_failures: registered(
                &mut registry,
                "store_failures",
                "Commits that failed and are tried again",
            ),
            store_commit_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            registry,
        };
        let mut metrics = metrics;
        metrics.registry.register_with_unit(
            "store_commit",
            "How long commits took",
            Unit::Seconds,
            metrics.store_commit_seconds.clone(),
        );
        Arc::new(metrics)
    }

    /// The page, in the OpenMetrics text format.
    pub fn page(&self) -> String {
        let mut page = String::with_capacity(1 << 16);
        encode(&mut page, &self.registry).expect("a String takes all text");
        page
    }

    /// What counting summed up since it published last.
    pub fn publish(&self, delta: &Delta, episodes: &[Episode], sources: &[String]) {
        for ((_, source, fate), count) in &delta.fate_days {
            let source = sources[usize::from(source.0)].clone();
            let lines = u64::try_from(count.requests).unwrap_or(0);
            self.received.get_or_create(&SourceLabels { source: source.clone() }).inc_by(lines);
            match fate {
                Fate::Valid => self.valid.get_or_create(&SourceLabels { source }).inc_by(lines),
                Fate::Malformed(defect) => self
                    .malformed
                    .get_or_create(&DefectLabels { source, defect: defect.name() })
                    .inc_by(lines),
                Fate::Ignored(reason) => {
                    self.ignored.get_or_create(&ReasonLabels { source, reason: reason.name() }).inc_by(lines)
                }
            };
        }
        let mut known = self.episodes.lock().expect("nothing panics with it held");
        for ((id, _), day) in &delta.episode_days {
            let shown = known.of(*id, &episodes[id.0 as usize], &self.episodes_other);
            for (family, mark, change) in [
                (&self.downloads, &mut shown.downloads, day.downloads),
                (&self.delivered_bytes, &mut shown.delivered_bytes, day.delivered_bytes),
                (&self.body_bytes, &mut shown.body_bytes, day.body_bytes),
            ] {
                let rise = mark.add(change);
                if rise > 0 {
                    family.get_or_create(&shown.labels).inc_by(rise);
                }
            }
        }
    }

    pub fn set_counting(&self, open_sessions: usize, watermark_seconds: Option<i64>, position: u64) {
        self.sessions_open.set(signed(open_sessions as u64));
        self.watermark_seconds.set(watermark_seconds.unwrap_or(0));
        self.counted_position.set(signed(position));
    }

    /// What counting said last: the next record it will count.
    pub fn counted_position(&self) -> u64 {
        u64::try_from(self.counted_position.get()).unwrap_or(0)
    }

    pub fn coverage_gaps_closed(&self, count: u64) {
        self.coverage_gaps_closed.inc_by(count);
    }

    pub fn set_journal(&self, status: &journal::Status) {
        self.journal_bytes.set(signed(status.bytes.0));
        self.journal_segments.set(signed(status.segments));
        self.journal_full.set(i64::from(status.full.is_some()));
        self.journal_position.set(signed(status.next.0));
        raise(&self.journal_syncs, status.syncs);
        raise(&self.journal_sync_failures, status.failed_syncs);
        self.journal_last_sync_seconds.set(status.last_sync.as_secs_f64());
    }

    pub fn journal_damaged(&self) {
        self.journal_damages.inc();
    }

    pub fn store_committed(&self, position: u64, took: Duration) {
        self.store_position.set(signed(position));
        self.store_commits.inc();
        self.store_commit_seconds.observe(took.as_secs_f64());
    }

    pub fn store_failed(&self) {
        self.store_failures.inc();
    }
}

impl Observer for Metrics {
    fn observe(&self, transport: Transport, event: Event) {
        let labels = TransportLabels { transport: transport.name() };
        match event {
            Event::Opened => drop(self.connections.get_or_create(&labels).inc()),
            Event::Closed => drop(self.connections.get_or_create(&labels).dec()),
            Event::Accepted { payload: ByteCount(payload), lines: ByteCount(lines) } => {
                self.batches.get_or_create(&labels).inc();
                self.batch_bytes.get_or_create(&labels).inc_by(payload);
                self.line_bytes.get_or_create(&labels).inc_by(lines);
            }
            Event::Incident(incident) => {
                let labels = IncidentLabels { transport: transport.name(), incident: incident.name() };
                self.incidents.get_or_create(&labels).inc();
            }
        }
    }
}

impl Episodes {
    fn of(&mut self, id: EpisodeId, episode: &Episode, past_the_bound: &Counter) -> &mut Shown {
        let is_full = self.shown.len() >= self.max;
        self.shown.entry(id).or_insert_with(|| {
            let labels = if is_full {
                past_the_bound.inc();
                EpisodeLabels { show: OTHER.to_owned(), episode: OTHER.to_owned() }
            } else {
                EpisodeLabels { show: episode.show.clone(), episode: episode.slug.clone() }
            };
            Shown {
                labels,
                downloads: HighWater::default(),
                delivered_bytes: HighWater::default(),
                body_bytes: HighWater::default(),
            }
        })
    }
}

fn registered<M>(registry: &mut Registry, name: &str, help: &str) -> M
where
    M: prometheus_client::registry::Metric + Clone + Default,
{
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn in_bytes<M>(registry: &mut Registry, name: &str, help: &str) -> M
where
    M: prometheus_client::registry::Metric + Clone + Default,
{
    let metric = M::default();
    registry.register_with_unit(name, help, Unit::Bytes, metric.clone());
    metric
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Brings a counter to a value that is counted elsewhere.
fn raise(counter: &Counter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}
