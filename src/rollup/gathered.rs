//! What lines change, gathered until there are many, before it is added up.
//!
//! Nearly each line goes to a row of its own in the large tables, and a row that is in no cache takes longer to come from
//! memory than all computing. Added up one after the other, table by table, rows come many at a time.

use super::delta::{ExclusionKey, TrafficKey};
use super::record::{Rows, add_changes, add_line, is_the_same_download, signed, signs};
use super::{Delta, EpisodeDay, FeedDay, LineCount};
use crate::attribution::{
    Change, Contribution, Exclusion, Fate, FeedVisit, Listening, Origin, Outcome, Progress, Reader, Traffic,
};
use crate::units::{AgentId, EpisodeId, LabelId, SourceId, UtcDay, UtcHour};

/// So many are enough for waits to overlap, and few enough to stay in the cache.
const MANY: usize = 256;

/// Changes that are to be added to a delta, and to an overview, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    pub(super) fates: Vec<((UtcDay, SourceId, Fate), LineCount)>,
    pub(super) episode_days: Vec<((EpisodeId, UtcDay), EpisodeDay)>,
    pub(super) traffic: Vec<(TrafficKey, LineCount)>,
    exclusions: Vec<(ExclusionKey, LineCount)>,
    pub(super) downloads: Vec<Download>,
    /// What was received of a progressive download, before and after.
    progress: Vec<(EpisodeId, [Progress; 2])>,
    visits: Vec<(UtcDay, FeedVisit)>,
}

/// A download that is new, or one that is taken back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Download {
    episode: EpisodeId,
    hour: UtcHour,
    pub(super) origin: Origin,
    pub(super) agent: AgentId,
    age_hours: Option<u16>,
    pub(super) sign: i64,
}

impl Rows<UtcDay> for Vec<((EpisodeId, UtcDay), EpisodeDay)> {
    fn row(&mut self, key: (EpisodeId, UtcDay)) -> &mut EpisodeDay {
        &mut self.push_mut((key, EpisodeDay::default())).1
    }
}

impl Gathered {
    /// Gathers a line with what it changed in the sessions.
    pub fn add_line(&mut self, source: SourceId, outcome: &Outcome, changes: &[Change]) {
        let line = LineCount { requests: 1, body_bytes: signed(outcome.body_bytes.0) };
        let day = outcome.hour.day();
        self.fates.push(((day, source, outcome.fate), line));
        if let Some(episode) = outcome.episode {
            if let Some(Traffic { status, pop, cache_state }) = outcome.traffic {
                self.traffic.push((TrafficKey { episode, day, status, pop, cache_state }, line));
            }
            if let Some(Exclusion { reason, rule }) = outcome.exclusion {
                self.exclusions.push((ExclusionKey { day, episode, reason, rule }, line));
            }
        }
        self.visits.extend(outcome.feed.map(|visit| (day, visit)));
        add_line(&mut self.episode_days, outcome, changes);
        self.add_downloads(changes);
    }

    /// Gathers what an update of the catalogue changed in the open sessions.
    pub fn add_changes(&mut self, changes: &[Change]) {
        add_changes(&mut self.episode_days, changes);
        self.add_downloads(changes);
    }

    /// Whether it is time to add them up.
    pub fn are_many(&self) -> bool {
        self.fates.len() >= MANY
    }

    /// Forgets what was added up.
    pub fn clear(&mut self) {
        let Self { fates, episode_days, traffic, exclusions, downloads, progress, visits } = self;
        fates.clear();
        episode_days.clear();
        traffic.clear();
        exclusions.clear();
        downloads.clear();
        progress.clear();
        visits.clear();
    }

    fn add_downloads(&mut self, changes: &[Change]) {
        for change in changes.iter().filter(|change| is_of_downloads(change)) {
            let episode = change.episode;
            self.progress.extend(progressed(change).map(|progress| (episode, progress)));
            if is_the_same_download(change) {
                continue;
            }
            for (contribution, sign) in signs(change).filter(|(contribution, _)| contribution.is_download) {
                let &Contribution { hour, origin, agent, age_hours, .. } = contribution;
                self.downloads.push(Download { episode, hour, origin, agent, age_hours, sign });
            }
        }
    }
}

/// Whether there was a download before, or is one after.
fn is_of_downloads(change: &Change) -> bool {
    signs(change).any(|(contribution, _)| contribution.is_download)
}

/// What was received before and after, where that is not the same.
fn progressed(change: &Change) -> Option<[Progress; 2]> {
    let progress = |contribution: &Option<Contribution>| match contribution.as_ref()?.listening? {
        Listening::Bulk => None,
        Listening::Progressive(progress) => Some(progress),
    };
    let [before, after] = [&change.before, &change.after].map(progress);
    (before != after).then(|| [before, after].map(Option::unwrap_or_default))
}

impl Delta {
    /// Adds what was gathered.
    pub fn add_gathered(&mut self, gathered: &Gathered) {
        for same in gathered.fates.chunk_by(|one, other| one.0 == other.0) {
            let row = self.fate_days.row(same[0].0);
            same.iter().for_each(|(_, line)| row.add(line));
        }
        self.episode_days.add_all(
            &gathered.episode_days,
            |(key, _)| *key,
            |sum, (_, change)| sum.add(change),
        );
        self.traffic.add_all(&gathered.traffic, |(key, _)| *key, |sum, (_, line)| sum.add(line));
        self.exclusions.add_all(&gathered.exclusions, |(key, _)| *key, |sum, (_, line)| sum.add(line));
        self.add_downloads(&gathered.downloads);
        for (episode, progress) in &gathered.progress {
            self.listen_bins.row(*episode).touch(*progress);
        }
        for (episode, progress) in &gathered.progress {
            self.listen_bins.row(*episode).add_progress(*progress);
        }
        for (day, visit) in &gathered.visits {
            self.add_feed_visit(*day, *visit);
        }
    }

    fn add_downloads(&mut self, downloads: &[Download]) {
        let add = |sum: &mut i64, download: &Download| *sum += download.sign;
        let audience = |it: &Download| (it.episode, it.hour.day(), it.origin.country, it.agent);
        self.audiences.add_all(downloads, audience, add);
        let region = |it: &Download| (it.episode, it.hour.day(), it.origin.country, it.origin.region);
        self.regions.add_all(downloads, region, add);
        self.episode_hours.add_all(downloads, |it| (it.episode, it.hour), add);
        let referrer = |it: &Download| (it.episode, it.hour.day(), it.origin.referrer);
        self.referrers.add_all(downloads, referrer, add);
        for &Download { episode, age_hours, sign, .. } in downloads {
            if let Some(age) = age_hours {
                *self.launch_hours.row((episode, age)) += sign;
            }
        }
    }

    fn add_feed_visit(&mut self, day: UtcDay, FeedVisit { feed, reader }: FeedVisit) {
        let (service, subscribers, clients) = match reader {
            Reader::Service { service, subscribers } => (service, subscribers.into(), 0),
            Reader::Client { is_new } => (LabelId::ABSENT, 0, i64::from(is_new)),
        };
        self.feed_days.row((feed, service, day)).add(&FeedDay { subscribers, clients });
    }
}
