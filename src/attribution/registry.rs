//! Which episode a request is for: host and path against the catalogue, or against the path's own shape.
//!
//! With a catalogue its episodes are the only ones. Without one every path that ends as audio does is an
//! episode (see [`derived_slugs`]), registered the first time it is seen, up to a bound.
//!
//! A host is compared only where the catalogue's entry has one and the line has one too. Episodes are never taken out:
//! one that vanishes from the catalogue is still being fetched. Ids are given out in order and never reused.

use std::{iter, mem};

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};

use super::episode::Episode;
use super::path::{decoded_path, derived_slugs, is_decoded_path, percent_decoded, raw_path};
use super::verdict::FileFacts;
use crate::units::{EpisodeId, ShowId, Timestamp};

const MICROS_PER_HOUR: u64 = 3_600_000_000;

/// Where episodes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// A catalogue names them.
    Catalog,
    /// Their paths do. At most so many are registered; further ones are no episodes.
    Derived { max_episodes: usize },
}

/// What a URL stands for. A feed's path may be an episode's as well; then both are said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    pub feed: bool,
    pub episode: Option<EpisodeId>,
    /// It would make an episode, if more could be registered.
    pub is_unregistered: bool,
}

/// The episodes known, by id and by path.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registry {
    mode: Mode,
    feeds: HashSet<Box<[u8]>>,
    episodes: Vec<Episode>,
    /// What counting reads of each episode, apart from its texts so that it stays in the cache.
    facts: Vec<Facts>,
    by_path: HashMap<Box<[u8]>, Places>,
    by_slug: HashMap<(String, String), EpisodeId>,
    /// Slugs of the shows, indexed by [`ShowId`].
    shows: Vec<String>,
    show_ids: HashMap<String, ShowId>,
    /// For a path with escapes, so that each needs no memory of its own.
    #[serde(skip)]
    room: Vec<u8>,
}

/// Where an episode is, or was: with a host only where that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    host: Option<Box<str>>,
    episode: EpisodeId,
}

/// The episodes of one path, the newest first. Nearly all paths have one, which is found without looking elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Places {
    newest: Place,
    older: Vec<Place>,
}

impl Places {
    fn one(newest: Place) -> Self {
        Self { newest, older: Vec::new() }
    }

    /// Takes a place in as the newest, or makes it that.
    fn add(&mut self, place: Place) {
        self.older.retain(|other| *other != place);
        let before = mem::replace(&mut self.newest, place);
        if before != self.newest {
            self.older.insert(0, before);
        }
    }

    fn served_by(&self, host: Option<&[u8]>) -> Option<EpisodeId> {
        let mut places = iter::once(&self.newest).chain(&self.older);
        places.find(|place| place.is_served_by(host)).map(|place| place.episode)
    }
}

impl Place {
    fn is_served_by(&self, host: Option<&[u8]>) -> bool {
        match (&self.host, host) {
            (Some(expected), Some(host)) => without_port(host).eq_ignore_ascii_case(expected.as_bytes()),
            _ => true,
        }
    }
}

/// What the counting of a line needs of its episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub file: FileFacts,
    pub published_at: Option<Timestamp>,
    pub show: ShowId,
}

impl Facts {
    fn of(episode: &Episode, show: ShowId) -> Self {
        let known = |value: Option<u64>| value.filter(|value| *value > 0);
        let file = FileFacts {
            size: known(episode.size),
            duration_ms: known(episode.duration_ms),
            audio_start: episode.audio_start,
        };
        Self { file, published_at: episode.published_at, show }
    }

    /// Whole hours from publication to `start`; None without a publication or before it.
    pub fn age_hours(&self, start: Timestamp) -> Option<u16> {
        let published = self.published_at.filter(|published| *published <= start)?;
        let hours = start.micros_since(published) / MICROS_PER_HOUR;
        Some(u16::try_from(hours).unwrap_or(u16::MAX))
    }
}

impl Registry {
    /// `feeds` are paths as they are requested, still escaped or not.
    pub fn new<'a>(mode: Mode, feeds: impl IntoIterator<Item = &'a str>) -> Self {
        let decoded = |feed: &'a str| percent_decoded(raw_path(feed.as_bytes())).into();
        Self {
            mode,
            feeds: feeds.into_iter().map(decoded).collect(),
            episodes: Vec::new(),
            facts: Vec::new(),
            by_path: HashMap::new(),
            by_slug: HashMap::new(),
            shows: Vec::new(),
            show_ids: HashMap::new(),
            room: Vec::new(),
        }
    }

    /// Episodes known so far stay.
    pub fn set_mode<'a>(&mut self, mode: Mode, feeds: impl IntoIterator<Item = &'a str>) {
        self.mode = mode;
        self.feeds = Self::new(mode, feeds).feeds;
    }

    /// Whether paths make episodes.
    pub fn derives(&self) -> bool {
        matches!(self.mode, Mode::Derived { .. })
    }

    /// Paths stand for the episodes there are, and for those that are added.
    pub fn stop_registering(&mut self) {
        if let Mode::Derived { max_episodes } = &mut self.mode {
            *max_episodes = 0;
        }
    }

    /// Adds episodes and replaces those of the same show and slug. Gives the ids whose facts changed, with the old facts.
    pub fn update(&mut self, episodes: impl IntoIterator<Item = Episode>) -> Vec<(EpisodeId, Facts)> {
        let mut changed = Vec::new();
        for episode in episodes {
            let Some(&id) = self.by_slug.get(&(episode.show.clone(), episode.slug.clone())) else {
                self.insert(episode);
                continue;
            };
            let old = *self.facts(id);
            if old != Facts::of(&episode, old.show) {
                changed.push((id, old));
            }
            self.replace(id, episode);
        }
        changed
    }

    fn insert(&mut self, episode: Episode) -> EpisodeId {
        let id = EpisodeId(u32::try_from(self.episodes.len()).expect("fewer than 2^32 episodes"));
        self.by_slug.insert((episode.show.clone(), episode.slug.clone()), id);
        self.index(id, &episode);
        let show = self.show(&episode.show);
        self.facts.push(Facts::of(&episode, show));
        self.episodes.push(episode);
        id
    }

    fn show(&mut self, slug: &str) -> ShowId {
        if let Some(id) = self.show_ids.get(slug) {
            return *id;
        }
        let id = ShowId(u32::try_from(self.shows.len()).expect("fewer shows than episodes"));
        self.shows.push(slug.to_owned());
        self.show_ids.insert(slug.to_owned(), id);
        id
    }

    /// An old path stays: its file may still be cached and fetched.
    fn replace(&mut self, id: EpisodeId, episode: Episode) {
        self.index(id, &episode);
        self.facts[id.0 as usize] = Facts::of(&episode, self.facts(id).show);
        self.episodes[id.0 as usize] = episode;
    }

    /// The newest episode of a path comes first.
    fn index(&mut self, id: EpisodeId, episode: &Episode) {
        let host = episode.host.as_deref().map(Box::from);
        let place = Place { host, episode: id };
        match self.by_path.entry(episode.path.as_bytes().into()) {
            Entry::Occupied(places) => places.into_mut().add(place),
            Entry::Vacant(vacant) => drop(vacant.insert(Places::one(place))),
        }
    }

    pub fn resolve(&mut self, url: &[u8], host: Option<&[u8]>) -> Resolved {
        if is_decoded_path(url) {
            return self.resolve_path(url, host);
        }
        let mut room = mem::take(&mut self.room);
        let resolved = self.resolve_path(decoded_path(url, &mut room), host);
        self.room = room;
        resolved
    }

    fn resolve_path(&mut self, path: &[u8], host: Option<&[u8]>) -> Resolved {
        let feed = !self.feeds.is_empty() && self.feeds.contains(path);
        let mut is_unregistered = false;
        let episode = match self.by_path.get(path) {
            Some(places) => places.served_by(host),
            None => self.derive(path, &mut is_unregistered),
        };
        Resolved { feed, episode, is_unregistered }
    }

    fn derive(&mut self, path: &[u8], is_unregistered: &mut bool) -> Option<EpisodeId> {
        let Mode::Derived { max_episodes } = self.mode else { return None };
        let (show, slug) = derived_slugs(path)?;
        if let Some(&id) = self.by_slug.get(&(show.clone(), slug.clone())) {
            self.by_path.insert(path.into(), Places::one(Place { host: None, episode: id }));
            return Some(id);
        }
        if self.episodes.len() >= max_episodes {
            *is_unregistered = true;
            return None;
        }
        Some(self.insert(Episode {
            show_title: String::new(),
            title: String::new(),
            path: String::from_utf8_lossy(path).replace('\0', "\u{fffd}"),
            host: None,
            size: None,
            duration_ms: None,
            audio_start: 0,
            published_at: None,
            chapters: None,
            show,
            slug,
        }))
    }

    pub fn episode(&self, id: EpisodeId) -> &Episode {
        &self.episodes[id.0 as usize]
    }

    pub fn facts(&self, id: EpisodeId) -> &Facts {
        &self.facts[id.0 as usize]
    }

    /// Slugs of all shows, indexed by [`ShowId`].
    pub fn shows(&self) -> &[String] {
        &self.shows
    }

    /// All episodes, indexed by [`EpisodeId`].
    pub fn episodes(&self) -> &[Episode] {
        &self.episodes
    }
}

/// `cdn.example.com:443` is `cdn.example.com`; an IPv6 literal keeps its brackets.
fn without_port(host: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', host) {
        Some(at) if host[at + 1..].iter().all(u8::is_ascii_digit) => &host[..at],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::testing::episode;

    fn slug(registry: &mut Registry, url: &str, host: Option<&str>) -> Option<String> {
        let id = registry.resolve(url.as_bytes(), host.map(str::as_bytes)).episode?;
        Some(registry.episode(id).slug.clone())
    }

    #[test]
    fn a_catalogue_names_its_episodes() {
        let mut registry = Registry::new(Mode::Catalog, []);
        registry.update([episode("show", "one", "/show/one two.mp3")]);
        for (url, expected) in [
            ("/show/one%20two.mp3", Some("one")),
            ("/show/one%20two.mp3?utm=1", Some("one")),
            ("https://cdn.example.com/show/one%20two.mp3", Some("one")),
            ("/show/one%2520two.mp3", None),
            ("/show/other.mp3", None),
        ] {
            assert_eq!(slug(&mut registry, url, None).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn hosts_are_compared_where_both_are_known() {
        let mut registry = Registry::new(Mode::Catalog, []);
        let served_by =
            |slug, host: &str| Episode { host: Some(host.into()), ..episode("show", slug, "/e.mp3") };
        registry.update([served_by("a", "a.example.com"), served_by("b", "b.example.com")]);
        let mut check = |host, expected| assert_eq!(slug(&mut registry, "/e.mp3", host).as_deref(), expected);
        check(Some("a.example.com"), Some("a"));
        check(Some("B.EXAMPLE.com:443"), Some("b"));
        check(Some("c.example.com"), None);
        check(None, Some("b"));
        // A file that moved is still fetched from where it was.
        registry.update([served_by("a", "new.example.com")]);
        let mut check = |host, expected| assert_eq!(slug(&mut registry, "/e.mp3", host).as_deref(), expected);
        check(Some("new.example.com"), Some("a"));
        check(Some("a.example.com"), Some("a"));
    }

    #[test]
    fn without_a_catalogue_paths_name_episodes_up_to_a_bound() {
        let mut registry = Registry::new(Mode::Derived { max_episodes: 2 }, []);
        assert_eq!(slug(&mut registry, "/show/1.mp3", None).as_deref(), Some("1.mp3"));
        assert_eq!(slug(&mut registry, "/show/2.mp3", None).as_deref(), Some("2.mp3"));
        assert_eq!(slug(&mut registry, "/show/3.mp3", None), None);
        assert_eq!(slug(&mut registry, "/other/show/1%2Emp3?x", None).as_deref(), Some("1.mp3"));
        assert_eq!(slug(&mut registry, "/show/1.jpg", None), None);
        assert_eq!(registry.episodes().len(), 2);
    }

    #[test]
    fn feeds_are_those_configured() {
        let mut registry = Registry::new(Mode::Derived { max_episodes: 9 }, ["/podcast/feed", "/a%20b.mp3"]);
        assert_eq!(
            registry.resolve(b"/podcast/feed?x", None),
            Resolved { feed: true, ..Resolved::default() }
        );
        assert_eq!(registry.resolve(b"/podcast/feed/", None), Resolved::default());
        let both = registry.resolve(b"/a b.mp3", None);
        assert!(both.feed && both.episode.is_some());
    }

    #[test]
    fn of_a_path_s_episodes_the_newest_that_serves_the_host_is_meant() {
        let mut registry = Registry::new(Mode::Catalog, []);
        let at = |slug, host: Option<&str>| Episode {
            host: host.map(Into::into),
            ..episode("show", slug, "/e.mp3")
        };
        registry.update([at("a", None), at("b", None), at("c", Some("c.example"))]);
        assert_eq!(slug(&mut registry, "/e.mp3", Some("c.example")).as_deref(), Some("c"));
        assert_eq!(slug(&mut registry, "/e.mp3", Some("other.example")).as_deref(), Some("b"));
        // An episode that is given again is the newest, and stands there once.
        for _ in 0..3 {
            registry.update([at("a", None), at("c", Some("c.example"))]);
        }
        assert_eq!(slug(&mut registry, "/e.mp3", Some("other.example")).as_deref(), Some("a"));
        assert_eq!(registry.by_path[&b"/e.mp3"[..]].older.len(), 2);
    }

    #[test]
    fn an_update_tells_whose_facts_changed() {
        let mut registry = Registry::new(Mode::Catalog, []);
        let sized = |slug, size| Episode { size, ..episode("show", slug, "/e.mp3") };
        assert_eq!(registry.update([sized("one", Some(5))]), []);
        assert_eq!(registry.update([sized("one", Some(5))]), []);
        let changed = registry.update([sized("one", Some(6))]);
        assert_eq!(changed.iter().map(|(_, old)| old.file.size).collect::<Vec<_>>(), [Some(5)]);
        assert_eq!(registry.facts(EpisodeId(0)).file.size, Some(6));
        registry.update([sized("two", None)]);
        assert_eq!(slug(&mut registry, "/e.mp3", None).as_deref(), Some("two"), "the newest of a path");
    }
}
