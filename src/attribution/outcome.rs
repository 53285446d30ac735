//! What a line comes in with, and what becomes of it: the engine's two ends.

use super::delivery::Delivery;
use super::fate::{Fate, Reason};
use super::session::Joined;
use crate::units::{ByteCount, EpisodeId, KeyId, LabelId, ListenerKey, ShowId, SourceId, Timestamp, UtcHour};

/// How a line came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub source: SourceId,
    pub at: Timestamp,
    /// The body it came in was received before.
    pub redelivered: bool,
}

/// What became of a line, and what it changes beside its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub fate: Fate,
    /// Of the start; of the receipt where there is no usable start.
    pub hour: UtcHour,
    /// When the request ended, as far as the line tells; None for a malformed line.
    pub ended: Option<Timestamp>,
    /// Where the path is an episode's, whatever the fate.
    pub episode: Option<EpisodeId>,
    /// 0 for a malformed line: nothing in it is trusted.
    pub body_bytes: ByteCount,
    /// Counted the older way: body bytes, and whether the address is new to the episode in this day or hour.
    pub older_way: Option<OlderWay>,
    /// A valid line's session.
    pub session: Option<Counted>,
    /// Why a line for an episode was left out. None where the day is closed, or the line sent twice.
    pub exclusion: Option<Exclusion>,
    /// What the CDN did for an episode. None where the day is closed, or the line sent twice.
    pub traffic: Option<Traffic>,
    /// An answered request for a feed. None where the day is closed.
    pub feed: Option<FeedVisit>,
}

impl Outcome {
    /// Of a line that came before, as nothing more is told of it.
    pub(super) fn of_repeat(hour: UtcHour, ended: Timestamp, body_bytes: ByteCount) -> Self {
        Self {
            fate: Fate::Ignored(Reason::Redelivered),
            hour,
            ended: Some(ended),
            episode: None,
            body_bytes,
            older_way: None,
            session: None,
            exclusion: None,
            traffic: None,
            feed: None,
        }
    }
}

/// Why, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exclusion {
    pub reason: Reason,
    /// Of [`super::Labels::rules`].
    pub rule: LabelId,
}

/// How the CDN answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    pub status: u16,
    /// Of [`super::Labels::pops`].
    pub pop: LabelId,
    /// Of [`super::Labels::cache_states`].
    pub cache_state: LabelId,
}

/// Who asked for a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedVisit {
    /// Of [`super::Labels::feeds`].
    pub feed: LabelId,
    pub reader: Reader,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A service that says how many it asks for; of [`super::Labels::services`].
    Service { service: LabelId, subscribers: u32 },
    /// Anybody else: new to the feed on this day or not.
    Client { is_new: bool },
}

/// The older way of counting a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OlderWay {
    pub new_address: bool,
}

/// A valid line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub listener: ListenerKey,
    /// What the listener was hashed under.
    pub key: KeyId,
    pub show: ShowId,
    /// Whole hours from the episode's publication to this request.
    pub age_hours: Option<u16>,
    pub delivery: Delivery,
    pub joined: Joined,
    /// The listener's first valid request for the episode in this day or hour.
    pub new_listener: bool,
}
