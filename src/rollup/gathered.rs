//! What lines add to the large tables of a delta, gathered until there are many.
//!
//! Nearly each line goes to a row of its own in these tables, and a row that is in no cache takes longer to come from
//! memory than all computing. Added one after the other, table by table, rows come many at a time.

use super::delta::TrafficKey;
use super::record::{is_the_same_download, signed, signs};
use super::{Delta, ExclusionKey, LineCount};
use crate::attribution::{Change, Contribution, Exclusion, Origin, Outcome, Traffic};
use crate::units::{AgentId, EpisodeId, UtcHour};

/// So many are enough for waits to overlap, and few enough to stay in the cache.
const MANY: usize = 1024;

/// Changes that are in no delta yet; [`Delta::add_gathered`] adds them.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    traffic: Vec<(TrafficKey, LineCount)>,
    exclusions: Vec<(ExclusionKey, LineCount)>,
    downloads: Vec<Download>,
}

/// A download that is new, or one that is taken back.
#[derive(Clone, Copy, Debug)]
struct Download {
    episode: EpisodeId,
    hour: UtcHour,
    origin: Origin,
    agent: AgentId,
    age_hours: Option<u16>,
    sign: i64,
}

impl Gathered {
    pub(super) fn add_line(&mut self, outcome: &Outcome) {
        let Some(episode) = outcome.episode else { return };
        let line = LineCount { requests: 1, body_bytes: signed(outcome.body_bytes.0) };
        let day = outcome.hour.day();
        if let Some(Traffic { status, pop, cache_state }) = outcome.traffic {
            self.traffic.push((TrafficKey { episode, day, status, pop, cache_state }, line));
        }
        if let Some(Exclusion { reason, rule }) = outcome.exclusion {
            self.exclusions.push((ExclusionKey { day, episode, reason, rule }, line));
        }
    }

    pub(super) fn are_many(&self) -> bool {
        self.traffic.len().max(self.downloads.len()) >= MANY
    }

    pub(super) fn add_changes(&mut self, changes: &[Change]) {
        for change in changes.iter().filter(|change| !is_the_same_download(change)) {
            for (contribution, sign) in signs(change).filter(|(contribution, _)| contribution.is_download()) {
                let Contribution { hour, origin, agent, age_hours, .. } = contribution;
                let episode = change.episode;
                self.downloads.push(Download { episode, hour, origin, agent, age_hours, sign });
            }
        }
    }
}

impl Delta {
    /// Adds what was gathered, and empties it.
    pub fn add_gathered(&mut self, gathered: &mut Gathered) {
        let Gathered { traffic, exclusions, downloads } = gathered;
        for (key, line) in traffic.drain(..) {
            self.traffic.entry(key).or_default().add(&line);
        }
        for (key, line) in exclusions.drain(..) {
            self.exclusions.entry(key).or_default().add(&line);
        }
        for &Download { episode, hour, origin, agent, sign, .. } in &*downloads {
            *self.audiences.entry((episode, hour.day(), origin.country, agent)).or_default() += sign;
        }
        for &Download { episode, hour, origin, sign, .. } in &*downloads {
            *self.regions.entry((episode, hour.day(), origin.country, origin.region)).or_default() += sign;
        }
        for &Download { episode, hour, sign, .. } in &*downloads {
            *self.episode_hours.entry((episode, hour)).or_default() += sign;
        }
        for Download { episode, hour, origin, age_hours, sign, .. } in downloads.drain(..) {
            *self.referrers.entry((episode, hour.day(), origin.referrer)).or_default() += sign;
            if let Some(age) = age_hours {
                *self.launch_hours.entry((episode, age)).or_default() += sign;
            }
        }
    }
}
