//! What changed since the last commit, keyed as the store's tables are.

use hashbrown::HashMap;

use crate::attribution::Fate;
use crate::units::{EpisodeId, SourceId, UtcDay, UtcHour};

/// Changes to the columns of `episode_day`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpisodeDay {
    pub downloads: i64,
    /// Distinct listeners with at least one valid request.
    pub listeners: i64,
    /// Valid lines.
    pub requests: i64,
    /// Bytes that sessions delivered, each byte of a file once a session.
    pub delivered_bytes: i64,
    /// The older way: body bytes of every line for the episode.
    pub body_bytes: i64,
    /// The older way: distinct addresses.
    pub addresses: i64,
}

impl EpisodeDay {
    pub fn add(&mut self, other: &Self) {
        self.downloads = self.downloads.saturating_add(other.downloads);
        self.listeners = self.listeners.saturating_add(other.listeners);
        self.requests = self.requests.saturating_add(other.requests);
        self.delivered_bytes = self.delivered_bytes.saturating_add(other.delivered_bytes);
        self.body_bytes = self.body_bytes.saturating_add(other.body_bytes);
        self.addresses = self.addresses.saturating_add(other.addresses);
    }

    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// Changes to a row of `fate_day`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FateCount {
    pub requests: i64,
    pub body_bytes: i64,
}

impl FateCount {
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.body_bytes = self.body_bytes.saturating_add(other.body_bytes);
    }
}

/// Everything that changed. Merging is associative and commutative; the empty delta is its identity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Downloads by the hour their session belongs to.
    pub episode_hours: HashMap<(EpisodeId, UtcHour), i64>,
    pub episode_days: HashMap<(EpisodeId, UtcDay), EpisodeDay>,
    pub fate_days: HashMap<(UtcDay, SourceId, Fate), FateCount>,
}

impl Delta {
    pub fn is_empty(&self) -> bool {
        self.episode_hours.is_empty() && self.episode_days.is_empty() && self.fate_days.is_empty()
    }

    pub fn merge(&mut self, other: &Self) {
        for (key, downloads) in &other.episode_hours {
            *self.episode_hours.entry(*key).or_default() += downloads;
        }
        for (key, day) in &other.episode_days {
            self.episode_days.entry(*key).or_default().add(day);
        }
        for (key, count) in &other.fate_days {
            self.fate_days.entry(*key).or_default().add(count);
        }
    }
}
