//! From outcomes to sums: what one line, or one update of the catalogue, adds to the tables.

use std::hash::Hash;

use hashbrown::HashMap;

use super::{Delta, EpisodeDay};
use crate::attribution::{Change, Contribution, Outcome};
use crate::units::{EpisodeId, SourceId, UtcDay, UtcHour};

/// The period a row is for.
pub trait Period: Copy + Eq + Ord + Hash {
    fn of(hour: UtcHour) -> Self;
}

impl Period for UtcDay {
    fn of(hour: UtcHour) -> Self {
        hour.day()
    }
}

impl Period for UtcHour {
    fn of(hour: UtcHour) -> Self {
        hour
    }
}

/// Sums by episode and period.
pub type EpisodeSums<P> = HashMap<(EpisodeId, P), EpisodeDay>;

/// Adds what a line changed in its episode's row, and in the rows of the sessions it changed.
pub fn add_line<P: Period>(sums: &mut EpisodeSums<P>, outcome: &Outcome, changes: &[Change]) {
    if let Some(episode) = outcome.episode
        && (outcome.older_way.is_some() || outcome.session.is_some())
    {
        let row = sums.entry((episode, P::of(outcome.hour))).or_default();
        if let Some(older) = outcome.older_way {
            row.body_bytes = row.body_bytes.saturating_add(signed(outcome.body_bytes.0));
            row.addresses += i64::from(older.new_address);
        }
        if let Some(counted) = outcome.session {
            row.requests += 1;
            row.listeners += i64::from(counted.new_listener);
        }
    }
    add_changes(sums, changes);
}

fn add_changes<P: Period>(sums: &mut EpisodeSums<P>, changes: &[Change]) {
    for change in changes {
        for (contribution, sign) in signs(change) {
            let row = sums.entry((change.episode, P::of(contribution.hour))).or_default();
            row.downloads += sign * i64::from(contribution.downloaded);
            row.delivered_bytes = row.delivered_bytes.saturating_add(sign * signed(contribution.delivered.0));
        }
    }
}

impl Delta {
    /// Adds a line with what it changed in the sessions.
    pub fn add_line(&mut self, source: SourceId, outcome: &Outcome, changes: &[Change]) {
        let fate = self.fate_days.entry((outcome.hour.day(), source, outcome.fate)).or_default();
        fate.requests += 1;
        fate.body_bytes = fate.body_bytes.saturating_add(signed(outcome.body_bytes.0));
        add_line(&mut self.episode_days, outcome, changes);
        self.add_hours(changes);
    }

    /// Adds what an update of the catalogue changed in the open sessions.
    pub fn add_changes(&mut self, changes: &[Change]) {
        add_changes(&mut self.episode_days, changes);
        self.add_hours(changes);
    }

    fn add_hours(&mut self, changes: &[Change]) {
        for change in changes {
            for (contribution, sign) in signs(change).filter(|(contribution, _)| contribution.downloaded) {
                *self.episode_hours.entry((change.episode, contribution.hour)).or_default() += sign;
            }
        }
    }
}

/// What is taken back, and what is added.
fn signs(change: &Change) -> impl Iterator<Item = (Contribution, i64)> {
    change.before.map(|before| (before, -1)).into_iter().chain(change.after.map(|after| (after, 1)))
}

/// Saturates: a line that claims more than 8 EiB is wrong already.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
