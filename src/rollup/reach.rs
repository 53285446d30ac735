//! Reach: distinct listeners with at least one valid request, of episodes, shows and the whole, over the standard spans.
//!
//! Sets are kept for days, for the first day, week and month of an episode by its publication as it was known when the
//! request came, and for all time. Weeks, months and rolling spans are merged from days, where they are stored.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use hashbrown::HashMap;
use serde::ser::Error;
use serde::{Deserialize, Serialize, Serializer};

use super::sketch::{Hashed, Sketch};
use crate::attribution::Outcome;
use crate::units::{EpisodeId, KeyId, ShowId, UtcDay, UtcHour};

/// Of what the listeners are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    Episode(EpisodeId),
    Show(ShowId),
    All,
}

/// Over which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "BTreeMap<ReachKey, SavedOpen<'static>>")]
pub struct Reach {
    open: Vec<Open>,
    /// Where each is among them.
    places: HashMap<ReachKey, u32>,
    /// Those that changed since they were last taken.
    touched: Vec<u32>,
    near: Near,
    came: Waiting,
}

/// So many lines wait at the most: some megabytes of them.
const MANY: usize = 1 << 16;

/// Lines whose listeners are in no set of a show or an episode yet, by id of show. The sets of one show stay near while its
/// lines are taken in, those of all shows do not.
#[derive(Clone, Debug, Default)]
struct Waiting {
    shows: Vec<Vec<Came>>,
    count: usize,
}

/// A valid line that may bring a listener.
#[derive(Clone, Copy, Debug)]
struct Came {
    /// With the key that it was hashed under.
    listener: (Hashed, KeyId),
    /// To the episode on the day; else only its earliest request has changed.
    is_new: bool,
    episode: EpisodeId,
    hour: UtcHour,
    age_hours: Option<u16>,
}

#[derive(Clone, Debug)]
struct Open {
    key: ReachKey,
    sketch: Held,
    /// The last day on which a request can still come in; None for ever.
    until: Option<UtcDay>,
    /// Changed since it was last taken.
    touched: bool,
}

/// A sketch, and whether others may be reading it. Told here, for to ask an [`Arc`] each time a listener comes costs more
/// than to add the listener.
#[derive(Clone, Debug)]
enum Held {
    Own(Sketch),
    /// Shared with whom it was given to, until the next listener comes.
    Given(Arc<Sketch>),
}

impl Held {
    fn own(&mut self) -> &mut Sketch {
        if let Self::Given(sketch) = self {
            *self = Self::Own(Sketch::clone(sketch));
        }
        match self {
            Self::Own(sketch) => sketch,
            Self::Given(_) => unreachable!("its own from here on"),
        }
    }

    fn give(&mut self) -> Arc<Sketch> {
        if let Self::Own(sketch) = self {
            let nobodys = Sketch::new(KeyId(0));
            *self = Self::Given(Arc::new(mem::replace(sketch, nobodys)));
        }
        match self {
            Self::Given(sketch) => Arc::clone(sketch),
            Self::Own(_) => unreachable!("shared from here on"),
        }
    }

    fn sketch(&self) -> &Sketch {
        match self {
            Self::Own(sketch) => sketch,
            Self::Given(sketch) => sketch,
        }
    }
}

/// Where the sets are that lines went to last: those of a day mostly go to the same.
#[derive(Clone, Debug, Default)]
struct Near {
    /// By id.
    episodes: Vec<Spots>,
    /// By id.
    shows: Vec<Spots>,
    all: Spots,
}

/// Places of one scope's sets, as far as they are known.
#[derive(Clone, Copy, Debug, Default)]
struct Spots {
    of_day: Option<(UtcDay, u32)>,
    of_all_time: Option<u32>,
    of_release: [Option<u32>; RELEASE.len()],
}

impl Near {
    fn of(&mut self, scope: Scope) -> &mut Spots {
        let at = |known: &mut Vec<Spots>, id: u32| {
            if known.len() <= id as usize {
                known.resize(id as usize + 1, Spots::default());
            }
        };
        match scope {
            Scope::Episode(EpisodeId(id)) => {
                at(&mut self.episodes, id);
                &mut self.episodes[id as usize]
            }
            Scope::Show(ShowId(id)) => {
                at(&mut self.shows, id);
                &mut self.shows[id as usize]
            }
            Scope::All => &mut self.all,
        }
    }
}

/// As it is saved.
#[derive(Serialize, Deserialize)]
struct SavedOpen<'r> {
    sketch: Cow<'r, Sketch>,
    until: Option<UtcDay>,
}

/// Once it is settled.
impl Serialize for Reach {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn saved(Open { key, sketch, until, .. }: &Open) -> (&ReachKey, SavedOpen<'_>) {
            (key, SavedOpen { sketch: Cow::Borrowed(sketch.sketch()), until: *until })
        }
        if self.came.count > 0 {
            return Err(S::Error::custom("listeners came who are not in all sets yet"));
        }
        self.open.iter().map(saved).collect::<BTreeMap<_, _>>().serialize(serializer)
    }
}

/// What was taken, and not yet written, may be lost by now: all is to be taken again.
impl From<BTreeMap<ReachKey, SavedOpen<'_>>> for Reach {
    fn from(saved: BTreeMap<ReachKey, SavedOpen<'_>>) -> Self {
        let open = |(key, SavedOpen { sketch, until })| {
            let sketch = Held::Own(Cow::into_owned(sketch));
            Open { key, sketch, until, touched: true }
        };
        Self::of(saved.into_iter().map(open).collect())
    }
}

/// Spans from publication, with their hours.
const RELEASE: [(Span, u16); 3] = [(Span::Release1, 24), (Span::Release7, 168), (Span::Release30, 720)];

/// That one line changes: by day and of all time, of the episode, the show and all, and those from publication.
const MOST_SETS: usize = 6 + RELEASE.len();

impl Waiting {
    fn push(&mut self, ShowId(show): ShowId, came: Came) {
        let show = show as usize;
        if self.shows.len() <= show {
            self.shows.resize_with(show + 1, Vec::new);
        }
        self.shows[show].push(came);
        self.count += 1;
    }
}

impl Reach {
    fn of(open: Vec<Open>) -> Self {
        let places: HashMap<_, _> = (0..).zip(&open).map(|(place, open)| (open.key, place)).collect();
        let touched = (0..).zip(&open).filter(|(_, open)| open.touched).map(|(place, _)| place).collect();
        Self { open, places, touched, near: Near::default(), came: Waiting::default() }
    }

    /// Takes the listener of a valid line in: into the sets of all shows at once, into the others when it is settled.
    pub fn add_line(&mut self, outcome: &Outcome) {
        let (Some(episode), Some(counted)) = (outcome.episode, &outcome.session) else { return };
        let is_new = counted.new_listener;
        if !(is_new || counted.joined.is_earliest) {
            return;
        }
        let listener = (Hashed::new(counted.listener), counted.key);
        let came = Came { listener, is_new, episode, hour: outcome.hour, age_hours: counted.age_hours };
        if is_new {
            self.add_to_day(&came, Scope::All);
            self.add_to_all_time(&came, Scope::All);
        }
        self.came.push(counted.show, came);
        if self.came.count >= MANY {
            self.settle();
        }
    }

    /// Takes all in who came: of one show after the other, and into one kind of sets after the other.
    pub fn settle(&mut self) {
        self.came.count = 0;
        let mut shows = mem::take(&mut self.came.shows);
        for (show, came) in (0..).map(ShowId).zip(&mut shows) {
            let new = || came.iter().filter(|came| came.is_new);
            let show = Scope::Show(show);
            new().for_each(|came| self.add_to_day(came, show));
            new().for_each(|came| self.add_to_all_time(came, show));
            new().for_each(|came| self.add_to_day(came, Scope::Episode(came.episode)));
            new().for_each(|came| self.add_to_all_time(came, Scope::Episode(came.episode)));
            came.iter().for_each(|came| self.add_to_release(came));
            came.clear();
        }
        self.came.shows = shows;
    }

    fn add_to_day(&mut self, came: &Came, scope: Scope) {
        let day = came.hour.day();
        let known = self.near.of(scope).of_day.filter(|(of, _)| *of == day).map(|(_, place)| place);
        let key = ReachKey { scope, span: Span::Day, starts: day };
        let place = self.insert(known, key, Some(day), came.listener);
        self.near.of(scope).of_day = Some((day, place));
    }

    fn add_to_all_time(&mut self, came: &Came, scope: Scope) {
        let known = self.near.of(scope).of_all_time;
        let key = ReachKey { scope, span: Span::All, starts: ReachKey::NO_DAY };
        let place = self.insert(known, key, None, came.listener);
        self.near.of(scope).of_all_time = Some(place);
    }

    fn add_to_release(&mut self, came: &Came) {
        let Some(age) = came.age_hours else { return };
        let scope = Scope::Episode(came.episode);
        for (index, (span, hours)) in RELEASE.into_iter().enumerate().filter(|(_, (_, hours))| age < *hours) {
            let last = UtcHour(came.hour.0 + i32::from(hours - age)).day();
            let key = ReachKey { scope, span, starts: ReachKey::NO_DAY };
            let known = self.near.of(scope).of_release[index];
            let place = self.insert(known, key, Some(last), came.listener);
            self.near.of(scope).of_release[index] = Some(place);
        }
    }

    /// Takes a listener into one set, which is at `known`; gives its place.
    fn insert(
        &mut self,
        known: Option<u32>,
        key: ReachKey,
        until: Option<UtcDay>,
        (listener, hashed_under): (Hashed, KeyId),
    ) -> u32 {
        let place = known.unwrap_or_else(|| {
            let next = u32::try_from(self.open.len()).expect("far fewer sets");
            let place = *self.places.entry(key).or_insert(next);
            if place == next {
                let sketch = Held::Own(Sketch::new(hashed_under));
                self.open.push(Open { key, sketch, until, touched: false });
            }
            place
        });
        let open = &mut self.open[place as usize];
        open.sketch.own().insert(listener, hashed_under);
        if !mem::replace(&mut open.touched, true) {
            self.touched.push(place);
        }
        place
    }

    /// How many sets changed since they were last taken, or more.
    pub fn changed(&self) -> usize {
        self.touched.len() + MOST_SETS * self.came.count
    }

    /// Adds what changed since the last time to `taken`; what is there already is older.
    pub fn take(&mut self, taken: &mut HashMap<ReachKey, Arc<Sketch>>) {
        self.settle();
        for place in self.touched.drain(..) {
            let open = &mut self.open[place as usize];
            open.touched = false;
            taken.insert(open.key, open.sketch.give());
        }
    }

    /// Forgets what no request from `open_from` on can change, if it was taken and `is_kept` says that it may go.
    pub fn close(&mut self, open_from: UtcDay, is_kept: impl Fn(&ReachKey) -> bool) {
        self.settle();
        let stays = |open: &Open| {
            let is_open = open.until.is_none_or(|last| last >= open_from);
            is_open || open.touched || !is_kept(&open.key)
        };
        if !self.open.iter().all(stays) {
            let mut open = mem::take(&mut self.open);
            open.retain(stays);
            *self = Self::of(open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::{Contribution, Counted, Delivery, Fate, Joined, Origin};
    use crate::units::{AgentId, ByteCount, ListenerKey};

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
            is_download: false,
            listening: None,
        };
        Outcome {
            fate: Fate::Valid,
            hour,
            ended: None,
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
    fn what_is_saved_is_taken_again() {
        let mut reach = Reach::default();
        reach.add_line(&line(1, 5, Some(0), true, true));
        let all = taken(&mut reach);
        let bytes = postcard::to_stdvec(&reach).unwrap();
        let mut read: Reach = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(taken(&mut read), all);
        read.close(UtcDay(DAY + 999), |_| true);
        assert_eq!(read.open.len(), 3);
    }

    #[test]
    fn what_is_over_is_forgotten_once_it_was_kept() {
        let mut reach = Reach::default();
        reach.add_line(&line(1, 23, Some(0), true, true));
        reach.close(UtcDay(DAY + 100), |_| true);
        assert_eq!(taken(&mut reach).len(), 9);
        reach.close(UtcDay(DAY + 100), |_| false);
        assert_eq!(reach.open.len(), 9);
        for (open_from, left) in [(0, 9), (1, 6), (2, 5), (7, 5), (8, 4), (30, 4), (31, 3), (999, 3)] {
            reach.close(UtcDay(DAY + open_from), |_| true);
            assert_eq!(reach.open.len(), left, "{open_from}");
        }
    }
}
