//! Sessions whose window is the UTC day of the request's start: one table a day, dropped whole when it closes.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Change, Contribution, Joined, Rejudge, Rules, Times, Visit};
use crate::attribution::compact::U40;
use crate::attribution::coverage::Precision;
use crate::attribution::labels::LabelSet;
use crate::attribution::origin::Origin;
use crate::attribution::saved;
use crate::attribution::verdict::Received;
use crate::units::{AgentId, EpisodeId, ListenerKey, Timestamp, UtcDay};

/// Open sessions by day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CalendarSessions {
    days: BTreeMap<UtcDay, Day>,
}

/// The sessions of a day, in the order of their first lines. The index has a few bytes a session for its free places,
/// so that the sessions themselves need none.
#[derive(Clone, Debug, Default)]
struct Day {
    sessions: Vec<Session>,
    index: HashTable<u32>,
}

/// Kept small: there are millions of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    listener: ListenerKey,
    received: Received,
    episode: EpisodeId,
    agent: AgentId,
    /// Of the earliest request; of several at the same start, the smallest.
    origin: Origin,
    /// Microseconds after the day's beginning.
    first_start: U40,
    /// As above. A transfer that ends more than twelve days later counts as one that ended then.
    last_end: U40,
}

impl Session {
    fn new(visit: &Visit) -> Self {
        Self {
            listener: visit.listener,
            received: Received::default(),
            episode: visit.episode,
            agent: visit.agent,
            origin: visit.origin,
            first_start: since_midnight(visit.start, visit.start.day()),
            last_end: U40::default(),
        }
    }

    /// `day` is the session's.
    fn add(&mut self, visit: &Visit, day: UtcDay, regions: &LabelSet) -> Precision {
        let start = since_midnight(visit.start, day);
        match start.get().cmp(&self.first_start.get()) {
            Ordering::Less => (self.first_start, self.origin) = (start, visit.origin),
            Ordering::Equal => self.origin = self.origin.min(visit.origin, regions),
            Ordering::Greater => {}
        }
        self.last_end = self.last_end.max(since_midnight(visit.end, day).get());
        self.received.add(visit.delivery, visit.shown_size)
    }

    fn contribution(&self, day: UtcDay, rules: Rules<'_>) -> Contribution {
        let after_midnight = |micros: U40| day.start().plus(Duration::from_micros(micros.get()));
        let times = Times { start: after_midnight(self.first_start), end: after_midnight(self.last_end) };
        Contribution::of(&self.received, times, self.origin, self.agent, rules)
    }

    fn hash(&self) -> u64 {
        hash(self.listener, self.episode)
    }
}

fn since_midnight(time: Timestamp, day: UtcDay) -> U40 {
    U40::saturating(u64::try_from(time.since(day.start()).as_micros()).unwrap_or(u64::MAX))
}

/// The listener key is a keyed hash already; the episode only has to be folded in.
fn hash(listener: ListenerKey, episode: EpisodeId) -> u64 {
    listener.0[0] ^ u64::from(episode.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.sessions)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reserve = |day: &mut Day, sessions| {
            day.sessions.reserve_exact(sessions);
            day.index.reserve(sessions, |_| unreachable!("nothing is in it yet"));
        };
        let insert = |Day { sessions, index }: &mut Day, session: Session| {
            let at = u32::try_from(sessions.len()).expect("fewer than 2^32 sessions a day");
            let hash = session.hash();
            sessions.push(session);
            index.insert_unique(hash, at, |at| sessions[*at as usize].hash());
        };
        saved::read_many(deserializer, reserve, insert)
    }
}

impl Day {
    /// The place of the visit's session, and whether it was made for it.
    fn find_or_insert(&mut self, visit: &Visit) -> (usize, bool) {
        let sessions = &mut self.sessions;
        let entry = self.index.entry(
            hash(visit.listener, visit.episode),
            |at| {
                let session = &sessions[*at as usize];
                session.listener == visit.listener && session.episode == visit.episode
            },
            |at| sessions[*at as usize].hash(),
        );
        match entry {
            Entry::Occupied(found) => (*found.get() as usize, false),
            Entry::Vacant(free) => {
                let at = sessions.len();
                free.insert(u32::try_from(at).expect("fewer than 2^32 sessions a day"));
                sessions.push(Session::new(visit));
                (at, true)
            }
        }
    }
}

impl CalendarSessions {
    pub fn join(
        &mut self,
        visit: &Visit,
        rules: Rules<'_>,
        regions: &LabelSet,
        changes: &mut Vec<Change>,
    ) -> Joined {
        let day = visit.start.day();
        let sessions = self.days.entry(day).or_default();
        let (at, is_new) = sessions.find_or_insert(visit);
        let session = &mut sessions.sessions[at];
        let before = (!is_new).then(|| session.contribution(day, rules));
        let first_start = session.first_start;
        let precision = session.add(visit, day, regions);
        let is_earliest = is_new || session.first_start != first_start;
        let after = session.contribution(day, rules);
        if before != Some(after) {
            changes.push(Change { episode: visit.episode, before, after: Some(after) });
        }
        Joined {
            was_downloaded: before.is_some_and(|before| before.is_download()),
            contribution: after,
            is_new,
            is_earliest,
            gap_closed: precision == Precision::GapClosed,
        }
    }

    pub fn close(&mut self, open_from: UtcDay) {
        self.days = self.days.split_off(&open_from);
    }

    pub fn rejudge(&mut self, rejudge: Rejudge<'_>, changes: &mut Vec<Change>) {
        let open =
            self.days.iter().flat_map(|(day, held)| held.sessions.iter().map(|session| (*day, session)));
        for (day, session) in open {
            let judged = rejudge.both(session.episode, |rules| session.contribution(day, rules));
            if let Some((before, after)) = judged.filter(|(before, after)| before != after) {
                changes.push(Change { episode: session.episode, before: Some(before), after: Some(after) });
            }
        }
    }

    pub fn len(&self) -> usize {
        self.days.values().map(|day| day.sessions.len()).sum()
    }

    pub fn table_bytes(&self) -> usize {
        let bytes = |day: &Day| day.sessions.capacity() * size_of::<Session>() + day.index.allocation_size();
        self.days.values().map(bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With at most 12 bytes of index, where it has just doubled, and the ranges of most sessions inline.
    #[test]
    fn a_session_is_small() {
        // A place in the index is an id and a byte; at worst little more than 7 of 16 are taken.
        let index = (size_of::<u32>() + 1) * 16 / 7 + 1;
        assert!(size_of::<Session>() + index <= 100, "{} + {index}", size_of::<Session>());
        assert!(size_of::<Session>() <= 80, "{}", size_of::<Session>());
    }
}
