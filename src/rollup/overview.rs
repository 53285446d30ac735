//! What changed by the few keys that metrics show: sums of lines and downloads as a delta has them, under far fewer keys.
//!
//! For metrics only; what is stored is the delta. Kept beside it, since a delta gathers all there is up to the next
//! commit, and metrics are told several times between two.

use hashbrown::HashMap;

use super::delta::TrafficKey;
use super::{Gathered, LineCount};
use crate::attribution::Fate;
use crate::units::{Country, EpisodeId, LabelId, SourceId};

/// Changes to what is shown of an episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpisodeOverview {
    pub downloads: i64,
    pub delivered_bytes: i64,
    pub body_bytes: i64,
}

/// What changed since it was last cleared.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    pub fates: HashMap<(SourceId, Fate), LineCount>,
    /// By id.
    episodes: Vec<EpisodeOverview>,
    /// Downloads by agent's id.
    pub agents: Vec<i64>,
    /// Downloads.
    pub countries: HashMap<Country, i64>,
    /// Requests by HTTP status.
    pub statuses: HashMap<u16, i64>,
    /// By point of presence and cache state.
    pub pops: HashMap<(LabelId, LabelId), LineCount>,
}

impl Overview {
    /// Adds what was gathered.
    pub fn add_gathered(&mut self, gathered: &Gathered) {
        for same in gathered.fates.chunk_by(|one, other| one.0 == other.0) {
            let (_, source, fate) = same[0].0;
            let row = self.fates.entry((source, fate)).or_default();
            same.iter().for_each(|(_, line)| row.add(line));
        }
        for ((episode, _), change) in &gathered.episode_days {
            let row = self.of_episode(*episode);
            row.downloads += change.downloads;
            row.delivered_bytes = row.delivered_bytes.saturating_add(change.delivered());
            row.body_bytes = row.body_bytes.saturating_add(change.body_bytes);
        }
        for (TrafficKey { status, pop, cache_state, .. }, line) in &gathered.traffic {
            *self.statuses.entry(*status).or_default() += line.requests;
            self.pops.entry((*pop, *cache_state)).or_default().add(line);
        }
        for download in &gathered.downloads {
            *at(&mut self.agents, download.agent.0) += download.sign;
            *self.countries.entry(download.origin.country).or_default() += download.sign;
        }
    }

    pub fn of_episode(&mut self, id: EpisodeId) -> &mut EpisodeOverview {
        at(&mut self.episodes, id.0)
    }

    /// Episodes that changed.
    pub fn episodes(&self) -> impl Iterator<Item = (EpisodeId, &EpisodeOverview)> {
        let all = (0..).map(EpisodeId).zip(&self.episodes);
        all.filter(|(_, changes)| **changes != EpisodeOverview::default())
    }

    /// Empties it and keeps its room.
    pub fn clear(&mut self) {
        let Self { fates, episodes, agents, countries, statuses, pops } = self;
        fates.clear();
        episodes.fill(EpisodeOverview::default());
        agents.fill(0);
        countries.clear();
        statuses.clear();
        pops.clear();
    }
}

fn at<T: Clone + Default>(rows: &mut Vec<T>, id: u32) -> &mut T {
    let place = id as usize;
    if rows.len() <= place {
        rows.resize(place + 1, T::default());
    }
    &mut rows[place]
}
