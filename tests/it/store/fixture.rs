//! Databases, episodes and deltas for the store's tests, and what the tables must say in the end.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use castmeter::attribution::agent::DeviceClass;
use castmeter::attribution::{AgentNames, Chapter, Episode, Fate, Labels, Reason, Referrer};
use castmeter::rollup::{
    Delta, EpisodeDay, ExclusionKey, FeedDay, LineCount, ListenBins, ReachKey, Sketch, TrafficKey,
};
use castmeter::store::{Commit, Settings, Store, StoreError, Writer};
use castmeter::units::{
    AgentId, Country, EpisodeId, JournalPosition, LabelId, SourceId, Timestamp, UtcDay, UtcHour,
};
use hashbrown::HashMap;
use tempfile::TempDir;

use crate::postgres::Server;
use crate::tables::Tables;

pub const JOURNAL: [u8; 16] = *b"journal of tests";

/// An empty database.
pub struct Database {
    pub url: String,
    /// Of SQLite's file.
    _folder: Option<TempDir>,
}

impl Database {
    pub async fn postgres() -> Self {
        Self { url: Server::shared().database().await, _folder: None }
    }

    pub async fn sqlite() -> Self {
        let folder = TempDir::new().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("castmeter.sqlite").display());
        Self { url, _folder: Some(folder) }
    }

    /// Opened, with its tables.
    pub async fn store(&self) -> Store {
        let store = Store::open(&self.url, Settings::default()).expect("the URL is right");
        store.migrate().await.expect("migrations run");
        store
    }

    /// Opened, with its tables, as the writer of [`JOURNAL`].
    pub async fn writer(&self) -> Writer {
        self.store().await.claim(JOURNAL, "test").await.expect("the journal can be claimed")
    }
}

pub fn episode(show: &str, slug: &str) -> Episode {
    Episode {
        show: show.to_owned(),
        show_title: format!("The {show}"),
        slug: slug.to_owned(),
        title: String::new(),
        path: format!("/{show}/{slug}.mp3"),
        host: None,
        size: Some(64_000_000),
        duration_ms: Some(1_234_567),
        audio_start: 0,
        published_at: Timestamp::from_seconds(1_793_509_200),
        chapters: None,
    }
}

/// Of titles, each beginning a second and a bit after the one before.
pub fn chapters(titles: &[&str]) -> Option<Vec<Chapter>> {
    let chapter =
        |(number, title): (u64, &&str)| Chapter { start_ms: number * 1_001, title: (*title).into() };
    Some((0..).zip(titles).map(chapter).collect())
}

pub fn source_names() -> Vec<String> {
    ["fastly", "archive"].map(str::to_owned).to_vec()
}

/// 2026-11-01.
pub const DAY: UtcDay = UtcDay(20_758);

/// What the agents and labels in deltas here stand for.
static NAMES: LazyLock<(Vec<AgentNames>, Labels)> = LazyLock::new(|| {
    let agents = [
        ("Overcast", DeviceClass::Phone),
        ("Firefox", DeviceClass::Desktop),
        ("Overcast", DeviceClass::Phone),
    ];
    let mut labels = Labels::default();
    for text in ["BY", "FRA", "HIT", "built-in 2026-11-23: curl/", "/night/feed", "Feedly"] {
        let Labels { regions, pops, cache_states, rules, feeds, services } = &mut labels;
        for set in [regions, pops, cache_states, rules, feeds, services] {
            set.intern(text.as_bytes());
        }
    }
    (agents.map(|(app, device)| AgentNames { app: app.into(), device }).to_vec(), labels)
});
static NO_REACH: LazyLock<HashMap<ReachKey, Arc<Sketch>>> = LazyLock::new(HashMap::new);
const GERMANY: &[u8] = b"DE";
const NAMED: [LabelId; 6] = [LabelId(2), LabelId(3), LabelId(4), LabelId(5), LabelId(6), LabelId(7)];

/// A delta in which every number is `n` or a multiple of it, for one episode and one day.
pub fn delta_of(episode: EpisodeId, day: UtcDay, n: i64) -> Delta {
    let [region, pop, cache_state, rule, feed, service] = NAMED;
    let country = Country::parse(GERMANY);
    let mut delta = Delta::default();
    delta.episode_hours.insert((episode, UtcHour(day.0 * 24 + 5)), n);
    delta.episode_days.insert(
        (episode, day),
        EpisodeDay {
            downloads: n,
            bulk_downloads: 7 * n,
            progressive_downloads: 8 * n,
            listeners: 2 * n,
            requests: 3 * n,
            delivered_bytes: i128::from(4 * n),
            body_bytes: 5 * n,
            addresses: 6 * n,
        },
    );
    let lines = LineCount { requests: 3 * n, body_bytes: 5 * n };
    delta.fate_days.insert((day, SourceId(0), Fate::Valid), lines);
    delta.launch_hours.insert((episode, 719), n);
    let mut bins = ListenBins::default();
    bins.cover(0..1, 9 * n);
    bins.cover(99..100, n);
    bins.furthest[99] = n;
    delta.listen_bins.insert(episode, Box::new(bins));
    delta.audiences.insert((episode, day, country, AgentId(1)), n);
    delta.regions.insert((episode, day, country, region), n);
    delta.referrers.insert((episode, day, Referrer::Search), n);
    delta.exclusions.insert(ExclusionKey { day, episode, reason: Reason::Bot, rule }, lines);
    delta.feed_days.insert((feed, service, day), FeedDay { subscribers: 0, clients: n });
    delta.traffic.insert(TrafficKey { episode, day, status: 206, pop, cache_state }, lines);
    delta
}

/// A sequence of numbers that is the same in each run (xorshift).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, limit: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % u64::try_from(limit).expect("a limit above 0")).expect("below the limit")
    }

    /// A delta with numbers of either sign over `episodes` episodes, two sources and some months.
    pub fn delta(&mut self, episodes: usize) -> Delta {
        let fates: Vec<_> = Fate::all().collect();
        let mut delta = Delta::default();
        for _ in 0..20 {
            let episode = EpisodeId(u32::try_from(self.below(episodes as i64)).expect("few"));
            let day = UtcDay(DAY.0 + i32::try_from(self.below(90)).expect("few"));
            let hour = UtcHour(day.0 * 24 + i32::try_from(self.below(24)).expect("few"));
            let source = SourceId(u16::try_from(self.below(2)).expect("few"));
            let fate = fates[usize::try_from(self.below(fates.len() as i64)).expect("few")];
            let (n, bytes) = (self.below(7) - 3, self.below(1 << 40) - (1 << 39));
            *delta.episode_hours.row((episode, hour)) += n;
            let change = EpisodeDay {
                downloads: n,
                listeners: self.below(3) - 1,
                requests: self.below(9),
                delivered_bytes: bytes.into(),
                body_bytes: -bytes,
                addresses: self.below(5) - 2,
                bulk_downloads: self.below(5) - 2,
                progressive_downloads: self.below(5) - 2,
            };
            delta.episode_days.row((episode, day)).add(&change);
            let count = LineCount { requests: n, body_bytes: bytes };
            delta.fate_days.row((day, source, fate)).add(&count);
            self.add_numbers(&mut delta, episode, day, n);
        }
        delta
    }

    /// To the tables that are not of the first migration.
    fn add_numbers(&mut self, delta: &mut Delta, episode: EpisodeId, day: UtcDay, n: i64) {
        let label = |numbers: &mut Self| LabelId(u16::try_from(numbers.below(8)).expect("few"));
        let country = Country::parse([&b""[..], b"DE", b"US"][usize::try_from(self.below(3)).expect("few")]);
        let agent = AgentId(u32::try_from(self.below(3)).expect("few"));
        let referrer = Referrer::ALL[usize::try_from(self.below(6)).expect("few")];
        let (region, rule, feed, service) = (label(self), label(self), label(self), label(self));
        let (pop, cache_state) = (label(self), label(self));
        let status = u16::try_from(200 + self.below(3)).expect("few");
        let lines = LineCount { requests: n, body_bytes: self.below(99) };
        let age = u16::try_from(self.below(720)).expect("few");
        let bin = u8::try_from(self.below(100)).expect("few");
        let feed_day = FeedDay { subscribers: self.below(99), clients: n };
        *delta.launch_hours.row((episode, age)) += n;
        let bins = delta.listen_bins.row(episode);
        bins.cover(bin..bin + 1, n);
        bins.furthest[usize::from(99 - bin)] -= n;
        *delta.audiences.row((episode, day, country, agent)) += n;
        *delta.regions.row((episode, day, country, region)) += n;
        *delta.referrers.row((episode, day, referrer)) += n;
        let key = ExclusionKey { day, episode, reason: Reason::Vpn, rule };
        delta.exclusions.row(key).add(&lines);
        delta.feed_days.row((feed, service, day)).add(&feed_day);
        let key = TrafficKey { episode, day, status, pop, cache_state };
        delta.traffic.row(key).add(&lines);
    }
}

/// What the tables must hold after all of these deltas, worked out without any database.
pub fn expected(deltas: &[Delta], episodes: &[Episode], sources: &[String]) -> Tables {
    let mut sum = Delta::default();
    deltas.iter().for_each(|delta| sum.merge(delta));
    let slugs = |id: EpisodeId| format!("{}|{}", episodes[id.0 as usize].show, episodes[id.0 as usize].slug);
    let mut rows = Vec::new();
    let shows: BTreeMap<_, _> = episodes.iter().map(|episode| (&episode.show, &episode.show_title)).collect();
    rows.extend(shows.into_iter().map(|(slug, title)| format!("show|{slug}|{title}")));
    rows.extend(episodes.iter().map(|e| {
        let published = e.published_at.map_or("-".to_owned(), |time| time.to_string());
        let title = if e.title.is_empty() { "-" } else { &e.title };
        let size = e.size.map_or("-".to_owned(), |size| size.to_string());
        let duration = e.duration_ms.map_or("-".to_owned(), |ms| ms.to_string());
        format!("episode|{}|{}|{}|{title}|{published}|{size}|{duration}", e.show, e.slug, e.path)
    }));
    rows.extend(episodes.iter().flat_map(|e| {
        (1..).zip(e.chapters.iter().flatten()).map(|(number, chapter)| {
            format!("chapter|{}|{}|{number}|{}|{}", e.show, e.slug, chapter.start_ms, chapter.title)
        })
    }));
    rows.extend(
        sum.episode_hours
            .iter()
            .filter(|(_, n)| **n != 0)
            .map(|((id, hour), n)| format!("episode_hour|{}|{hour}|{n}", slugs(*id))),
    );
    rows.extend(sum.episode_days.iter().filter(|(_, d)| !d.is_zero()).map(|((id, day), d)| {
        let bytes = format!("{}|{}", d.delivered_bytes, d.body_bytes);
        format!(
            "episode_day|{}|{day}|{}|{}|{}|{bytes}|{}",
            slugs(*id),
            d.downloads,
            d.listeners,
            d.requests,
            d.addresses
        )
    }));
    rows.extend(sum.fate_days.iter().filter(|(_, c)| **c != LineCount::default()).map(
        |((day, source, fate), c)| {
            let (source, reason) = (&sources[usize::from(source.0)], fate.reason().unwrap_or("-"));
            format!("fate_day|{day}|{source}|{}|{reason}|{}|{}", fate.name(), c.requests, c.body_bytes)
        },
    ));
    rows.extend(expected_numbers(&sum, slugs));
    rows.sort_unstable();
    Tables(rows)
}

/// The rows of the tables that are not of the first migration. Several ids of one name are one row.
fn expected_numbers(sum: &Delta, slugs: impl Fn(EpisodeId) -> String) -> Vec<String> {
    let (agents, labels) = &*NAMES;
    let mut rows = BTreeMap::<String, [i64; 2]>::new();
    let mut add = |key: String, numbers: [i64; 2]| {
        let row = rows.entry(key).or_default();
        *row = [row[0] + numbers[0], row[1] + numbers[1]];
    };
    let lines = |count: &LineCount| [count.requests, count.body_bytes];
    for ((id, day), it) in sum.episode_days.iter() {
        add(format!("2listening_day|{}|{day}", slugs(*id)), [it.bulk_downloads, it.progressive_downloads]);
    }
    for ((id, age), n) in sum.launch_hours.iter() {
        add(format!("1launch_hour|{}|{age}", slugs(*id)), [*n, 0]);
    }
    for (id, bins) in sum.listen_bins.iter() {
        for bin in 0..100 {
            add(format!("2listen_bin|{}|{bin}", slugs(*id)), [bins.covered()[bin], bins.furthest[bin]]);
        }
    }
    for ((id, day, country, agent), n) in sum.audiences.iter() {
        let AgentNames { app, device } = &agents[agent.0 as usize];
        add(format!("1audience_slice|{}|{day}|{}|{app}|{device}", slugs(*id), country.as_str()), [*n, 0]);
    }
    for ((id, day, country, region), n) in sum.regions.iter() {
        let region = labels.regions.text(*region);
        add(format!("1region_day|{}|{day}|{}|{region}", slugs(*id), country.as_str()), [*n, 0]);
    }
    for ((id, day, referrer), n) in sum.referrers.iter() {
        add(format!("1referrer_day|{}|{day}|{referrer}", slugs(*id)), [*n, 0]);
    }
    for (key, count) in sum.exclusions.iter() {
        let rule = labels.rules.text(key.rule);
        let slugs = slugs(key.episode);
        add(format!("2exclusion_day|{slugs}|{}|{}|{rule}", key.day, key.reason.name()), lines(count));
    }
    for (key, count) in sum.traffic.iter() {
        let (pop, state) = (labels.pops.text(key.pop), labels.cache_states.text(key.cache_state));
        let slugs = slugs(key.episode);
        add(format!("2traffic_slice|{slugs}|{}|{}|{pop}|{state}", key.day, key.status), lines(count));
    }
    let changed = rows.into_iter().filter(|(_, numbers)| *numbers != [0, 0]);
    let mut rows: Vec<String> = changed
        .map(|(key, [a, b])| match key.split_at(1) {
            ("1", key) => format!("{key}|{a}"),
            (_, key) => format!("{key}|{a}|{b}"),
        })
        .collect();
    let read = sum.feed_days.iter().filter(|(_, it)| **it != FeedDay::default());
    rows.extend(read.map(|((feed, service, day), it)| {
        let (feed, service) = (labels.feeds.text(*feed), labels.services.text(*service));
        format!("feed_day|{feed}|{service}|{day}|{}|{}", it.subscribers, it.clients)
    }));
    rows
}

/// The same counts of other episodes.
pub fn with_episodes(delta: Delta, rename: impl Fn(EpisodeId) -> EpisodeId) -> Delta {
    let name = &rename;
    Delta {
        episode_hours: delta.episode_hours.into_iter().map(|(k, v)| ((name(k.0), k.1), v)).collect(),
        episode_days: delta.episode_days.into_iter().map(|(k, v)| ((name(k.0), k.1), v)).collect(),
        launch_hours: delta.launch_hours.into_iter().map(|(k, v)| ((name(k.0), k.1), v)).collect(),
        listen_bins: delta.listen_bins.into_iter().map(|(k, v)| (name(k), v)).collect(),
        audiences: delta.audiences.into_iter().map(|(k, v)| ((name(k.0), k.1, k.2, k.3), v)).collect(),
        regions: delta.regions.into_iter().map(|(k, v)| ((name(k.0), k.1, k.2, k.3), v)).collect(),
        referrers: delta.referrers.into_iter().map(|(k, v)| ((name(k.0), k.1, k.2), v)).collect(),
        exclusions: delta
            .exclusions
            .into_iter()
            .map(|(k, v)| (ExclusionKey { episode: name(k.episode), ..k }, v))
            .collect(),
        traffic: delta
            .traffic
            .into_iter()
            .map(|(k, v)| (TrafficKey { episode: name(k.episode), ..k }, v))
            .collect(),
        ..delta
    }
}

/// Commits to the position that follows the writer's.
pub async fn commit_next(writer: &mut Writer, delta: &Delta, episodes: &[Episode]) -> Result<(), StoreError> {
    let position = writer.position().next();
    commit_at(writer, position, delta, episodes).await
}

pub async fn commit_at(
    writer: &mut Writer,
    position: JournalPosition,
    delta: &Delta,
    episodes: &[Episode],
) -> Result<(), StoreError> {
    writer.commit(&commit(position, delta, episodes, &source_names())).await
}

/// With the agents and labels that deltas here are of.
pub fn commit<'a>(
    position: JournalPosition,
    delta: &'a Delta,
    episodes: &'a [Episode],
    sources: &'a [String],
) -> Commit<'a> {
    Commit {
        position,
        delta,
        episodes,
        sources,
        agents: &NAMES.0,
        labels: &NAMES.1,
        shows: &[],
        reach: &NO_REACH,
        keep_sketches: false,
    }
}

/// A reason that tests can name.
pub const BOT: Fate = Fate::Ignored(Reason::Bot);
