//! What became of a line. Every line has exactly one fate: malformed, ignored for one reason, or valid.
//!
//! The reasons form a closed set; their order is the order of the checks, and the first that applies
//! is the line's. Their names are an interface: tables, metrics, `count --fates` and `explain` use them.

use std::fmt;

use crate::event::Defect;

/// The one fate of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    Valid,
    Ignored(Reason),
    Malformed(Defect),
}

/// Why a well-formed line is not counted, in the order in which the reasons are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// An inner request of Fastly's segmented caching.
    InnerSegment,
    /// Logged at a shield, not at the edge.
    Shield,
    /// Its id, or the whole body it came in, was received before.
    Redelivered,
    /// A request for a configured feed.
    Feed,
    /// The path is no episode.
    NotEpisode,
    /// Not a GET.
    Method,
    /// Neither 200 nor 206.
    Status,
    /// A player asking whether ranges are supported (IAB §5.5.2-6).
    Probe,
    /// No body was sent.
    Empty,
    /// A watch that downloads beside the phone it is paired with (IAB §5.5.2-7).
    Watch,
    /// A bot, crawler, validator or scripted library, or no user agent at all.
    Bot,
    /// From a hosting provider's network.
    Datacenter,
    /// Through a VPN or Tor.
    Vpn,
    /// On the operator's own list.
    Blocked,
    /// Before the episode was published.
    PreRelease,
    /// For a day that is closed already.
    Late,
}

impl Reason {
    pub const ALL: [Self; 16] = [
        Self::InnerSegment,
        Self::Shield,
        Self::Redelivered,
        Self::Feed,
        Self::NotEpisode,
        Self::Method,
        Self::Status,
        Self::Probe,
        Self::Empty,
        Self::Watch,
        Self::Bot,
        Self::Datacenter,
        Self::Vpn,
        Self::Blocked,
        Self::PreRelease,
        Self::Late,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::InnerSegment => "inner_segment",
            Self::Shield => "shield",
            Self::Redelivered => "redelivered",
            Self::Feed => "feed",
            Self::NotEpisode => "not_episode",
            Self::Method => "method",
            Self::Status => "status",
            Self::Probe => "probe",
            Self::Empty => "empty",
            Self::Watch => "watch",
            Self::Bot => "bot",
            Self::Datacenter => "datacenter",
            Self::Vpn => "vpn",
            Self::Blocked => "blocked",
            Self::PreRelease => "pre_release",
            Self::Late => "late",
        }
    }
}

impl Fate {
    /// `valid`, `ignored` or `malformed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Ignored(_) => "ignored",
            Self::Malformed(_) => "malformed",
        }
    }

    /// The reason or defect; a valid line has none.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Valid => None,
            Self::Ignored(reason) => Some(reason.name()),
            Self::Malformed(defect) => Some(defect.name()),
        }
    }

    pub const COUNT: usize = 1 + Reason::ALL.len() + Defect::ALL.len();

    /// Its place among [`Fate::all`].
    pub const fn index(self) -> usize {
        match self {
            Self::Valid => 0,
            Self::Ignored(reason) => 1 + reason as usize,
            Self::Malformed(defect) => 1 + Reason::ALL.len() + defect as usize,
        }
    }

    /// Every fate there is, in a fixed order.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Valid)
            .chain(Reason::ALL.into_iter().map(Self::Ignored))
            .chain(Defect::ALL.into_iter().map(Self::Malformed))
    }
}

/// `valid`, `ignored: bot`, `malformed: bad_json`.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "{}: {reason}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}
