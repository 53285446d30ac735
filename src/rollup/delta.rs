//! What changed since the last commit, keyed as the store's tables are.

use std::ops::Range;

use super::table::Table;

use crate::attribution::slots::prefetch;
use crate::attribution::{self, Fate, Progress, Reason, Referrer};
use crate::units::{AgentId, Country, EpisodeId, LabelId, SourceId, UtcDay, UtcHour};

/// Changes to the columns of `episode_day`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpisodeDay {
    pub downloads: i64,
    /// Downloads fetched as a file.
    pub bulk_downloads: i64,
    /// All other downloads.
    pub progressive_downloads: i64,
    /// Distinct listeners with at least one valid request.
    pub listeners: i64,
    /// Valid lines.
    pub requests: i64,
    /// Bytes that sessions delivered, each byte of a file once a session. Sessions take back what they added before: so
    /// this is exact whatever lines claim, else it would depend on their order.
    pub delivered_bytes: i128,
    /// The older way: body bytes of every line for the episode.
    pub body_bytes: i64,
    /// The older way: distinct addresses.
    pub addresses: i64,
}

impl EpisodeDay {
    pub fn add(&mut self, other: &Self) {
        self.downloads = self.downloads.saturating_add(other.downloads);
        self.bulk_downloads = self.bulk_downloads.saturating_add(other.bulk_downloads);
        self.progressive_downloads = self.progressive_downloads.saturating_add(other.progressive_downloads);
        self.listeners = self.listeners.saturating_add(other.listeners);
        self.requests = self.requests.saturating_add(other.requests);
        self.delivered_bytes += other.delivered_bytes;
        self.body_bytes = self.body_bytes.saturating_add(other.body_bytes);
        self.addresses = self.addresses.saturating_add(other.addresses);
    }

    /// Bytes delivered, as tables show them: sums stop at 2⁶³ − 1.
    pub fn delivered(&self) -> i64 {
        self.delivered_bytes.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// Lines and their body bytes: changes to a row of `fate_day`, `exclusion_day` or `traffic_slice`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCount {
    pub requests: i64,
    pub body_bytes: i64,
}

impl LineCount {
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.body_bytes = self.body_bytes.saturating_add(other.body_bytes);
    }
}

/// Bins of an episode's content.
const BINS: usize = attribution::BINS as usize;

/// Changes to the rows of `listen_bin` of one episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenBins {
    /// By how much more a bin is covered than the one before it: sessions cover runs of bins, and only their ends are
    /// written.
    steps: [i64; BINS + 1],
    /// By bin.
    pub furthest: [i64; BINS],
}

impl Default for ListenBins {
    fn default() -> Self {
        Self { steps: [0; BINS + 1], furthest: [0; BINS] }
    }
}

impl ListenBins {
    /// So many sessions more cover these bins, which are below 100.
    pub fn cover(&mut self, bins: Range<u8>, sessions: i64) {
        self.steps[usize::from(bins.start)] += sessions;
        self.steps[usize::from(bins.end)] -= sessions;
    }

    /// A session has received this much more, or less: `[before, after]`.
    pub(super) fn add_progress(&mut self, [before, after]: [Progress; 2]) {
        // Only the bins that the change sets or clears.
        after.beyond(before).for_each(|run| self.cover(run, 1));
        before.beyond(after).for_each(|run| self.cover(run, -1));
        for (progress, sign) in [(before, -1), (after, 1)] {
            if let Some(bin) = progress.furthest() {
                self.furthest[usize::from(bin)] += sign;
            }
        }
    }

    /// Fetches what this mostly is added to.
    pub(super) fn touch(&self, [before, after]: [Progress; 2]) {
        for run in after.beyond(before) {
            prefetch(&self.steps[usize::from(run.start)]);
            prefetch(&self.steps[usize::from(run.end)]);
        }
        for bin in [before, after].into_iter().filter_map(|progress| progress.furthest()) {
            prefetch(&self.furthest[usize::from(bin)]);
        }
    }

    /// By bin, how many sessions more cover it.
    pub fn covered(&self) -> [i64; BINS] {
        let mut sum = 0;
        std::array::from_fn(|bin| {
            sum += self.steps[bin];
            sum
        })
    }

    pub fn add(&mut self, other: &Self) {
        let all = self.steps.iter_mut().chain(&mut self.furthest);
        all.zip(other.steps.iter().chain(&other.furthest)).for_each(|(mine, others)| *mine += others);
    }
}

/// Changes to a row of `feed_day`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedDay {
    /// The largest number reported; the greater one stays.
    pub subscribers: i64,
    /// Distinct clients that reported none.
    pub clients: i64,
}

impl FeedDay {
    pub fn add(&mut self, other: &Self) {
        self.subscribers = self.subscribers.max(other.subscribers);
        self.clients += other.clients;
    }
}

/// What a row of `traffic_slice` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrafficKey {
    pub episode: EpisodeId,
    pub day: UtcDay,
    pub status: u16,
    pub pop: LabelId,
    pub cache_state: LabelId,
}

/// What a row of `exclusion_day` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExclusionKey {
    pub day: UtcDay,
    pub episode: EpisodeId,
    pub reason: Reason,
    pub rule: LabelId,
}

/// Everything that changed. Merging is associative and commutative; the empty delta is its identity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Downloads by the hour their session belongs to.
    pub episode_hours: Table<(EpisodeId, UtcHour), i64>,
    pub episode_days: Table<(EpisodeId, UtcDay), EpisodeDay>,
    pub fate_days: Table<(UtcDay, SourceId, Fate), LineCount>,
    /// Downloads by whole hours since publication, below 720.
    pub launch_hours: Table<(EpisodeId, u16), i64>,
    pub listen_bins: Table<EpisodeId, Box<ListenBins>>,
    /// Downloads by country and agent, which stands for app and device.
    pub audiences: Table<(EpisodeId, UtcDay, Country, AgentId), i64>,
    pub regions: Table<(EpisodeId, UtcDay, Country, LabelId), i64>,
    pub referrers: Table<(EpisodeId, UtcDay, Referrer), i64>,
    pub exclusions: Table<ExclusionKey, LineCount>,
    /// By feed, service and day.
    pub feed_days: Table<(LabelId, LabelId, UtcDay), FeedDay>,
    pub traffic: Table<TrafficKey, LineCount>,
}

impl Delta {
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// Rows that a commit writes, roughly.
    pub fn rows(&self) -> usize {
        let Self { episode_hours, episode_days, fate_days, launch_hours, listen_bins, audiences, .. } = self;
        let Self { regions, referrers, exclusions, feed_days, traffic, .. } = self;
        let of_downloads =
            episode_hours.len() + episode_days.len() + launch_hours.len() + BINS * listen_bins.len();
        let of_slices = audiences.len() + regions.len() + referrers.len();
        of_downloads + of_slices + fate_days.len() + exclusions.len() + feed_days.len() + traffic.len()
    }

    /// Empties it and keeps its room: the next one is mostly as large.
    pub fn clear(&mut self) {
        let Self { episode_hours, episode_days, fate_days, launch_hours, listen_bins, audiences, .. } = self;
        episode_hours.clear();
        episode_days.clear();
        fate_days.clear();
        launch_hours.clear();
        listen_bins.clear();
        audiences.clear();
        let Self { regions, referrers, exclusions, feed_days, traffic, .. } = self;
        regions.clear();
        referrers.clear();
        exclusions.clear();
        feed_days.clear();
        traffic.clear();
    }

    pub fn merge(&mut self, other: &Self) {
        self.episode_hours.merge(&other.episode_hours, |mine, others| *mine += others);
        self.episode_days.merge(&other.episode_days, EpisodeDay::add);
        self.fate_days.merge(&other.fate_days, LineCount::add);
        self.launch_hours.merge(&other.launch_hours, |mine, others| *mine += others);
        self.listen_bins.merge(&other.listen_bins, |mine, others| mine.add(others));
        self.audiences.merge(&other.audiences, |mine, others| *mine += others);
        self.regions.merge(&other.regions, |mine, others| *mine += others);
        self.referrers.merge(&other.referrers, |mine, others| *mine += others);
        self.exclusions.merge(&other.exclusions, LineCount::add);
        self.feed_days.merge(&other.feed_days, FeedDay::add);
        self.traffic.merge(&other.traffic, LineCount::add);
    }
}
