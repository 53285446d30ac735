//! What changed by the few keys that metrics show: sums of lines and downloads as a delta has them, under far fewer keys.
//!
//! For metrics only; what is stored is the delta. Kept beside it, since a delta gathers all there is up to the next
//! commit, and metrics are told several times between two.

use hashbrown::HashMap;

use super::LineCount;
use super::record::{is_the_same_download, signed, signs};
use crate::attribution::{Change, Fate, Outcome, Traffic};
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
    /// Adds a line with what it changed in the sessions.
    pub fn add_line(&mut self, source: SourceId, outcome: &Outcome, changes: &[Change]) {
        let line = LineCount { requests: 1, body_bytes: signed(outcome.body_bytes.0) };
        self.fates.entry((source, outcome.fate)).or_default().add(&line);
        if let Some(episode) = outcome.episode {
            if outcome.older_way.is_some() {
                let row = self.of_episode(episode);
                row.body_bytes = row.body_bytes.saturating_add(line.body_bytes);
            }
            if let Some(Traffic { status, pop, cache_state }) = outcome.traffic {
                *self.statuses.entry(status).or_default() += 1;
                self.pops.entry((pop, cache_state)).or_default().add(&line);
            }
        }
        self.add_changes(changes);
    }

    /// Adds what an update of the catalogue changed in the open sessions.
    pub fn add_changes(&mut self, changes: &[Change]) {
        for change in changes {
            let is_other_download = !is_the_same_download(change);
            for (contribution, sign) in signs(change) {
                let row = self.of_episode(change.episode);
                let delivered = sign * signed(contribution.delivered.0);
                row.delivered_bytes = row.delivered_bytes.saturating_add(delivered);
                if !contribution.is_download() {
                    continue;
                }
                row.downloads += sign;
                if is_other_download {
                    *at(&mut self.agents, contribution.agent.0) += sign;
                    *self.countries.entry(contribution.origin.country).or_default() += sign;
                }
            }
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
