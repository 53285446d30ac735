//! Several sources into one catalogue.
//!
//! Entries are the same episode where they share a file, or else a show and slug. The first source to name it
//! decides its show, slug and every value it gives; later ones fill in what is unknown, and add their paths. CSV
//! files come before feeds, since they are the operator's own word; among themselves, sources come as configured.
//! So a feed that collects several shows belongs after the shows' own feeds.

use std::collections::{HashMap, HashSet};

use super::known::{Address, Known};
use crate::attribution::Episode;

/// One entry for each address at which an episode is served, its former ones included. No two entries have one
/// host and path; those of one show and slug differ in nothing else.
pub(super) fn merged<'a>(sources: impl IntoIterator<Item = &'a [Known]>) -> Vec<Episode> {
    let mut merge = Merge::default();
    for source in sources {
        let earlier = merge.list.len();
        source.iter().for_each(|known| merge.add(known, earlier));
    }
    merge.into_entries()
}

#[derive(Default)]
struct Merge {
    list: Vec<Served>,
    by_name: HashMap<(String, String), usize>,
    by_path: HashMap<String, Vec<usize>>,
}

/// An episode and where else it is served.
struct Served {
    episode: Episode,
    others: Vec<Address>,
}

impl Merge {
    /// A source tells its own episodes apart, so they are compared with the `earlier` sources' only.
    fn add(&mut self, known: &Known, earlier: usize) {
        let Known { episode, former, .. } = known;
        let name = (episode.show.clone(), episode.slug.clone());
        let at = self.find(episode, &name, earlier).unwrap_or(self.list.len());
        if let Some(served) = self.list.get_mut(at) {
            fill_in(&mut served.episode, episode);
            served.others.push(Address::of(episode));
        } else {
            self.list.push(Served { episode: episode.clone(), others: Vec::new() });
            self.by_name.entry(name).or_insert(at);
        }
        self.list[at].others.extend_from_slice(former);
        for path in std::iter::once(&episode.path).chain(former.iter().map(|address| &address.path)) {
            self.by_path.entry(path.clone()).or_default().push(at);
        }
    }

    /// By the file's address, the present one before a former one; else by name.
    fn find(&self, episode: &Episode, name: &(String, String), earlier: usize) -> Option<usize> {
        let address = Address::of(episode);
        let candidates =
            || self.by_path.get(&address.path).into_iter().flatten().copied().filter(|at| *at < earlier);
        let now = |at: &usize| Address::of(&self.list[*at].episode).covers(&address);
        let once = |at: &usize| self.list[*at].others.iter().any(|other| other.covers(&address));
        let named = || self.by_name.get(name).copied().filter(|at| *at < earlier);
        candidates().find(now).or_else(|| candidates().find(once)).or_else(named)
    }

    /// An address that several episodes have had belongs to the one that has it now, or else to the first.
    fn into_entries(self) -> Vec<Episode> {
        let mut taken: HashSet<Address> =
            self.list.iter().map(|served| Address::of(&served.episode)).collect();
        let mut entries = Vec::with_capacity(self.list.len());
        for Served { episode, others } in self.list {
            for address in others {
                let anywhere = Address { host: None, path: address.path.clone() };
                if !taken.contains(&anywhere) && taken.insert(address.clone()) {
                    entries.push(Episode { host: address.host, path: address.path, ..episode.clone() });
                }
            }
            entries.push(episode);
        }
        entries
    }
}

/// Takes from `other` what `episode` does not know.
fn fill_in(episode: &mut Episode, other: &Episode) {
    episode.size = episode.size.or(other.size);
    episode.duration_ms = episode.duration_ms.or(other.duration_ms);
    episode.published_at = episode.published_at.or(other.published_at);
    if episode.chapters.is_none() {
        episode.chapters.clone_from(&other.chapters);
    }
    if episode.audio_start == 0 {
        episode.audio_start = other.audio_start;
    }
    for (text, other) in [(&mut episode.title, &other.title), (&mut episode.show_title, &other.show_title)] {
        if text.is_empty() {
            text.clone_from(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::item::Item;

    fn known(show: &str, slug: &str, host: Option<&str>, paths: &[&str], size: Option<u64>) -> Known {
        let address = |path: &&str| Address { host: host.map(str::to_owned), path: (*path).to_owned() };
        let episode = Episode {
            show: show.into(),
            show_title: String::new(),
            slug: slug.into(),
            title: host.unwrap_or_default().into(),
            path: paths[0].into(),
            host: host.map(str::to_owned),
            size,
            duration_ms: None,
            audio_start: 0,
            published_at: None,
            chapters: None,
        };
        let former = paths[1..].iter().map(address).collect();
        Known { former, ..Known::new(Item { identity: slug.into(), episode, chapters_at: None }) }
    }

    fn entries(sources: &[&[Known]]) -> Vec<String> {
        let line = |e: Episode| {
            let size = e.size.unwrap_or(0);
            format!("{}/{} {}{} {size} {}", e.show, e.slug, e.host.unwrap_or_default(), e.path, e.title)
        };
        merged(sources.iter().copied()).into_iter().map(line).collect()
    }

    #[test]
    fn a_csv_row_and_a_feed_item_of_one_file_are_one_episode() {
        let row = [known("go", "1", None, &["/1.mp3"], None)];
        let item = [known("go-time", "1.mp3", Some("h"), &["/1.mp3", "/old.mp3"], Some(7))];
        assert_eq!(entries(&[&row, &item]), ["go/1 h/old.mp3 7 h", "go/1 /1.mp3 7 h"]);
        let sized = [known("go", "1", None, &["/1.mp3"], Some(9))];
        assert_eq!(
            entries(&[&sized, &item]),
            ["go/1 h/old.mp3 9 h", "go/1 /1.mp3 9 h"],
            "a given value holds"
        );
    }

    #[test]
    fn chapters_are_the_first_source_s_that_knows_some() {
        let chapters =
            |title: &str| Some(vec![crate::attribution::Chapter { start_ms: 0, title: title.into() }]);
        let mut sources = ["csv", "feed", "other"].map(|show| [known(show, "1", None, &["/1.mp3"], None)]);
        sources[1][0].episode.chapters = chapters("feed");
        sources[2][0].episode.chapters = chapters("other");
        let merged_chapters =
            |sources: &[[Known; 1]]| merged(sources.iter().map(|source| &source[..])).remove(0).chapters;
        assert_eq!(merged_chapters(&sources), chapters("feed"));
        sources[0][0].episode.chapters = Some(vec![]);
        assert_eq!(merged_chapters(&sources), Some(vec![]), "none at all is known as well");
    }

    #[test]
    fn entries_of_one_name_are_one_episode_at_several_paths() {
        let row = [known("go", "1.mp3", None, &["/a/1.mp3"], Some(9))];
        let item = [known("go", "1.mp3", Some("h"), &["/b/1.mp3"], Some(7))];
        assert_eq!(entries(&[&row, &item]), ["go/1.mp3 h/b/1.mp3 9 h", "go/1.mp3 /a/1.mp3 9 h"]);
    }

    #[test]
    fn the_first_feed_names_a_shared_file() {
        let own = [known("go", "1.mp3", Some("h"), &["/1.mp3"], Some(7))];
        let all = [
            known("master", "1.mp3", Some("h"), &["/1.mp3"], Some(8)),
            known("master", "2", Some("h"), &["/2"], None),
        ];
        assert_eq!(entries(&[&own, &all]), ["go/1.mp3 h/1.mp3 7 h", "master/2 h/2 0 h"]);
        let elsewhere = [known("js", "1.mp3", Some("i"), &["/1.mp3"], None)];
        assert_eq!(entries(&[&own, &elsewhere]).len(), 2, "one path on two hosts is two files");
    }

    #[test]
    fn an_address_belongs_to_who_has_it_now() {
        let moved = [known("go", "1", Some("h"), &["/v2.mp3", "/latest.mp3"], None)];
        let now = [known("go", "2", Some("h"), &["/latest.mp3"], None)];
        let list = [moved[0].clone(), now[0].clone()];
        let expected = ["go/1 h/v2.mp3 0 h", "go/2 h/latest.mp3 0 h"];
        assert_eq!(entries(&[&[now[0].clone(), moved[0].clone()]]), [expected[1], expected[0]]);
        assert_eq!(entries(&[&list]), expected);
        let behind = [known("master", "x", Some("h"), &["/latest.mp3"], Some(7))];
        assert_eq!(entries(&[&list, &behind]), ["go/1 h/v2.mp3 0 h", "go/2 h/latest.mp3 7 h"]);
        assert_eq!(entries(&[&moved, &behind]), ["go/1 h/latest.mp3 7 h", "go/1 h/v2.mp3 7 h"]);
    }
}
