//! From outcomes to sums: what one line, or one update of the catalogue, adds to the tables.

use std::hash::Hash;

use hashbrown::HashMap;

use super::{Delta, EpisodeDay, FeedDay, Gathered, LineCount};
use crate::attribution::{Change, Contribution, FeedVisit, Listening, Outcome, Reader};
use crate::units::{EpisodeId, LabelId, SourceId, UtcDay, UtcHour};

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
    let Some(episode) = outcome.episode.filter(|_| outcome.older_way.is_some() || outcome.session.is_some())
    else {
        return add_changes(sums, changes);
    };
    let key = (episode, P::of(outcome.hour));
    let row = sums.entry(key).or_default();
    if let Some(older) = outcome.older_way {
        row.body_bytes = row.body_bytes.saturating_add(signed(outcome.body_bytes.0));
        row.addresses += i64::from(older.new_address);
    }
    if let Some(counted) = outcome.session {
        row.requests += 1;
        row.listeners += i64::from(counted.new_listener);
    }
    // Nearly always there is one change, in the same row.
    let mut rest = changes;
    while let [change, others @ ..] = rest
        && signs(change).all(|(contribution, _)| (change.episode, P::of(contribution.hour)) == key)
    {
        signs(change).for_each(|(contribution, sign)| row.add_contribution(&contribution, sign));
        rest = others;
    }
    add_changes(sums, rest);
}

fn add_changes<P: Period>(sums: &mut EpisodeSums<P>, changes: &[Change]) {
    for change in changes {
        for (contribution, sign) in signs(change) {
            let row = sums.entry((change.episode, P::of(contribution.hour))).or_default();
            row.add_contribution(&contribution, sign);
        }
    }
}

impl EpisodeDay {
    fn add_contribution(&mut self, contribution: &Contribution, sign: i64) {
        self.delivered_bytes = self.delivered_bytes.saturating_add(sign * signed(contribution.delivered.0));
        let Some(listening) = contribution.listening else { return };
        self.downloads += sign;
        match listening {
            Listening::Bulk => self.bulk_downloads += sign,
            Listening::Progressive(_) => self.progressive_downloads += sign,
        }
    }
}

impl Delta {
    /// Adds a line with what it changed in the sessions; a part of it is gathered, for
    /// [`Delta::add_gathered`] to add.
    pub fn add_line(
        &mut self,
        source: SourceId,
        outcome: &Outcome,
        changes: &[Change],
        gathered: &mut Gathered,
    ) {
        let line = LineCount { requests: 1, body_bytes: signed(outcome.body_bytes.0) };
        let day = outcome.hour.day();
        self.fate_days.entry((day, source, outcome.fate)).or_default().add(&line);
        add_line(&mut self.episode_days, outcome, changes);
        if let Some(visit) = outcome.feed {
            self.add_feed_visit(day, visit);
        }
        changes.iter().for_each(|change| self.add_progress(change));
        gathered.add_line(outcome);
        gathered.add_changes(changes);
        if gathered.are_many() {
            self.add_gathered(gathered);
        }
    }

    /// Adds what an update of the catalogue changed in the open sessions.
    pub fn add_changes(&mut self, changes: &[Change]) {
        add_changes(&mut self.episode_days, changes);
        changes.iter().for_each(|change| self.add_progress(change));
        let mut gathered = Gathered::default();
        gathered.add_changes(changes);
        self.add_gathered(&mut gathered);
    }

    fn add_feed_visit(&mut self, day: UtcDay, FeedVisit { feed, reader }: FeedVisit) {
        let (service, subscribers, clients) = match reader {
            Reader::Service { service, subscribers } => (service, subscribers.into(), 0),
            Reader::Client { is_new } => (LabelId::ABSENT, 0, i64::from(is_new)),
        };
        self.feed_days.entry((feed, service, day)).or_default().add(&FeedDay { subscribers, clients });
    }

    /// Only the bins that the change sets or clears.
    fn add_progress(&mut self, change: &Change) {
        let progress = |contribution: Option<Contribution>| match contribution?.listening? {
            Listening::Bulk => None,
            Listening::Progressive(progress) => Some(progress),
        };
        let (before, after) = (progress(change.before), progress(change.after));
        if before == after {
            return;
        }
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let bins = self.listen_bins.entry(change.episode).or_default();
        after.beyond(before).for_each(|run| bins.cover(run, 1));
        before.beyond(after).for_each(|run| bins.cover(run, -1));
        for (progress, sign) in [(before, -1), (after, 1)] {
            if let Some(bin) = progress.furthest() {
                bins.furthest[usize::from(bin)] += sign;
            }
        }
    }
}

/// A download that received more: in its own rows nothing changes.
pub(super) fn is_the_same_download(change: &Change) -> bool {
    let key = |it: &Contribution| (it.is_download(), it.hour, it.origin, it.agent, it.age_hours);
    change.before.as_ref().map(key) == change.after.as_ref().map(key)
}

/// What is taken back, and what is added.
pub(super) fn signs(change: &Change) -> impl Iterator<Item = (Contribution, i64)> {
    change.before.map(|before| (before, -1)).into_iter().chain(change.after.map(|after| (after, 1)))
}

/// Saturates: a line that claims more than 8 EiB is wrong already.
pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
