//! One log line before it is text: who asked for what and what came of it, in numbers.

use super::client::Client;
use crate::units::{ByteRange, Timestamp};

/// Everything a line says.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// 40 bits, unique in a run.
    pub id: u64,
    pub start: Timestamp,
    pub elapsed_us: u64,
    pub client: Client,
    pub method: Method,
    pub target: Target,
    pub query: Query,
    pub referer: Referer,
    pub exchange: Exchange,
    pub cache: Cache,
    pub vantage: Vantage,
    pub blemish: Option<Blemish>,
}

impl Entry {
    /// When the transfer ended and the line was written.
    pub fn end_us(&self) -> i64 {
        self.start.micros() + self.elapsed_us as i64
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An episode by its index; `odd` is the same path with a needless escape.
    Episode { index: u32, odd: bool },
    /// A show's feed.
    Feed { show: u32 },
    /// A show's image or page.
    Page { show: u32, page: u8 },
    /// A path that leads nowhere.
    Missing { number: u16 },
}

/// An index into the query strings that clients append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query(pub u8);

impl Query {
    pub const NONE: Self = Self(0);
    pub const ALL: [&str; 8] = [
        "",
        "?source=feed",
        "?utm_source=rss&utm_medium=feed",
        "?dest-id=1480321",
        "?_from=overcast.fm",
        "?nocache=%221%22",
        "?aid=rss_feed&feed=%2Fpodcast%2F",
        "?download=true",
    ];

    pub const fn text(self) -> &'static str {
        Self::ALL[self.0 as usize]
    }
}

/// The page a browser plays from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Referer(pub u8);

impl Referer {
    pub const NONE: Self = Self(0);
    pub const ALL: [&str; 5] =
        ["", "https://www.example/", "https://www.example/episodes?page=2", "https://news.example/", "null"];

    pub const fn text(self) -> &'static str {
        Self::ALL[self.0 as usize]
    }
}

/// What was requested of a resource, and how much of it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub range: RangeHeader,
    pub status: u16,
    pub content: ContentHeader,
    /// Bytes of the body that were sent.
    pub sent: u64,
    pub completed: bool,
}

impl Exchange {
    /// A complete answer to a request without a range.
    pub const fn whole(status: u16, sent: u64) -> Self {
        Self { range: RangeHeader::Absent, status, content: ContentHeader::Absent, sent, completed: true }
    }

    /// A complete answer to a request for a part.
    pub const fn part(range: RangeHeader, part: ByteRange, total: u64) -> Self {
        let content = ContentHeader::Part { part, total };
        Self { range, status: 206, content, sent: part.len().0, completed: true }
    }

    /// The answer to a range from `first` on, where nothing is.
    pub const fn unsatisfied(first: u64, total: u64) -> Self {
        let range = RangeHeader::From(first);
        let content = ContentHeader::Unsatisfied { total };
        Self { range, status: 416, content, sent: 0, completed: true }
    }
}

/// The request's `Range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeHeader {
    Absent,
    /// `bytes=first-`
    From(u64),
    /// `bytes=first-last`, both inclusive.
    Between(u64, u64),
    /// `bytes=-length`
    Suffix(u64),
    /// `bytes=0-last,from-`
    Two(u64, u64),
}

/// The response's `Content-Range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentHeader {
    Absent,
    /// `bytes first-last/total`
    Part {
        part: ByteRange,
        total: u64,
    },
    /// `bytes */total`
    Unsatisfied {
        total: u64,
    },
}

/// Fastly's `fastly_info.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    Hit,
    HitCluster,
    HitStale,
    Miss,
    MissCluster,
    Pass,
    Error,
}

impl Cache {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "HIT",
            Self::HitCluster => "HIT-CLUSTER",
            Self::HitStale => "HIT-STALE-CLUSTER",
            Self::Miss => "MISS",
            Self::MissCluster => "MISS-CLUSTER",
            Self::Pass => "PASS",
            Self::Error => "ERROR",
        }
    }
}

/// Which of Fastly's passes over a request wrote the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vantage {
    Edge,
    /// The second point of presence, between the edge and the origin.
    Shield,
    /// An inner request of segmented caching, for one block of the file.
    Inner,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blemish {
    /// Cut after so many 256ths of its length.
    Cut(u8),
    /// The address is a word.
    Address,
    /// The status is missing.
    NoStatus,
}
