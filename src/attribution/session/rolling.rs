//! Sessions whose windows are laid over a listener's requests for an episode, sorted by start.
//!
//! A request that arrives after later ones may move the windows that follow, so the requests themselves are kept until
//! no open day can touch their window any more. Windows are kept as laid: a request that moves none only joins its own,
//! and one that does has windows laid anew from there to the first that begins where one did before. So a client that
//! asks for a file in thousands of pieces, in order, costs no more a piece than any other.

use std::hint::black_box;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{Change, Contribution, Joined, Rejudge, Rules, Times, Visit, Window};
use crate::attribution::coverage::Precision;
use crate::attribution::delivery::Delivery;
use crate::attribution::labels::LabelSet;
use crate::attribution::origin::Origin;
use crate::attribution::saved;
use crate::attribution::verdict::Received;
use crate::units::{AgentId, EpisodeId, ListenerKey, Timestamp, UtcDay};

/// Requests by listener and episode.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RollingSessions {
    window: Window,
    #[serde(with = "saved::map")]
    timelines: HashMap<(ListenerKey, EpisodeId), Timeline>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Timeline {
    agent: AgentId,
    /// Sorted by start.
    touches: Vec<Touch>,
    /// Every touch is in exactly one of them; in order.
    windows: Vec<Laid>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Touch {
    start: Timestamp,
    end: Timestamp,
    origin: Origin,
    delivery: Delivery,
    shown_size: Option<u64>,
}

/// One window as laid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Laid {
    /// Of its first request.
    start: Timestamp,
    /// Of its first request; of several at the same start, the smallest.
    origin: Origin,
    /// The first instant after it.
    end: Timestamp,
    /// When the last of its transfers ended.
    last_end: Timestamp,
    /// How many there are in it.
    touches: usize,
    received: Received,
}

/// What a request did to the windows of its timeline.
struct Inserted {
    /// Where the windows begin that are not as they were; the first of them took the request.
    at: usize,
    /// What stood there before.
    old: Vec<Contribution>,
    /// How many stand there now.
    count: usize,
    /// The first of the old ones held the request's start already.
    was_held: bool,
    precision: Precision,
    /// It began before all others.
    is_earliest: bool,
}

impl RollingSessions {
    pub fn new(window: Window) -> Self {
        Self { window, timelines: HashMap::new() }
    }

    pub fn join(
        &mut self,
        visit: &Visit,
        rules: Rules<'_>,
        regions: &LabelSet,
        changes: &mut Vec<Change>,
    ) -> Joined {
        let timeline = self.timelines.entry((visit.listener, visit.episode)).or_insert_with(|| Timeline {
            agent: visit.agent,
            touches: Vec::new(),
            windows: Vec::new(),
        });
        let Inserted { at, old, count, was_held, precision, is_earliest } =
            timeline.insert(visit, self.window, rules, regions);
        let new = timeline.contributions(&timeline.windows[at..at + count], rules);
        push_differences(visit.episode, &old, &new, changes);
        Joined {
            was_downloaded: was_held && old[0].is_download,
            contribution: new[0],
            is_new: timeline.windows[at].touches == 1,
            is_earliest,
            gap_closed: precision == Precision::GapClosed,
        }
    }

    /// Reads what [`RollingSessions::join`] will read.
    pub fn touch(&self, listener: ListenerKey, episode: EpisodeId) {
        black_box(self.timelines.contains_key(&(listener, episode)));
    }

    pub fn close(&mut self, open_from: UtcDay) {
        self.timelines.retain(|_, timeline| {
            timeline.forget(open_from.start());
            !timeline.touches.is_empty()
        });
    }

    pub fn rejudge(&mut self, rejudge: Rejudge<'_>, changes: &mut Vec<Change>) {
        for ((_, episode), timeline) in &self.timelines {
            let judged = rejudge.both(*episode, |rules| timeline.contributions(&timeline.windows, rules));
            if let Some((before, after)) = judged {
                push_differences(*episode, &before, &after, changes);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.timelines.len()
    }

    pub fn table_bytes(&self) -> usize {
        // Most have one touch in one window.
        self.timelines.allocation_size() + self.len() * (size_of::<Touch>() + size_of::<Laid>())
    }
}

impl Timeline {
    fn insert(&mut self, visit: &Visit, rule: Window, rules: Rules<'_>, regions: &LabelSet) -> Inserted {
        let Visit { start, end, origin, delivery, shown_size, .. } = *visit;
        let touch = Touch { start, end, origin, delivery, shown_size };
        let place = self.touches.partition_point(|other| other.start <= touch.start);
        let is_earliest = place == 0;
        self.touches.insert(place, touch);

        let after = self.windows.partition_point(|laid| laid.start <= touch.start);
        let held_by = after.checked_sub(1).filter(|&at| touch.start < self.windows[at].end);
        if let Some(at) = held_by
            && self
                .windows
                .get(after)
                .is_none_or(|next| self.windows[at].end_with(&touch, rule) <= next.start)
        {
            let old = self.contributions(&self.windows[at..=at], rules);
            let precision = self.windows[at].add(&touch, rule, regions);
            return Inserted { at, old, count: 1, was_held: true, precision, is_earliest };
        }
        let at = held_by.unwrap_or(after);
        let start = held_by.map_or(touch.start, |at| self.windows[at].start);
        let (laid, kept, precision) = self.lay(at, start, rule, regions);
        let old = self.contributions(&self.windows[at..kept], rules);
        let count = laid.len();
        self.windows.splice(at..kept, laid);
        Inserted { at, old, count, was_held: held_by.is_some(), precision, is_earliest }
    }

    /// Windows from the touch at `start` on, to take the place of those from `at` to the one given with them: it
    /// begins where the next one would, so it and all after it are right as they are.
    fn lay(
        &self,
        at: usize,
        start: Timestamp,
        rule: Window,
        regions: &LabelSet,
    ) -> (Vec<Laid>, usize, Precision) {
        let mut rest = &self.touches[self.touches.partition_point(|touch| touch.start < start)..];
        let mut laid = Vec::new();
        let mut precision = Precision::Exact;
        let mut kept = at;
        while let [first, others @ ..] = rest {
            kept += self.windows[kept..].partition_point(|window| window.start < first.start);
            let begins_here = self.windows.get(kept).is_some_and(|window| window.start == first.start);
            if begins_here && !laid.is_empty() {
                return (laid, kept, precision);
            }
            let mut window = Laid::new(first);
            let inside = others.iter().take_while(|touch| {
                let is_inside = touch.start < window.end;
                if is_inside && window.add(touch, rule, regions) == Precision::GapClosed {
                    precision = Precision::GapClosed;
                }
                is_inside
            });
            rest = &others[inside.count()..];
            laid.push(window);
        }
        (laid, self.windows.len(), precision)
    }

    /// Drops the windows that ended by `open_from`, with their touches.
    fn forget(&mut self, open_from: Timestamp) {
        let over = self.windows.partition_point(|laid| laid.end <= open_from);
        let touches: usize = self.windows.drain(..over).map(|laid| laid.touches).sum();
        self.touches.drain(..touches);
    }

    fn contributions(&self, windows: &[Laid], rules: Rules<'_>) -> Vec<Contribution> {
        windows.iter().map(|laid| laid.contribution(self.agent, rules)).collect()
    }
}

impl Laid {
    /// Begun by a request, the first in it.
    fn new(first: &Touch) -> Self {
        let mut received = Received::default();
        // A single range is always exact.
        let _: Precision = received.add(first.delivery, first.shown_size);
        Self {
            start: first.start,
            origin: first.origin,
            end: first.start.plus(Window::ROLLING_LENGTH),
            last_end: first.end,
            touches: 1,
            received,
        }
    }

    /// Takes in a request that starts within.
    fn add(&mut self, touch: &Touch, rule: Window, regions: &LabelSet) -> Precision {
        self.end = self.end_with(touch, rule);
        self.last_end = self.last_end.max(touch.end);
        if touch.start == self.start {
            self.origin = self.origin.min(touch.origin, regions);
        }
        self.touches += 1;
        self.received.add(touch.delivery, touch.shown_size)
    }

    fn end_with(&self, touch: &Touch, rule: Window) -> Timestamp {
        match rule {
            Window::LastTouch => self.end.max(touch.start.plus(Window::ROLLING_LENGTH)),
            Window::FirstTouch | Window::Calendar => self.end,
        }
    }

    fn contribution(&self, agent: AgentId, rules: Rules<'_>) -> Contribution {
        let times = Times { start: self.start, end: self.last_end };
        Contribution::of(&self.received, times, self.origin, agent, rules)
    }
}

/// Pairs windows by their place; equal ones change nothing.
fn push_differences(
    episode: EpisodeId,
    before: &[Contribution],
    after: &[Contribution],
    changes: &mut Vec<Change>,
) {
    for at in 0..before.len().max(after.len()) {
        let (before, after) = (before.get(at).copied(), after.get(at).copied());
        if before != after {
            changes.push(Change { episode, before, after });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attribution::Labels;
    use crate::attribution::registry::Facts;
    use crate::attribution::verdict::Thresholds;
    use crate::units::{ByteCount, ByteRange, Country};

    const HOUR: u64 = 3_600_000_000;

    /// A request `at` microseconds after a Monday's midnight.
    fn visit(at: u64, country: &[u8], bytes: u64) -> Visit {
        Visit {
            listener: ListenerKey([1, 2]),
            episode: EpisodeId(0),
            start: Timestamp::from_seconds(1_793_577_600).unwrap().plus(std::time::Duration::from_micros(at)),
            end: Timestamp::from_seconds(1_793_577_600).unwrap().plus(std::time::Duration::from_micros(at)),
            origin: Origin { country: Country::parse(country), ..Origin::default() },
            agent: AgentId(0),
            delivery: Delivery::Placed(ByteRange::starting_at(0, ByteCount(bytes))),
            shown_size: None,
        }
    }

    /// The windows that requests end up in, and the sums of all changes on the way.
    fn joined(rule: Window, visits: &[Visit]) -> (Vec<Laid>, i64, i64) {
        let mut sessions = RollingSessions::new(rule);
        let (facts, thresholds) = (Facts::default(), Thresholds::default());
        let (mut downloads, mut bytes) = (0, 0);
        let regions = Labels::default().regions;
        for visit in visits {
            let mut changes = Vec::new();
            let rules = Rules { facts: &facts, thresholds: &thresholds, detailed: true };
            let joined = sessions.join(visit, rules, &regions, &mut changes);
            assert!(joined.contribution.hour <= visit.start.hour());
            let signed = |contribution: Option<Contribution>| {
                contribution.map_or((0, 0), |it| (i64::from(it.is_download), it.delivered.0.cast_signed()))
            };
            for change in changes {
                downloads += signed(change.after).0 - signed(change.before).0;
                bytes += signed(change.after).1 - signed(change.before).1;
            }
        }
        let timeline = sessions.timelines.into_values().next().unwrap();
        (timeline.windows, downloads, bytes)
    }

    /// IAB §5.5.1: Monday 22:00, Tuesday 03:00, Tuesday 22:15, Wednesday 23:15, in any order.
    #[test]
    fn the_guidelines_vector() {
        let [monday, night, tuesday, wednesday] =
            [22 * HOUR, 27 * HOUR, 46 * HOUR + HOUR / 4, 71 * HOUR + HOUR / 4]
                .map(|at| visit(at, b"US", 2_000_000));
        for (rule, starts) in [
            (Window::FirstTouch, vec![monday.start, tuesday.start, wednesday.start]),
            (Window::LastTouch, vec![monday.start, wednesday.start]),
        ] {
            for visits in [
                [monday, night, tuesday, wednesday],
                [wednesday, tuesday, night, monday],
                [tuesday, wednesday, monday, night],
                [night, monday, wednesday, tuesday],
            ] {
                let (windows, downloads, _) = joined(rule, &visits);
                assert_eq!(windows.iter().map(|laid| laid.start).collect::<Vec<_>>(), starts, "{rule:?}");
                assert_eq!(downloads, i64::try_from(starts.len()).unwrap(), "{rule:?}");
            }
        }
    }

    #[test]
    fn a_window_ends_before_its_last_instant() {
        for (gap, windows) in [(24 * HOUR - 1, 1), (24 * HOUR, 2)] {
            for rule in [Window::FirstTouch, Window::LastTouch] {
                let visits = [visit(gap, b"", 5), visit(0, b"", 5)];
                assert_eq!(joined(rule, &visits).0.len(), windows, "{rule:?} {gap}");
            }
        }
    }

    #[test]
    fn closing_forgets_whole_windows_with_their_requests() {
        let (facts, thresholds) = (Facts::default(), Thresholds::default());
        let mut sessions = RollingSessions::new(Window::FirstTouch);
        for at in [0, HOUR, 30 * HOUR, 31 * HOUR, 60 * HOUR] {
            let rules = Rules { facts: &facts, thresholds: &thresholds, detailed: true };
            sessions.join(&visit(at, b"", 5), rules, &Labels::default().regions, &mut Vec::new());
        }
        let day = |at| visit(at, b"", 5).start.day();
        let held = |sessions: &RollingSessions| {
            sessions.timelines.values().map(|line| (line.windows.len(), line.touches.len())).next()
        };
        sessions.close(day(24 * HOUR));
        assert_eq!(held(&sessions), Some((2, 3)));
        sessions.close(day(48 * HOUR));
        assert_eq!(held(&sessions), Some((2, 3)), "the second window reaches into the open day");
        sessions.close(day(72 * HOUR));
        assert_eq!(held(&sessions), Some((1, 1)));
        sessions.close(day(96 * HOUR));
        assert_eq!(sessions.len(), 0);
    }

    proptest! {
        /// Whatever the order, windows and sums are those of the requests laid once, sorted.
        #[test]
        fn any_order_lays_the_same_windows(
            times in prop::collection::vec((0u64..40, 0usize..3, 1u64..2_000_000), 1..30),
            last_touch in any::<bool>(),
        ) {
            let rule = if last_touch { Window::LastTouch } else { Window::FirstTouch };
            let countries: [&[u8]; 3] = [b"", b"DE", b"US"];
            let visits: Vec<Visit> =
                times.iter().map(|&(at, country, bytes)| visit(at * 5 * HOUR, countries[country], bytes)).collect();
            let mut sorted = visits.clone();
            sorted.sort_by_key(|visit| (visit.start, visit.origin.country));
            prop_assert_eq!(joined(rule, &visits), joined(rule, &sorted));

            let mut laid: Vec<(Timestamp, Timestamp, Country, u64)> = Vec::new();
            for visit in &sorted {
                let end = visit.start.plus(Window::ROLLING_LENGTH);
                let Delivery::Placed(ByteRange { end: bytes, .. }) = visit.delivery else { unreachable!() };
                match laid.last_mut() {
                    Some(window) if visit.start < window.1 => {
                        window.1 = if last_touch { end } else { window.1 };
                        window.3 = window.3.max(bytes);
                    }
                    _ => laid.push((visit.start, end, visit.origin.country, bytes)),
                }
            }
            let (windows, _, bytes) = joined(rule, &visits);
            let delivered: u64 = laid.iter().map(|window| window.3).sum();
            prop_assert_eq!(bytes, delivered.cast_signed());
            let windows: Vec<_> = windows.iter().map(|it| (it.start, it.end, it.origin.country)).collect();
            let laid: Vec<_> = laid.iter().map(|window| (window.0, window.1, window.2)).collect();
            prop_assert_eq!(windows, laid);
        }
    }
}
