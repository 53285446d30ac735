//! Which reports there are, and what each can be narrowed to.

/// A report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Report {
    #[default]
    Episodes,
    Shows,
    Days,
    Curve,
    Pace,
    Projection,
    Listening,
    ListenThrough,
    Chapters,
    Audience,
    Regions,
    Referrers,
    Exclusions,
    Subscribers,
    Traffic,
    Parity,
}

/// What `since` and `until` are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeColumn {
    Day,
    PublishedAt,
}

impl TimeColumn {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::PublishedAt => "published_at",
        }
    }
}

impl Report {
    pub const ALL: [Self; 16] = [
        Self::Episodes,
        Self::Shows,
        Self::Days,
        Self::Curve,
        Self::Pace,
        Self::Projection,
        Self::Listening,
        Self::ListenThrough,
        Self::Chapters,
        Self::Audience,
        Self::Regions,
        Self::Referrers,
        Self::Exclusions,
        Self::Subscribers,
        Self::Traffic,
        Self::Parity,
    ];

    /// As it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Episodes => "episodes",
            Self::Shows => "shows",
            Self::Days => "days",
            Self::Curve => "curve",
            Self::Pace => "pace",
            Self::Projection => "projection",
            Self::Listening => "listening",
            Self::ListenThrough => "listen-through",
            Self::Chapters => "chapters",
            Self::Audience => "audience",
            Self::Regions => "regions",
            Self::Referrers => "referrers",
            Self::Exclusions => "exclusions",
            Self::Subscribers => "subscribers",
            Self::Traffic => "traffic",
            Self::Parity => "parity",
        }
    }

    /// What it says, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Episodes => "Downloads and listeners of each episode",
            Self::Shows => "Downloads and listeners of each show",
            Self::Days => "Downloads and listeners of each show by day",
            Self::Curve => "Downloads by hour since publication",
            Self::Pace => "Launches after 1, 7 and 30 days, beside the show's earlier ones",
            Self::Projection => "What first weeks are going to bring",
            Self::Listening => "How downloads were fetched, and how far",
            Self::ListenThrough => "How many received each hundredth of the content",
            Self::Chapters => "How many reached each chapter",
            Self::Audience => "Downloads by country, app and device",
            Self::Regions => "Downloads by region",
            Self::Referrers => "Downloads by the class of page that led to them",
            Self::Exclusions => "What was not counted, and by which rule",
            Self::Subscribers => "Subscribers that aggregators report",
            Self::Traffic => "What the CDN did: status, point of presence, cache",
            Self::Parity => "Downloads beside file equivalents, and where the difference comes from",
        }
    }

    pub(super) fn statement(self) -> &'static str {
        match self {
            Self::Episodes => include_str!("../sql/report/episodes.sql"),
            Self::Shows => include_str!("../sql/report/shows.sql"),
            Self::Days => include_str!("../sql/report/days.sql"),
            Self::Curve => include_str!("../sql/report/curve.sql"),
            Self::Pace => include_str!("../sql/report/pace.sql"),
            Self::Projection => include_str!("../sql/report/projection.sql"),
            Self::Listening => include_str!("../sql/report/listening.sql"),
            Self::ListenThrough => include_str!("../sql/report/listen_through.sql"),
            Self::Chapters => include_str!("../sql/report/chapters.sql"),
            Self::Audience => include_str!("../sql/report/audience.sql"),
            Self::Regions => include_str!("../sql/report/regions.sql"),
            Self::Referrers => include_str!("../sql/report/referrers.sql"),
            Self::Exclusions => include_str!("../sql/report/exclusions.sql"),
            Self::Subscribers => include_str!("../sql/report/subscribers.sql"),
            Self::Traffic => include_str!("../sql/report/traffic.sql"),
            Self::Parity => include_str!("../sql/report/parity.sql"),
        }
    }

    /// Whether its rows belong to shows.
    pub fn has_shows(self) -> bool {
        self != Self::Subscribers
    }

    /// Whether its rows belong to episodes.
    pub fn has_episodes(self) -> bool {
        !matches!(self, Self::Shows | Self::Days | Self::Subscribers)
    }

    /// Whether its rows belong to days, those of counting or of publication.
    pub fn has_days(self) -> bool {
        self.time().is_some()
    }

    /// Whether it has too many rows of each episode to be asked for all of them.
    pub fn is_of_few_episodes(self) -> bool {
        matches!(self, Self::Curve | Self::ListenThrough)
    }

    pub(super) fn time(self) -> Option<TimeColumn> {
        match self {
            Self::Episodes | Self::Curve | Self::Pace | Self::Projection | Self::Listening => {
                Some(TimeColumn::PublishedAt)
            }
            Self::Days
            | Self::Audience
            | Self::Regions
            | Self::Referrers
            | Self::Exclusions
            | Self::Subscribers
            | Self::Traffic
            | Self::Parity => Some(TimeColumn::Day),
            Self::Shows | Self::ListenThrough | Self::Chapters => None,
        }
    }
}
