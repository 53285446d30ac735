//! Reach: which distinct numbers of listeners are kept, and over which spans.

use crate::units::{EpisodeId, ShowId, UtcDay};

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
