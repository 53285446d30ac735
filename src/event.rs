//! One CDN request as a log line tells it: what every parser produces and attribution consumes.
//!
//! Borrowed from the received buffer wherever the line's bytes can be used as they stand; only a
//! string with escapes is copied, to [`Unescaped`]. Fields are raw bytes, not text: a user agent need not be UTF-8, and
//! a bad byte in one is no defect. Absent means absent: `null`, `-`, `(null)`, an empty string and an empty
//! number never reach this type as values.

use std::cell::OnceCell;
use std::net::IpAddr;

use crate::units::{ByteCount, Country, Timestamp};

/// Bytes of one field, unescaped.
pub type Text<'a> = &'a [u8];

/// Where a line's texts are that had escapes, while the request that shows them lasts. Nothing is allocated for the
/// lines that have none, as nearly all.
#[derive(Debug, Default)]
pub struct Unescaped {
    kept: OnceCell<Box<Kept>>,
}

#[derive(Debug)]
struct Kept {
    text: Vec<u8>,
    next: Unescaped,
}

impl Unescaped {
    /// Keeps a text. Meant for the few that a line may have.
    pub fn keep(&self, text: Vec<u8>) -> &[u8] {
        let mut end = self;
        while let Some(kept) = end.kept.get() {
            end = &kept.next;
        }
        &end.kept.get_or_init(|| Box::new(Kept { text, next: Self::default() })).text
    }
}

/// One request, parsed. The five plain fields are required; every `Option` costs a feature when absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// When the request began.
    pub start: Timestamp,
    /// The client's address as logged; not yet un-mapped from `::ffff:a.b.c.d`.
    pub address: IpAddr,
    /// Path with query string, as logged; may be an absolute URL.
    pub url: Text<'a>,
    pub status: u16,
    /// Bytes of the body that were written to the client.
    pub body_bytes: ByteCount,

    /// The CDN's request id, for telling re-deliveries.
    pub id: Option<Text<'a>>,
    pub elapsed_us: Option<u64>,
    pub method: Option<Text<'a>>,
    pub host: Option<Text<'a>>,
    /// The request's `Range` header, understood.
    pub range: Option<RequestedRange>,
    /// The response's `Content-Range` header, understood; one that cannot be read is absent.
    pub content_range: Option<ContentRange>,
    /// Whether the CDN sent the whole response.
    pub completed: Option<bool>,
    pub user_agent: Option<Text<'a>>,
    pub referer: Option<Text<'a>>,
    pub country: Country,
    pub region: Option<Text<'a>>,
    /// Autonomous system number of the client's network.
    pub asn: Option<u32>,
    /// Fastly's `client.geo.proxy_type`.
    pub proxy_type: Option<Text<'a>>,
    /// Fastly's `client.geo.proxy_description`.
    pub proxy_description: Option<Text<'a>>,
    /// The CDN's point of presence.
    pub pop: Option<Text<'a>>,
    /// Cache state, such as `HIT` or `MISS-CLUSTER`.
    pub cache_state: Option<Text<'a>>,
    /// True where the line was logged at the edge, false at a shield.
    pub edge: Option<bool>,
    /// True for the inner requests of Fastly's segmented caching.
    pub inner: Option<bool>,
}

impl Request<'_> {
    /// When the request ended, as far as the line tells: its start where it has no duration.
    pub fn end(&self) -> Timestamp {
        self.start.plus_micros(self.elapsed_us.unwrap_or(0))
    }
}

/// What a `Range` request header asks for (RFC 9110 §14.2). Positions are inclusive, as in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestedRange {
    /// Exactly `bytes=0-1`, to the letter: how Apple's players ask whether ranges are supported.
    Probe,
    /// `bytes=first-last`; `last < first` is kept as it stands.
    Between { first: u64, last: u64 },
    /// `bytes=first-`
    From { first: u64 },
    /// `bytes=-length`: the file's last bytes.
    Suffix { length: u64 },
    /// Several ranges, another unit, or nothing that can be read.
    Other,
}

/// A response's `Content-Range: bytes first-last/total` (RFC 9110 §14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// First and last position, inclusive; absent in `bytes */total`.
    pub positions: Option<(u64, u64)>,
    /// The file's size; absent in `bytes first-last/*`.
    pub total: Option<u64>,
}

/// Why a line cannot be read. In the order of precedence: where several apply, the first is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Defect {
    /// Longer than the line bound.
    TooLong,
    /// Begins as a syslog prefix that does not end as one.
    BadPrefix,
    /// Not one JSON object.
    BadJson,
    /// Does not match the configured format.
    BadRecord,
    /// Without time, address, path, status or body bytes.
    MissingField,
    BadTime,
    BadAddress,
    BadNumber,
    /// A version of the JSON line that is not known.
    UnknownVersion,
    /// Cut short by a closing connection.
    Truncated,
}

impl Defect {
    pub const ALL: [Self; 10] = [
        Self::TooLong,
        Self::BadPrefix,
        Self::BadJson,
        Self::BadRecord,
        Self::MissingField,
        Self::BadTime,
        Self::BadAddress,
        Self::BadNumber,
        Self::UnknownVersion,
        Self::Truncated,
    ];

    /// The name in tables, metrics and `explain`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::BadPrefix => "bad_prefix",
            Self::BadJson => "bad_json",
            Self::BadRecord => "bad_record",
            Self::MissingField => "missing_field",
            Self::BadTime => "bad_time",
            Self::BadAddress => "bad_address",
            Self::BadNumber => "bad_number",
            Self::UnknownVersion => "unknown_version",
            Self::Truncated => "truncated",
        }
    }
}

/// A line that could not be read: why, and what of it could still be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub defect: Defect,
    /// Where the line had a readable start, its day is known; else it belongs to the day of its receipt.
    pub start: Option<Timestamp>,
}

impl From<Defect> for Malformed {
    fn from(defect: Defect) -> Self {
        Self { defect, start: None }
    }
}
