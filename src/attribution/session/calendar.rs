//! Sessions whose window is the UTC day of the request's start: one table a day, dropped whole when it closes.

use std::collections::BTreeMap;

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Change, Contribution, Joined, Rejudge, Rules, Visit};
use crate::attribution::coverage::Precision;
use crate::attribution::saved;
use crate::attribution::verdict::Received;
use crate::units::{AgentId, Country, EpisodeId, ListenerKey, Timestamp, UtcDay};

/// Open sessions by day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CalendarSessions {
    days: BTreeMap<UtcDay, Table>,
}

/// The sessions of one day.
#[derive(Clone, Debug, Default)]
struct Table(HashTable<Session>);

/// Kept small: there are millions of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    listener: ListenerKey,
    first_start: Timestamp,
    received: Received,
    episode: EpisodeId,
    agent: AgentId,
    /// Of the earliest request; of several at the same start, the smallest.
    country: Country,
}

impl Session {
    fn new(visit: &Visit) -> Self {
        Self {
            listener: visit.listener,
            first_start: visit.start,
            received: Received::default(),
            episode: visit.episode,
            agent: visit.agent,
            country: visit.country,
        }
    }

    fn add(&mut self, visit: &Visit) -> Precision {
        (self.first_start, self.country) = (self.first_start, self.country).min((visit.start, visit.country));
        self.received.add(visit.delivery, visit.shown_size)
    }

    fn contribution(&self, rules: Rules<'_>) -> Contribution {
        let verdict = self.received.judge(&rules.facts.file, rules.thresholds);
        Contribution {
            hour: self.first_start.hour(),
            country: self.country,
            agent: self.agent,
            downloaded: verdict.downloaded,
            delivered: verdict.delivered,
        }
    }
}

/// The listener key is a keyed hash already; the episode only has to be folded in.
fn hash(listener: ListenerKey, episode: EpisodeId) -> u64 {
    listener.0[0] ^ u64::from(episode.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reserve = |table: &mut HashTable<Session>, sessions| {
            table.reserve(sessions, |session| hash(session.listener, session.episode));
        };
        let insert = |table: &mut HashTable<Session>, session: Session| {
            let rehash = |session: &Session| hash(session.listener, session.episode);
            table.insert_unique(rehash(&session), session, rehash);
        };
        saved::read_many(deserializer, reserve, insert).map(Self)
    }
}

impl CalendarSessions {
    pub fn join(&mut self, visit: &Visit, rules: Rules<'_>, changes: &mut Vec<Change>) -> Joined {
        let table = self.days.entry(visit.start.day()).or_default();
        let entry = table.0.entry(
            hash(visit.listener, visit.episode),
            |session| session.listener == visit.listener && session.episode == visit.episode,
            |session| hash(session.listener, session.episode),
        );
        let (session, before) = match entry {
            hashbrown::hash_table::Entry::Occupied(found) => {
                let session = found.into_mut();
                let before = session.contribution(rules);
                (session, Some(before))
            }
            hashbrown::hash_table::Entry::Vacant(free) => (free.insert(Session::new(visit)).into_mut(), None),
        };
        let precision = session.add(visit);
        let after = session.contribution(rules);
        if before != Some(after) {
            changes.push(Change { episode: visit.episode, before, after: Some(after) });
        }
        Joined {
            was_downloaded: before.is_some_and(|before| before.downloaded),
            contribution: after,
            is_new: before.is_none(),
            gap_closed: precision == Precision::GapClosed,
        }
    }

    pub fn close(&mut self, open_from: UtcDay) {
        self.days = self.days.split_off(&open_from);
    }

    pub fn rejudge(&mut self, rejudge: Rejudge<'_>, changes: &mut Vec<Change>) {
        for session in self.days.values().flat_map(|table| &table.0) {
            let judged = rejudge.both(session.episode, |rules| session.contribution(rules));
            if let Some((before, after)) = judged.filter(|(before, after)| before != after) {
                changes.push(Change { episode: session.episode, before: Some(before), after: Some(after) });
            }
        }
    }

    pub fn len(&self) -> usize {
        self.days.values().map(|table| table.0.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_small() {
        assert!(size_of::<Session>() <= 72, "{}", size_of::<Session>());
    }
}
