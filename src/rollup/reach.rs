//! Reach: distinct listeners with at least one valid request, of episodes, shows and the whole, over the standard spans.
//!
//! Sets are kept for days, for the first day, week and month of an episode by its publication as it was known when the
//! request came, and for all time. Weeks, months and rolling spans are merged from days, where they are stored.

use std::mem;

use hashbrown::HashMap;

use super::sketch::{Hashed, Sketch};
use crate::attribution::Outcome;
use crate::units::{EpisodeId, ShowId, UtcDay, UtcHour};

/// Of what the listeners are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Episode(EpisodeId),
    Show(ShowId),
    All,
}

/// Over which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    Day,
    /// From Monday.
    Week,
    Month,
    Rolling7,
    Rolling28,
    /// The first 24 hours since publication.
    Release1,
    /// The first 168 hours.
    Release7,
    /// The first 720 hours.
    Release30,
    /// All time.
    All,
}

impl Span {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Rolling7 => "rolling_7",
            Self::Rolling28 => "rolling_28",
            Self::Release1 => "release_1d",
            Self::Release7 => "release_7d",
            Self::Release30 => "release_30d",
            Self::All => "all",
        }
    }
}

/// What one number of `reach_span`, or one sketch of `reach_sketch`, is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReachKey {
    pub scope: Scope,
    pub span: Span,
    /// The span's first day; 1970-01-01 where it hangs on none.
    pub starts: UtcDay,
}

impl ReachKey {
    /// The span's first day where it hangs on none.
    pub const NO_DAY: UtcDay = UtcDay(0);
}

/// The sets of listeners that are still open.
///
/// They only ever take listeners in. So the same lines in any order, and lines counted twice after a restart, give the
/// same sets.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    open: HashMap<ReachKey, Open>,
    /// Those that are touched.
    touched: Vec<ReachKey>,
}

#[derive(Clone, Debug)]
struct Open {
    sketch: Sketch,
    /// The last day on which a request can still come in; None for ever.
    until: Option<UtcDay>,
    /// Changed since it was last taken.
    touched: bool,
}

/// Spans from publication, with their hours.
const RELEASE: [(Span, u16); 3] = [(Span::Release1, 24), (Span::Release7, 168), (Span::Release30, 720)];

impl Reach {
    /// Takes the listener of a valid line in.
    pub fn add_line(&mut self, outcome: &Outcome) {
        let (Some(episode), Some(counted)) = (outcome.episode, &outcome.session) else { return };
        let (is_new, is_earliest) = (counted.new_listener, counted.joined.is_earliest);
        if !(is_new || is_earliest) {
            return;
        }
        let (listener, key) = (Hashed::new(counted.listener), counted.key);
        let mut insert = |scope, span, starts, until| {
            let at = ReachKey { scope, span, starts };
            let open = self.open.entry(at).or_insert_with(|| Open {
                sketch: Sketch::new(key),
                until,
                touched: false,
            });
            open.sketch.insert(listener, key);
            if !mem::replace(&mut open.touched, true) {
                self.touched.push(at);
            }
        };
        if is_new {
            let day = outcome.hour.day();
            for scope in [Scope::Episode(episode), Scope::Show(counted.show), Scope::All] {
                insert(scope, Span::Day, day, Some(day));
                insert(scope, Span::All, ReachKey::NO_DAY, None);
            }
        }
        let Some(age) = counted.age_hours else { return };
        for (span, hours) in RELEASE.into_iter().filter(|(_, hours)| age < *hours) {
            let last = UtcHour(outcome.hour.0 + i32::from(hours - age)).day();
            insert(Scope::Episode(episode), span, ReachKey::NO_DAY, Some(last));
        }
    }

    /// Adds what changed since the last time to `taken`; what is there already is older.
    pub fn take(&mut self, taken: &mut HashMap<ReachKey, Sketch>) {
        for key in self.touched.drain(..) {
            if let Some(open) = self.open.get_mut(&key) {
                open.touched = false;
                taken.insert(key, open.sketch.clone());
            }
        }
    }

    /// Forgets what no request from `open_from` on can change, if it was taken.
    pub fn close(&mut self, open_from: UtcDay) {
        let touched = &self.touched;
        self.open
            .retain(|key, open| touched.contains(key) || open.until.is_none_or(|last| last >= open_from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::{Contribution, Counted, Delivery, Fate, Joined, Origin};
    use crate::units::{AgentId, ByteCount, KeyId, ListenerKey};

    const DAY: i32 = 20_000;

    /// A valid line of a listener in some hour of the day, so many hours after publication.
    fn line(listener: u64, hour: i32, age_hours: Option<u16>, is_new: bool, is_earliest: bool) -> Outcome {
        let hour = UtcHour(DAY * 24 + hour);
        let contribution = Contribution {
            hour,
            origin: Origin::default(),
            agent: AgentId(0),
            age_hours,
            delivered: ByteCount(1),
            listening: None,
        };
        Outcome {
            fate: Fate::Valid,
            hour,
            episode: Some(EpisodeId(3)),
            body_bytes: ByteCount(1),
            older_way: None,
            session: Some(Counted {
                listener: ListenerKey([listener.wrapping_mul(0x9e37_79b9_7f4a_7c15), 0]),
                key: KeyId(1),
                show: ShowId(2),
                age_hours,
                delivery: Delivery::Unplaced(ByteCount(1)),
                joined: Joined {
                    was_downloaded: false,
                    contribution,
                    is_new,
                    is_earliest,
                    gap_closed: false,
                },
                new_listener: is_new,
            }),
            exclusion: None,
            traffic: None,
            feed: None,
        }
    }

    fn taken(reach: &mut Reach) -> HashMap<ReachKey, Option<u64>> {
        let mut sketches = HashMap::new();
        reach.take(&mut sketches);
        sketches.into_iter().map(|(key, sketch)| (key, sketch.listeners())).collect()
    }

    #[test]
    fn a_listener_is_in_all_the_spans_of_a_request() {
        let mut reach = Reach::default();
        reach.add_line(&line(1, 5, Some(23), true, true));
        reach.add_line(&line(1, 4, Some(22), false, false));
        reach.add_line(&line(2, 6, Some(24), true, true));
        reach.add_line(&line(3, 7, Some(720), true, true));
        reach.add_line(&line(4, 7, None, true, true));
        let numbers = taken(&mut reach);
        let number = |scope, span, starts| numbers.get(&ReachKey { scope, span, starts }).copied().flatten();
        let episode = Scope::Episode(EpisodeId(3));
        for scope in [episode, Scope::Show(ShowId(2)), Scope::All] {
            assert_eq!(number(scope, Span::Day, UtcDay(DAY)), Some(4));
            assert_eq!(number(scope, Span::All, ReachKey::NO_DAY), Some(4));
        }
        let release = [Span::Release1, Span::Release7, Span::Release30];
        assert_eq!(release.map(|span| number(episode, span, ReachKey::NO_DAY)), [Some(1), Some(2), Some(2)]);
        assert_eq!(numbers.len(), 9);
        assert_eq!(taken(&mut reach), HashMap::new(), "taken once");
    }

    #[test]
    fn an_earlier_request_enters_earlier_spans() {
        let mut reach = Reach::default();
        reach.add_line(&line(1, 5, Some(24), true, true));
        taken(&mut reach);
        reach.add_line(&line(1, 4, Some(23), false, true));
        let key =
            ReachKey { scope: Scope::Episode(EpisodeId(3)), span: Span::Release1, starts: ReachKey::NO_DAY };
        assert_eq!(taken(&mut reach).get(&key), Some(&Some(1)));
    }

    #[test]
    fn what_is_over_is_forgotten_once_it_was_taken() {
        let mut reach = Reach::default();
        reach.add_line(&line(1, 23, Some(0), true, true));
        reach.close(UtcDay(DAY + 100));
        assert_eq!(taken(&mut reach).len(), 9);
        for (open_from, left) in [(0, 9), (1, 6), (2, 5), (7, 5), (8, 4), (30, 4), (31, 3), (999, 3)] {
            reach.close(UtcDay(DAY + open_from));
            assert_eq!(reach.open.len(), left, "{open_from}");
        }
    }
}
