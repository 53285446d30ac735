//! Which episodes the database has to be told about, and under which keys it knows them.
//!
//! The rows are those of the whole registry, seen in the log or not. Each is written once a process and again
//! when the catalogue changed it. Two episodes of one show and slug are one row: the newest id's wins, and
//! what both counted adds up. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::rows::RowId;
use super::{StoreError, names};
use crate::attribution::Episode;
use crate::units::{EpisodeId, Timestamp};

/// A row of `episode` with its show, as both databases can hold it.
#[derive(Debug, PartialEq)]
pub(super) struct EpisodeRow<'e> {
    pub(super) show: Cow<'e, str>,
    pub(super) show_title: Option<Cow<'e, str>>,
    pub(super) slug: Cow<'e, str>,
    pub(super) path: Cow<'e, str>,
    pub(super) title: Option<Cow<'e, str>>,
    pub(super) published_at: Option<Timestamp>,
    pub(super) bytes: Option<i64>,
    pub(super) duration_seconds: Option<f64>,
}

impl<'e> EpisodeRow<'e> {
    fn new(episode: &'e Episode) -> Self {
        Self {
            show: names::name(&episode.show),
            show_title: names::known_text(&episode.show_title),
            slug: names::name(&episode.slug),
            path: names::text(&episode.path),
            title: names::known_text(&episode.title),
            published_at: episode.published_at,
            bytes: episode.size.map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
            // Exact to the millisecond for any duration below 2⁵³ ms.
            duration_seconds: episode.duration_ms.map(|ms| ms as f64 / 1000.0),
        }
    }
}

/// An episode's key and its show's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EpisodeKey {
    pub(super) episode: RowId,
    pub(super) show: RowId,
}

/// The rows to write, sorted by their slugs, and the episodes that each stands for.
#[derive(Debug, Default)]
pub(super) struct Fresh<'e> {
    pub(super) rows: Vec<EpisodeRow<'e>>,
    ids: Vec<Vec<EpisodeId>>,
}

impl Fresh<'_> {
    /// Slugs and titles of the shows, sorted. A title wins over none.
    pub(super) fn shows(&self) -> BTreeMap<&str, Option<&str>> {
        let mut shows = BTreeMap::new();
        for row in &self.rows {
            let title = shows.entry(row.show.as_ref()).or_default();
            *title = row.show_title.as_deref().or(*title);
        }
        shows
    }
}

/// What was written, by [`EpisodeId`].
#[derive(Debug, Default)]
pub(super) struct Known {
    episodes: Vec<(Episode, EpisodeKey)>,
    /// By slug.
    shows: HashMap<String, RowId>,
}

impl Known {
    /// The episodes that are new or were changed since they were learnt.
    pub(super) fn fresh<'e>(&self, episodes: &'e [Episode]) -> Fresh<'e> {
        let mut rows = BTreeMap::<_, (EpisodeRow<'e>, Vec<EpisodeId>)>::new();
        for (id, episode) in (0..).map(EpisodeId).zip(episodes) {
            if self.get(id).is_some_and(|(known, _)| known == episode) {
                continue;
            }
            let row = EpisodeRow::new(episode);
            let key = (row.show.clone(), row.slug.clone());
            let mut ids = rows.remove(&key).map_or_else(Vec::new, |(_, ids)| ids);
            ids.push(id);
            rows.insert(key, (row, ids));
        }
        let (rows, ids) = rows.into_values().unzip();
        Fresh { rows, ids }
    }

    /// The keys under which `fresh.rows` were written, in their order.
    pub(super) fn learn(&mut self, fresh: &Fresh<'_>, keys: &[EpisodeKey], episodes: &[Episode]) {
        assert_eq!(fresh.ids.len(), keys.len(), "a key for each row");
        let mut learnt: Vec<_> =
            fresh.ids.iter().zip(keys).flat_map(|(ids, key)| ids.iter().map(|id| (*id, *key))).collect();
        learnt.sort_unstable();
        for (EpisodeId(id), key) in learnt {
            let (id, entry) = (id as usize, (episodes[id as usize].clone(), key));
            self.shows.insert(entry.0.show.clone(), key.show);
            match self.episodes.get_mut(id) {
                Some(known) => *known = entry,
                // Ids have no gaps: what is not known yet is fresh.
                None => self.episodes.push(entry),
            }
        }
    }

    pub(super) fn row(&self, id: EpisodeId) -> Result<RowId, StoreError> {
        self.get(id).map(|(_, key)| key.episode).ok_or(StoreError::UnknownEpisode(id))
    }

    /// The key of the show with this slug.
    pub(super) fn show(&self, slug: &str) -> Option<RowId> {
        self.shows.get(slug).copied()
    }

    fn get(&self, id: EpisodeId) -> Option<&(Episode, EpisodeKey)> {
        self.episodes.get(id.0 as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode(show: &str, slug: &str, title: &str) -> Episode {
        Episode {
            show: show.to_owned(),
            show_title: String::new(),
            slug: slug.to_owned(),
            title: title.to_owned(),
            path: format!("/{show}/{slug}.mp3"),
            host: None,
            size: Some(u64::MAX),
            duration_ms: Some(1_234_567),
            audio_start: 0,
            published_at: None,
        }
    }

    fn titles<'a>(fresh: &'a Fresh<'_>) -> Vec<(&'a str, Option<&'a str>)> {
        fresh.rows.iter().map(|row| (row.slug.as_ref(), row.title.as_deref())).collect()
    }

    fn keys<const N: usize>(episodes: [i64; N]) -> [EpisodeKey; N] {
        episodes.map(|id| EpisodeKey { episode: RowId(id), show: RowId(100) })
    }

    #[test]
    fn written_once_and_again_when_changed() {
        let mut known = Known::default();
        let mut episodes = vec![episode("b", "2", "Two"), episode("a", "9", ""), episode("b", "1", "One")];
        let fresh = known.fresh(&episodes);
        assert_eq!(titles(&fresh), [("9", None), ("1", Some("One")), ("2", Some("Two"))]);
        assert_eq!((fresh.rows[0].bytes, fresh.rows[0].duration_seconds), (Some(i64::MAX), Some(1234.567)));
        known.learn(&fresh, &keys([9, 1, 2]), &episodes);
        assert_eq!(known.row(EpisodeId(0)).unwrap(), RowId(2));
        assert_eq!(known.row(EpisodeId(1)).unwrap(), RowId(9));
        assert!(matches!(known.row(EpisodeId(3)), Err(StoreError::UnknownEpisode(EpisodeId(3)))));
        assert_eq!(titles(&known.fresh(&episodes)), []);

        episodes[1].title = "Nine".to_owned();
        episodes.push(episode("c", "3", "Three"));
        let fresh = known.fresh(&episodes);
        assert_eq!(titles(&fresh), [("9", Some("Nine")), ("3", Some("Three"))]);
        known.learn(&fresh, &keys([9, 3]), &episodes);
        assert_eq!(titles(&known.fresh(&episodes)), []);
    }

    #[test]
    fn one_row_for_one_slug() {
        let mut known = Known::default();
        let episodes = [episode("a", "1", "Old"), episode("a", "2", ""), episode("a", "1", "New")];
        let fresh = known.fresh(&episodes);
        assert_eq!(titles(&fresh), [("1", Some("New")), ("2", None)]);
        known.learn(&fresh, &keys([7, 8]), &episodes);
        let keys: Vec<_> = (0..3).map(|id| known.row(EpisodeId(id)).unwrap().0).collect();
        assert_eq!(keys, [7, 8, 7]);
    }

    #[test]
    fn a_show_s_title_wins_over_none() {
        let mut episodes = [episode("a", "1", ""), episode("a", "2", ""), episode("b", "1", "")];
        episodes[0].show_title = "A".to_owned();
        let known = Known::default();
        let shows: Vec<_> = known
            .fresh(&episodes)
            .shows()
            .into_iter()
            .map(|(s, t)| (s.to_owned(), t.map(str::to_owned)))
            .collect();
        assert_eq!(shows, [("a".to_owned(), Some("A".to_owned())), ("b".to_owned(), None)]);
    }
}
