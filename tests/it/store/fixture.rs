//! Databases, episodes and deltas for the store's tests, and what the tables must say in the end.

use std::collections::BTreeMap;

use castmeter::attribution::{Episode, Fate, Reason};
use castmeter::rollup::{Delta, EpisodeDay, LineCount};
use castmeter::store::{Commit, Settings, Store, StoreError, Writer};
use castmeter::units::{EpisodeId, JournalPosition, SourceId, Timestamp, UtcDay, UtcHour};
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
    }
}

pub fn source_names() -> Vec<String> {
    ["fastly", "archive"].map(str::to_owned).to_vec()
}

/// 2026-11-01.
pub const DAY: UtcDay = UtcDay(20_758);

/// A delta in which every number is `n` or a multiple of it, for one episode and one day.
pub fn delta_of(episode: EpisodeId, day: UtcDay, n: i64) -> Delta {
    let mut delta = Delta::default();
    delta.episode_hours.insert((episode, UtcHour(day.0 * 24 + 5)), n);
    delta.episode_days.insert(
        (episode, day),
        EpisodeDay {
            downloads: n,
            listeners: 2 * n,
            requests: 3 * n,
            delivered_bytes: 4 * n,
            body_bytes: 5 * n,
            addresses: 6 * n,
            ..EpisodeDay::default()
        },
    );
    delta.fate_days.insert((day, SourceId(0), Fate::Valid), LineCount { requests: 3 * n, body_bytes: 5 * n });
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
            *delta.episode_hours.entry((episode, hour)).or_default() += n;
            let change = EpisodeDay {
                downloads: n,
                listeners: self.below(3) - 1,
                requests: self.below(9),
                delivered_bytes: bytes,
                body_bytes: -bytes,
                addresses: self.below(5) - 2,
                ..EpisodeDay::default()
            };
            delta.episode_days.entry((episode, day)).or_default().add(&change);
            let count = LineCount { requests: n, body_bytes: bytes };
            delta.fate_days.entry((day, source, fate)).or_default().add(&count);
        }
        delta
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
    rows.sort_unstable();
    Tables(rows)
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
    writer.commit(&Commit { position, delta, episodes, sources: &source_names() }).await
}

/// A reason that tests can name.
pub const BOT: Fate = Fate::Ignored(Reason::Bot);
