//! From outcomes to sums: what one line, or one update of the catalogue, adds to the tables.

use std::hash::Hash;

use hashbrown::HashMap;

use super::EpisodeDay;
use crate::attribution::{Change, Contribution, Listening, Outcome};
use crate::units::{EpisodeId, UtcDay, UtcHour};

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

/// Takes the changes to rows.
pub trait Rows<P> {
    /// What is to be added to.
    fn row(&mut self, key: (EpisodeId, P)) -> &mut EpisodeDay;
}

impl<P: Period> Rows<P> for EpisodeSums<P> {
    fn row(&mut self, key: (EpisodeId, P)) -> &mut EpisodeDay {
        self.entry(key).or_default()
    }
}

/// Adds what a line changed in its episode's row, and in the rows of the sessions it changed.
pub fn add_line<P: Period>(sums: &mut impl Rows<P>, outcome: &Outcome, changes: &[Change]) {
    let Some(episode) = outcome.episode.filter(|_| outcome.older_way.is_some() || outcome.session.is_some())
    else {
        return add_changes(sums, changes);
    };
    let key = (episode, P::of(outcome.hour));
    let row = sums.row(key);
    if let Some(older) = outcome.older_way {
        row.body_bytes = row.body_bytes.saturating_add(signed(outcome.body_bytes.0));
        row.addresses += i64::from(older.new_address);
    }
    if let Some(counted) = outcome.session {
        row.requests += 1;
        row.listeners += i64::from(counted.new_listener);
    }
    // Nearly always there is one change, in the same row.
    let is_here = |it: &Option<Contribution>| {
        it.as_ref().is_none_or(|it| it.hour == outcome.hour || P::of(it.hour) == key.1)
    };
    let mut rest = changes;
    while let [change, others @ ..] = rest
        && change.episode == key.0
        && is_here(&change.before)
        && is_here(&change.after)
    {
        signs(change).for_each(|(contribution, sign)| row.add_contribution(contribution, sign));
        rest = others;
    }
    add_changes(sums, rest);
}

/// Adds what changed in sessions.
pub(super) fn add_changes<P: Period>(sums: &mut impl Rows<P>, changes: &[Change]) {
    for change in changes {
        for (contribution, sign) in signs(change) {
            let row = sums.row((change.episode, P::of(contribution.hour)));
            row.add_contribution(contribution, sign);
        }
    }
}

impl EpisodeDay {
    fn add_contribution(&mut self, contribution: &Contribution, sign: i64) {
        self.delivered_bytes += i128::from(sign) * i128::from(contribution.delivered.0);
        self.downloads += sign * i64::from(contribution.is_download);
        match contribution.listening {
            Some(Listening::Bulk) => self.bulk_downloads += sign,
            Some(Listening::Progressive(_)) => self.progressive_downloads += sign,
            None => {}
        }
    }
}

/// A download that received more: in its own rows nothing changes.
pub(super) fn is_the_same_download(change: &Change) -> bool {
    let key = |it: &Contribution| (it.is_download, it.hour, it.origin, it.agent, it.age_hours);
    change.before.as_ref().map(key) == change.after.as_ref().map(key)
}

/// What is taken back, and what is added.
pub(super) fn signs(change: &Change) -> impl Iterator<Item = (&Contribution, i64)> {
    change.before.iter().map(|before| (before, -1)).chain(change.after.iter().map(|after| (after, 1)))
}

/// Saturates: a line that claims more than 8 EiB is wrong already.
pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
