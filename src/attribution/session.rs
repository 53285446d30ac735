//! Sessions: all valid requests of one listener for one episode in one window.
//!
//! A session's contribution to the tables is a pure function of the set of its requests. Each request that joins
//! gives the contribution before and after it; tables take the difference. So the order of arrival never shows in
//! the sums, and a session that moves to an earlier hour takes one away there and adds one here.

mod calendar;
mod rolling;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use calendar::CalendarSessions;
pub use rolling::RollingSessions;

use super::delivery::Delivery;
use super::labels::LabelSet;
use super::listening::Listening;
use super::origin::Origin;
use super::registry::Facts;
use super::verdict::{Received, Thresholds};
use crate::units::{AgentId, ByteCount, EpisodeId, ListenerKey, Timestamp, UtcDay, UtcHour};

/// How long one listener counts once for one episode (IAB §5.5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Window {
    /// The UTC day of the request's start.
    #[default]
    Calendar,
    /// `[t, t + 24 h)` from the first request, then from the first after it.
    FirstTouch,
    /// As above, but each request moves the end to its own start + 24 h.
    LastTouch,
}

/// Hours after publication that are told one by one: 30 days.
pub const LAUNCH_HOURS: u16 = 720;

impl Window {
    pub const ALL: [Self; 3] = [Self::Calendar, Self::FirstTouch, Self::LastTouch];
    const ROLLING_LENGTH: Duration = Duration::from_secs(24 * 60 * 60);

    pub const fn name(self) -> &'static str {
        match self {
            Self::Calendar => "calendar",
            Self::FirstTouch => "first_touch",
            Self::LastTouch => "last_touch",
        }
    }
}

/// Where a session is among those of its day. Sessions stay where they are until their day is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

/// A valid request, as its session takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    pub listener: ListenerKey,
    pub episode: EpisodeId,
    pub start: Timestamp,
    /// The start, where the log does not say how long it took.
    pub end: Timestamp,
    pub origin: Origin,
    /// The same for all requests of a listener.
    pub agent: AgentId,
    pub delivery: Delivery,
    pub shown_size: Option<u64>,
}

/// What one session adds to the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The hour of the earliest request; its day is the session's day.
    pub hour: UtcHour,
    /// Of the earliest request.
    pub origin: Origin,
    pub agent: AgentId,
    /// Whole hours from publication to the earliest request, below [`LAUNCH_HOURS`].
    pub age_hours: Option<u16>,
    pub delivered: ByteCount,
    pub is_download: bool,
    /// None where it is no download, and where nobody asks.
    pub listening: Option<Listening>,
}

impl Contribution {
    /// Of all that was received from `start` to `end` by one listener.
    fn of(received: &Received, times: Times, origin: Origin, agent: AgentId, rules: Rules<'_>) -> Self {
        let verdict = received.judge(&rules.facts.file, rules.thresholds);
        let listening = || received.listening(verdict.delivered, times.span_us(), &rules.facts.file);
        Self {
            hour: times.start.hour(),
            origin,
            agent,
            age_hours: rules.facts.age_hours(times.start).filter(|age| *age < LAUNCH_HOURS),
            delivered: verdict.delivered,
            is_download: verdict.downloaded,
            listening: (verdict.downloaded && rules.detailed).then(listening),
        }
    }
}

/// A session's first start and last end.
#[derive(Clone, Copy, Debug)]
struct Times {
    start: Timestamp,
    end: Timestamp,
}

impl Times {
    fn span_us(self) -> u64 {
        self.end.micros_since(self.start)
    }
}

/// What the tables must take back, and what they must add instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub episode: EpisodeId,
    pub before: Option<Contribution>,
    pub after: Option<Contribution>,
}

/// The session a request joined, before and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    pub was_downloaded: bool,
    pub contribution: Contribution,
    /// No request was in the session before.
    pub is_new: bool,
    /// No request of this listener for the episode that is still held began earlier, or at the same time.
    pub is_earliest: bool,
    /// Ranges past the bound were merged over a gap.
    pub gap_closed: bool,
}

/// The state a request left its session in. Depends on the order of arrival; tables do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// This request made it a download.
    Counted,
    /// It was a download before.
    Repeat,
    /// It is no download yet, or no longer.
    Partial,
}

impl SessionState {
    pub const ALL: [Self; 3] = [Self::Counted, Self::Repeat, Self::Partial];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Repeat => "repeat",
            Self::Partial => "partial",
        }
    }
}

impl Joined {
    pub fn state(&self) -> SessionState {
        match (self.contribution.is_download, self.was_downloaded) {
            (true, false) => SessionState::Counted,
            (true, true) => SessionState::Repeat,
            (false, _) => SessionState::Partial,
        }
    }
}

/// The open sessions, by the rule of one window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Sessions {
    Calendar(CalendarSessions),
    Rolling(RollingSessions),
}

impl Sessions {
    pub fn new(window: Window) -> Self {
        match window {
            Window::Calendar => Self::Calendar(CalendarSessions::default()),
            Window::FirstTouch | Window::LastTouch => Self::Rolling(RollingSessions::new(window)),
        }
    }

    /// Fetches what [`Sessions::find`] will read.
    pub fn touch(&self, listener: ListenerKey, episode: EpisodeId, day: UtcDay) {
        match self {
            Self::Calendar(sessions) => sessions.touch(listener, episode, day),
            Self::Rolling(sessions) => sessions.touch(listener, episode),
        }
    }

    /// Where the session of a request may be, if there is one; what [`Sessions::join`] will read of it is fetched.
    pub fn find(&self, listener: ListenerKey, episode: EpisodeId, day: UtcDay) -> Option<Place> {
        match self {
            Self::Calendar(sessions) => sessions.find(listener, episode, day),
            Self::Rolling(_) => None,
        }
    }

    /// Adds a request; pushes what changed. `place` is where its session was found before, `regions` are those of the
    /// visits' origins.
    pub fn join(
        &mut self,
        visit: &Visit,
        place: Option<Place>,
        rules: Rules<'_>,
        regions: &LabelSet,
        changes: &mut Vec<Change>,
    ) -> Joined {
        match self {
            Self::Calendar(sessions) => sessions.join(visit, place, rules, regions, changes),
            Self::Rolling(sessions) => sessions.join(visit, rules, regions, changes),
        }
    }

    /// Forgets what no request from `open_from` on can change any more.
    pub fn close(&mut self, open_from: UtcDay) {
        match self {
            Self::Calendar(sessions) => sessions.close(open_from),
            Self::Rolling(sessions) => sessions.close(open_from),
        }
    }

    /// Decides again on the open sessions, by other facts or thresholds.
    pub fn rejudge(&mut self, rejudge: Rejudge<'_>, changes: &mut Vec<Change>) {
        match self {
            Self::Calendar(sessions) => sessions.rejudge(rejudge, changes),
            Self::Rolling(sessions) => sessions.rejudge(rejudge, changes),
        }
    }

    /// Sessions held: listener, episode and day, or listener and episode with rolling windows.
    pub fn len(&self) -> usize {
        match self {
            Self::Calendar(sessions) => sessions.len(),
            Self::Rolling(sessions) => sessions.len(),
        }
    }

    pub fn table_bytes(&self) -> usize {
        match self {
            Self::Calendar(sessions) => sessions.table_bytes(),
            Self::Rolling(sessions) => sessions.table_bytes(),
        }
    }
}

/// What a session is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub facts: &'a Facts,
    pub thresholds: &'a Thresholds,
    /// Whether anybody asks how downloads were listened to.
    pub detailed: bool,
}

/// What open sessions were judged by, and what they are to be judged by from now on.
#[derive(Clone, Copy)]
pub struct Rejudge<'a> {
    /// Old and new facts of an episode; None leaves its sessions as they are.
    pub facts: &'a dyn Fn(EpisodeId) -> Option<(Facts, Facts)>,
    pub old: &'a Thresholds,
    pub new: &'a Thresholds,
    pub detailed: bool,
}

impl Rejudge<'_> {
    /// Calls `judge` with the old and then with the new rules, if the episode is one to be judged again.
    fn both<T>(&self, episode: EpisodeId, judge: impl Fn(Rules<'_>) -> T) -> Option<(T, T)> {
        let (old, new) = (self.facts)(episode)?;
        let before = judge(Rules { facts: &old, thresholds: self.old, detailed: self.detailed });
        let after = judge(Rules { facts: &new, thresholds: self.new, detailed: self.detailed });
        Some((before, after))
    }
}
