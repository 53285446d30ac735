//! What one value of a line is, and how it is to be read.
//!
//! A closed set shared by all formats: the JSON keys and the directives of a format string both map to
//! these. Several may give the same field (a line can hold its start twice); then the higher [`Rank`] wins.

use super::field::Field;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The start, in whatever form; numbers by their size.
    Start,
    StartMicroseconds,
    /// The start, or parts of it, in a form of its own that was read already.
    StartParts,
    Address,
    Url,
    Status,
    BodyBytes,
    Id,
    ElapsedMicroseconds,
    ElapsedMilliseconds,
    /// With or without a decimal fraction.
    ElapsedSeconds,
    Method,
    Host,
    Range,
    ContentRange,
    Completed,
    UserAgent,
    Referer,
    Country,
    Region,
    Asn,
    ProxyType,
    ProxyDescription,
    Pop,
    /// `cache-fra-etou8220082-FRA`: the point of presence is what follows the last hyphen.
    Server,
    CacheState,
    Edge,
    /// How many of the service's own nodes the request came through before: none at the edge.
    VisitsBefore,
    /// The `Fastly-FF` header, which is absent at the edge.
    ForwardedBy,
    Inner,
    /// The version of the JSON line.
    Version,
}

impl Meaning {
    /// One for each field, and one for the version.
    pub(super) const SLOTS: usize = Field::ALL.len() + 1;

    /// A number for what it gives: the same for all that give the same field.
    #[inline]
    pub(super) const fn slot(self) -> usize {
        match self.field() {
            Some(field) => field as usize,
            None => Self::SLOTS - 1,
        }
    }

    /// The field it gives; the version is none.
    pub(super) const fn field(self) -> Option<Field> {
        Some(match self {
            Self::Start | Self::StartMicroseconds | Self::StartParts => Field::Start,
            Self::Address => Field::Address,
            Self::Url => Field::Url,
            Self::Status => Field::Status,
            Self::BodyBytes => Field::BodyBytes,
            Self::Id => Field::Id,
            Self::ElapsedMicroseconds | Self::ElapsedMilliseconds | Self::ElapsedSeconds => Field::Elapsed,
            Self::Method => Field::Method,
            Self::Host => Field::Host,
            Self::Range => Field::Range,
            Self::ContentRange => Field::ContentRange,
            Self::Completed => Field::Completed,
            Self::UserAgent => Field::UserAgent,
            Self::Referer => Field::Referer,
            Self::Country => Field::Country,
            Self::Region => Field::Region,
            Self::Asn => Field::Asn,
            Self::ProxyType => Field::ProxyType,
            Self::ProxyDescription => Field::ProxyDescription,
            Self::Pop | Self::Server => Field::Pop,
            Self::CacheState => Field::CacheState,
            Self::Edge | Self::VisitsBefore | Self::ForwardedBy => Field::Edge,
            Self::Inner => Field::Inner,
            Self::Version => return None,
        })
    }
}

/// Which of two values for one field is taken. Of equals, the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Better than nothing.
    Spare,
    Usual,
    /// What the field is named for.
    Best,
}
