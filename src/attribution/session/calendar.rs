//! Sessions whose window is the UTC day of the request's start: one table a day, dropped whole when it closes.

use std::cmp::Ordering;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Change, Contribution, Joined, Place, Rejudge, Rules, Times, Visit};
use crate::attribution::compact::U40;
use crate::attribution::coverage::Precision;
use crate::attribution::labels::LabelSet;
use crate::attribution::listener::spread;
use crate::attribution::open::Open;
use crate::attribution::origin::Origin;
use crate::attribution::saved;
use crate::attribution::slots::{Slots, prefetch};
use crate::attribution::verdict::Received;
use crate::units::{AgentId, EpisodeId, ListenerKey, Timestamp, UtcDay};

/// Open sessions by day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CalendarSessions {
    days: Open<UtcDay, Day>,
}

/// The sessions of a day, in the order of their first lines. The index has a few bytes a session for its free places,
/// so that the sessions themselves need none.
#[derive(Clone, Debug, Default)]
struct Day {
    sessions: Vec<Session>,
    /// The high half of a session's hash, and its place.
    index: Slots,
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
        let after_midnight = |micros: U40| day.start().plus_micros(micros.get());
        let times = Times { start: after_midnight(self.first_start), end: after_midnight(self.last_end) };
        Contribution::of(&self.received, times, self.origin, self.agent, rules)
    }

    fn is_of(&self, listener: ListenerKey, episode: EpisodeId) -> bool {
        self.listener == listener && self.episode == episode
    }

    fn hash(&self) -> u64 {
        hash(self.listener, self.episode)
    }
}

fn since_midnight(time: Timestamp, day: UtcDay) -> U40 {
    U40::saturating(time.micros_since(day.start()))
}

/// The listener key is a keyed hash already; the episode only has to be folded in.
fn hash(listener: ListenerKey, episode: EpisodeId) -> u64 {
    listener.0[0] ^ spread(episode.0)
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
            day.index.reserve(sessions);
        };
        let insert = |Day { sessions, index }: &mut Day, session: Session| {
            let hash = session.hash();
            index.find_or_insert(hash, |_| false, entry(hash, sessions.len()));
            sessions.push(session);
        };
        saved::read_many(deserializer, reserve, insert)
    }
}

/// An entry of a day's index.
fn entry(hash: u64, place: usize) -> u64 {
    let place = u32::try_from(place + 1).expect("fewer than 2^32 sessions a day");
    hash >> 32 << 32 | u64::from(place)
}

/// The place in an entry.
fn place(entry: u64) -> Place {
    Place(entry as u32 - 1)
}

impl Day {
    /// Where the session probably is: another one may have the same half of a hash.
    fn find(&self, listener: ListenerKey, episode: EpisodeId) -> Option<Place> {
        let hash = hash(listener, episode);
        let found = self.index.find(hash, |found| found >> 32 == hash >> 32).map(place)?;
        self.sessions.get(found.0 as usize).into_iter().for_each(prefetch);
        Some(found)
    }

    /// None where another session is at that place.
    fn at(&self, place: Place, visit: &Visit) -> Option<Place> {
        let session = self.sessions.get(place.0 as usize)?;
        session.is_of(visit.listener, visit.episode).then_some(place)
    }

    /// The place of the visit's session, and whether it was made for it.
    fn find_or_insert(&mut self, visit: &Visit) -> (Place, bool) {
        let Self { sessions, index } = self;
        let (hash, next) = (hash(visit.listener, visit.episode), sessions.len());
        let is_its = |found| {
            found >> 32 == hash >> 32
                && sessions[place(found).0 as usize].is_of(visit.listener, visit.episode)
        };
        match index.find_or_insert(hash, is_its, entry(hash, next)) {
            Some(found) => (place(found), false),
            None => {
                sessions.push(Session::new(visit));
                (Place(next as u32), true)
            }
        }
    }
}

impl CalendarSessions {
    pub fn touch(&self, listener: ListenerKey, episode: EpisodeId, day: UtcDay) {
        self.days.get(day).into_iter().for_each(|day| day.index.touch(hash(listener, episode)));
    }

    pub fn find(&self, listener: ListenerKey, episode: EpisodeId, day: UtcDay) -> Option<Place> {
        self.days.get(day)?.find(listener, episode)
    }

    pub fn join(
        &mut self,
        visit: &Visit,
        place: Option<Place>,
        rules: Rules<'_>,
        regions: &LabelSet,
        changes: &mut Vec<Change>,
    ) -> Joined {
        let day = visit.start.day();
        let sessions = self.days.entry(day);
        let found = place.and_then(|place| sessions.at(place, visit)).map(|place| (place, false));
        let (Place(at), is_new) = found.unwrap_or_else(|| sessions.find_or_insert(visit));
        let session = &mut sessions.sessions[at as usize];
        let before = (!is_new).then(|| session.contribution(day, rules));
        let first_start = session.first_start;
        let precision = session.add(visit, day, regions);
        let is_earliest = is_new || session.first_start != first_start;
        let after = session.contribution(day, rules);
        if before != Some(after) {
            changes.push(Change { episode: visit.episode, before, after: Some(after) });
        }
        Joined {
            was_downloaded: before.is_some_and(|before| before.is_download),
            contribution: after,
            is_new,
            is_earliest,
            gap_closed: precision == Precision::GapClosed,
        }
    }

    pub fn close(&mut self, open_from: UtcDay) {
        self.days.close(open_from);
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
        self.days.iter().map(|(_, day)| day.sessions.len()).sum()
    }

    pub fn table_bytes(&self) -> usize {
        let bytes = |(_, day): &(UtcDay, Day)| {
            day.sessions.capacity() * size_of::<Session>() + day.index.allocated_bytes()
        };
        self.days.iter().map(bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With at most 20 bytes of index, where it has just doubled, and the ranges of most sessions inline.
    #[test]
    fn a_session_is_small() {
        let mut index = Slots::default();
        let worst = (1..100_000u64).map(|number| {
            let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            index.find_or_insert(hash, |_| false, entry(hash, number as usize));
            if number < 1_000 { 0 } else { index.allocated_bytes() / index.len() }
        });
        let index = worst.max().unwrap();
        assert!(size_of::<Session>() + index <= 100, "{} + {index}", size_of::<Session>());
        assert!(size_of::<Session>() <= 80, "{}", size_of::<Session>());
    }
}
