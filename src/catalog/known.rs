//! What a source has ever said of its episodes.
//!
//! A feed lists its newest episodes only, drops others, moves files and loses lengths for an hour; listeners go
//! on fetching. So an episode of a feed, once known, stays known: under the slug it first had, with the paths it
//! was at before, and with a value that the feed no longer gives. A CSV is its operator's word: what it no longer
//! lists is gone, but for the paths its episodes were at.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::chapters::ChapterFile;
use super::item::{Item, distinguished};
use super::kept::EpisodeFields;
use crate::attribution::Episode;

/// Where a file is served.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) host: Option<String>,
    pub(super) path: String,
}

impl Address {
    pub(super) fn of(episode: &Episode) -> Self {
        Self { host: episode.host.clone(), path: episode.path.clone() }
    }

    /// Whether every request for `other` is one for this: an address without a host is at any.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.path == other.path && (self.host.is_none() || self.host == other.host)
    }
}

/// `cdn.example.com/show/1.mp3`, or the path alone.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host.as_deref().unwrap_or_default(), self.path)
    }
}

/// An episode and its past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) identity: String,
    #[serde(flatten, with = "EpisodeFields")]
    pub(super) episode: Episode,
    /// Where its file was before, oldest first.
    pub(super) former: Vec<Address>,
    /// What its size was before.
    pub(super) former_size: Option<u64>,
    /// Whether the last listing had it.
    pub(super) listed: bool,
    /// What the episode's chapters are read from.
    #[serde(default)]
    pub(super) chapter_file: ChapterFile,
}

/// What a source is written in, and so what a listing means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// The operator names the episodes, and the listing is all there is.
    Csv,
    /// The files name the episodes, and what is not listed stays.
    Rss,
}

/// What a listing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub show: String,
    pub episode: String,
    pub kind: ChangeKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    /// Its file has another size, in bytes. The new one is counted with; the old one is kept on disk beside it.
    Resized {
        from: u64,
        to: u64,
    },
    /// Its file is at another address. Requests for either are counted.
    Moved {
        from: String,
        to: String,
    },
    /// It has so many chapters now, in the file that the catalogue names.
    Chapters(usize),
    /// The feed does not list it any more. It stays in the catalogue.
    Unlisted,
    /// The CSV does not list it any more. It leaves the catalogue.
    Removed,
}

/// `go/1.mp3: 48000000 bytes became 48001024`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: ", self.show, self.episode)?;
        match &self.kind {
            ChangeKind::Added => f.write_str("added"),
            ChangeKind::Resized { from, to } => write!(f, "{from} bytes became {to}"),
            ChangeKind::Moved { from, to } => write!(f, "moved from {from} to {to}; both are counted"),
            ChangeKind::Chapters(count) => write!(f, "{count} chapters, new or changed"),
            ChangeKind::Unlisted => f.write_str("no longer listed; still counted"),
            ChangeKind::Removed => f.write_str("removed"),
        }
    }
}

/// How many former addresses of an episode are remembered; some hosts change them all the time.
const MAX_FORMER_ADDRESSES: usize = 16;

impl Known {
    pub(super) fn new(Item { identity, episode, chapters_at }: Item) -> Self {
        let chapter_file = ChapterFile::named(chapters_at);
        Self { identity, episode, former: Vec::new(), former_size: None, listed: true, chapter_file }
    }

    /// Takes in what a new listing says of it.
    fn renew(&mut self, item: Item, format: Format) -> Vec<ChangeKind> {
        let mut kinds = Vec::new();
        let old = std::mem::replace(&mut self.episode, item.episode);
        self.identity = item.identity;
        self.listed = true;
        if format == Format::Rss {
            self.keep_what_is_not_said(&old);
        }
        if format == Format::Rss || item.chapters_at.is_some() {
            self.episode.chapters.clone_from(&old.chapters);
        }
        if format == Format::Csv || item.chapters_at.is_some() {
            self.chapter_file.rename(item.chapters_at);
        }
        if let (Some(from), Some(to)) = (old.size, self.episode.size)
            && from != to
        {
            self.former_size = Some(from);
            kinds.push(ChangeKind::Resized { from, to });
        }
        let (from, to) = (Address::of(&old), Address::of(&self.episode));
        if from != to {
            self.former.retain(|former| *former != from && *former != to);
            self.former.push(from.clone());
            let too_many = self.former.len().saturating_sub(MAX_FORMER_ADDRESSES);
            self.former.drain(..too_many);
            kinds.push(ChangeKind::Moved { from: from.to_string(), to: to.to_string() });
        }
        kinds
    }

    fn keep_what_is_not_said(&mut self, old: &Episode) {
        let episode = &mut self.episode;
        episode.slug.clone_from(&old.slug);
        episode.size = episode.size.or(old.size);
        episode.duration_ms = episode.duration_ms.or(old.duration_ms);
        episode.published_at = episode.published_at.or(old.published_at);
        if episode.title.is_empty() {
            episode.title.clone_from(&old.title);
        }
    }

    pub(super) fn change(&self, kind: ChangeKind) -> Change {
        Change { show: self.episode.show.clone(), episode: self.episode.slug.clone(), kind }
    }
}

/// The episodes of one source: those listed last in their order, then the unlisted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KnownEpisodes {
    list: Vec<Known>,
}

impl KnownEpisodes {
    pub(super) fn from_list(list: Vec<Known>) -> Self {
        Self { list }
    }

    pub(super) fn list(&self) -> &[Known] {
        &self.list
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Known> {
        self.list.iter_mut()
    }

    /// The show that the source's episodes have been of; a feed's title may change, the show's slug must not.
    pub(super) fn show(&self) -> Option<&str> {
        self.list.first().map(|known| &*known.episode.show)
    }

    /// Takes in a listing. Of more than `max_episodes` the last are left out, and their number returned.
    pub(super) fn update(
        &mut self,
        mut items: Vec<Item>,
        format: Format,
        max_episodes: usize,
    ) -> (Vec<Change>, usize) {
        let mut left_out = items.len().saturating_sub(max_episodes);
        items.truncate(max_episodes);
        let show = items.first().map(|item| item.episode.show.clone()).unwrap_or_default();
        let mut changes = Vec::new();
        let mut before = Before::of(std::mem::take(&mut self.list));
        for mut item in items {
            if let Some(mut known) = before.take(&item) {
                let kinds = known.renew(item, format);
                changes.extend(kinds.into_iter().map(|kind| known.change(kind)));
                self.list.push(known);
            } else {
                if format == Format::Rss && before.slugs.contains(&item.episode.slug) {
                    item.episode.slug = distinguished(item.episode.slug, &item.identity);
                }
                let known = Known::new(item);
                changes.push(known.change(ChangeKind::Added));
                self.list.push(known);
            }
        }
        for mut known in before.list.into_iter().flatten() {
            let kind = if format == Format::Csv { ChangeKind::Removed } else { ChangeKind::Unlisted };
            if std::mem::replace(&mut known.listed, false) {
                changes.push(known.change(kind));
            }
            if format == Format::Rss {
                known.episode.show.clone_from(&show);
                self.list.push(known);
            }
        }
        left_out += self.list.len().saturating_sub(max_episodes);
        self.list.truncate(max_episodes);
        (changes, left_out)
    }
}

/// What was known before a listing, to be found again by identity or else by address.
struct Before {
    list: Vec<Option<Known>>,
    by_identity: HashMap<String, usize>,
    by_address: HashMap<Address, usize>,
    slugs: HashSet<String>,
}

impl Before {
    fn of(list: Vec<Known>) -> Self {
        let indexed = || list.iter().enumerate();
        Self {
            by_identity: indexed().map(|(index, known)| (known.identity.clone(), index)).collect(),
            by_address: indexed().map(|(index, known)| (Address::of(&known.episode), index)).collect(),
            slugs: list.iter().map(|known| known.episode.slug.clone()).collect(),
            list: list.into_iter().map(Some).collect(),
        }
    }

    fn take(&mut self, item: &Item) -> Option<Known> {
        let by_identity = self.by_identity.get(&item.identity).and_then(|&index| self.list[index].take());
        by_identity.or_else(|| {
            let index = self.by_address.get(&Address::of(&item.episode))?;
            self.list[*index].take()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(identity: &str, path: &str, size: u64) -> Item {
        let episode = Episode {
            show: "go".into(),
            show_title: "Go".into(),
            slug: path.rsplit('/').next().unwrap().into(),
            title: identity.into(),
            path: path.into(),
            host: Some("h".into()),
            size: Some(size).filter(|&size| size > 0),
            duration_ms: Some(60_000),
            audio_start: 0,
            published_at: None,
            chapters: None,
        };
        Item { identity: identity.into(), episode, chapters_at: None }
    }

    /// What changes, and then each episode as `slug path size`.
    fn after(format: Format, listings: &[&[Item]]) -> (Vec<String>, Vec<String>) {
        let mut known = KnownEpisodes::default();
        let mut changes = Vec::new();
        for listing in listings {
            changes = known.update(listing.to_vec(), format, 100).0;
        }
        let line = |known: &Known| {
            let former: Vec<_> = known.former.iter().map(|former| &*former.path).collect();
            let Episode { slug, path, size, .. } = &known.episode;
            format!("{slug} {path} {} {former:?}", size.unwrap_or(0))
        };
        (changes.iter().map(ToString::to_string).collect(), known.list().iter().map(line).collect())
    }

    #[test]
    fn a_second_look_changes_nothing() {
        let listing = [item("a", "/1.mp3", 5), item("b", "/2.mp3", 6)];
        let (changes, known) = after(Format::Rss, &[&listing]);
        assert_eq!(changes, ["go/1.mp3: added", "go/2.mp3: added"]);
        assert_eq!(after(Format::Rss, &[&listing, &listing]), (vec![], known));
    }

    #[test]
    fn new_sizes_hold_and_old_ones_are_kept() {
        let mut known = KnownEpisodes::default();
        known.update(vec![item("a", "/1.mp3", 5)], Format::Rss, 9);
        let (changes, _) = known.update(vec![item("a", "/1.mp3", 6)], Format::Rss, 9);
        assert_eq!(changes[0].to_string(), "go/1.mp3: 5 bytes became 6");
        assert_eq!((known.list()[0].episode.size, known.list()[0].former_size), (Some(6), Some(5)));
        let (changes, _) = known.update(vec![item("a", "/1.mp3", 0)], Format::Rss, 9);
        assert_eq!(
            (changes, known.list()[0].episode.size),
            (vec![], Some(6)),
            "a length that is gone is no news"
        );
    }

    #[test]
    fn chapters_stand_until_others_are_read() {
        let chapters = Some(vec![crate::attribution::Chapter { start_ms: 0, title: "Intro".into() }]);
        let named = |at: Option<&str>| Item { chapters_at: at.map(str::to_owned), ..item("a", "/1.mp3", 5) };
        for (format, next, at, stand) in [
            (Format::Rss, Some("https://h/1"), Some("https://h/1"), true),
            (Format::Rss, Some("https://h/2"), Some("https://h/2"), true),
            (Format::Rss, None, Some("https://h/1"), true),
            (Format::Csv, Some("https://h/2"), Some("https://h/2"), true),
            (Format::Csv, None, None, false),
        ] {
            let mut known = KnownEpisodes::default();
            known.update(vec![named(Some("https://h/1"))], format, 9);
            known.iter_mut().for_each(|known| known.episode.chapters.clone_from(&chapters));
            let (changes, _) = known.update(vec![named(next)], format, 9);
            let [known] = known.list() else { panic!("one episode") };
            assert_eq!((changes, known.chapter_file.at()), (vec![], at), "{format:?} {next:?}");
            assert_eq!(known.episode.chapters.is_some(), stand, "{format:?} {next:?}");
        }
    }

    #[test]
    fn a_moved_file_keeps_its_slug_and_its_paths() {
        let steps: [&[Item]; 3] =
            [&[item("a", "/1.mp3", 5)], &[item("a", "/v2/new.mp3", 5)], &[item("a", "/1.mp3", 5)]];
        let (changes, known) = after(Format::Rss, &steps[..2]);
        assert_eq!(changes, ["go/1.mp3: moved from h/1.mp3 to h/v2/new.mp3; both are counted"]);
        assert_eq!(known, ["1.mp3 /v2/new.mp3 5 [\"/1.mp3\"]"]);
        assert_eq!(after(Format::Rss, &steps).1, ["1.mp3 /1.mp3 5 [\"/v2/new.mp3\"]"], "and back");
    }

    #[test]
    fn a_new_guid_for_the_same_file_is_the_same_episode() {
        let (changes, known) = after(Format::Rss, &[&[item("a", "/1.mp3", 5)], &[item("b", "/1.mp3", 5)]]);
        assert_eq!((changes.len(), known.len()), (0, 1));
    }

    #[test]
    fn what_a_feed_drops_stays_but_what_a_csv_drops_goes() {
        let (both, one) = ([item("a", "/1.mp3", 5), item("b", "/2.mp3", 6)], [item("b", "/2.mp3", 6)]);
        let (changes, known) = after(Format::Rss, &[&both, &one]);
        assert_eq!(changes, ["go/1.mp3: no longer listed; still counted"]);
        assert_eq!(known, ["2.mp3 /2.mp3 6 []", "1.mp3 /1.mp3 5 []"]);
        assert_eq!(after(Format::Rss, &[&both, &one, &one]).0, [""; 0], "said once");
        assert_eq!(after(Format::Rss, &[&both, &one, &both]).1.len(), 2, "it may come back");
        let (changes, known) = after(Format::Csv, &[&both, &one]);
        assert_eq!((changes, known.len()), (vec!["go/1.mp3: removed".to_owned()], 1));
    }

    #[test]
    fn a_show_that_is_named_anew_takes_all_its_episodes_along() {
        let mut known = KnownEpisodes::default();
        known.update(vec![item("a", "/1.mp3", 5), item("b", "/2.mp3", 6)], Format::Rss, 9);
        assert_eq!(known.show(), Some("go"));
        let mut renamed = item("b", "/2.mp3", 6);
        renamed.episode.show = "go-time".into();
        known.update(vec![renamed], Format::Rss, 9);
        assert!(known.list().iter().all(|known| known.episode.show == "go-time"));
    }

    #[test]
    fn a_later_file_of_the_same_name_gets_another_slug() {
        let (first, second) = (item("a", "/x/audio.mp3", 5), item("b", "/y/audio.mp3", 5));
        let (_, known) = after(Format::Rss, &[std::slice::from_ref(&first), &[second, first.clone()]]);
        assert_eq!(known, ["audio.mp3-3e23e816 /y/audio.mp3 5 []", "audio.mp3 /x/audio.mp3 5 []"]);
    }

    #[test]
    fn no_more_than_a_bound_is_kept() {
        let mut known = KnownEpisodes::default();
        let listing =
            |ids: &[&str]| ids.iter().map(|id| item(id, &format!("/{id}.mp3"), 5)).collect::<Vec<_>>();
        assert_eq!(known.update(listing(&["c", "b", "a"]), Format::Rss, 3).1, 0);
        assert_eq!(known.update(listing(&["d", "c"]), Format::Rss, 3).1, 1);
        let left: Vec<_> = known.list().iter().map(|known| &*known.identity).collect();
        assert_eq!(left, ["d", "c", "b"], "the oldest goes first");
    }
}
