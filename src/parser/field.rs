//! Which facts about a request a log format can give.
//!
//! A closed set, one for each field of [`Request`](crate::event::Request), so that a configuration can be
//! checked for what it will and will not be able to count before the first line arrives.

/// One field of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Start,
    Address,
    Url,
    Status,
    BodyBytes,
    Id,
    Elapsed,
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
    CacheState,
    Edge,
    Inner,
}

impl Field {
    pub const ALL: [Self; 23] = [
        Self::Start,
        Self::Address,
        Self::Url,
        Self::Status,
        Self::BodyBytes,
        Self::Id,
        Self::Elapsed,
        Self::Method,
        Self::Host,
        Self::Range,
        Self::ContentRange,
        Self::Completed,
        Self::UserAgent,
        Self::Referer,
        Self::Country,
        Self::Region,
        Self::Asn,
        Self::ProxyType,
        Self::ProxyDescription,
        Self::Pop,
        Self::CacheState,
        Self::Edge,
        Self::Inner,
    ];

    /// Without these a line is malformed; without the others it only tells less.
    pub const REQUIRED: [Self; 5] = [Self::Start, Self::Address, Self::Url, Self::Status, Self::BodyBytes];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start time",
            Self::Address => "client address",
            Self::Url => "path",
            Self::Status => "status",
            Self::BodyBytes => "body bytes",
            Self::Id => "request id",
            Self::Elapsed => "elapsed time",
            Self::Method => "method",
            Self::Host => "host",
            Self::Range => "Range",
            Self::ContentRange => "Content-Range",
            Self::Completed => "completed",
            Self::UserAgent => "user agent",
            Self::Referer => "referer",
            Self::Country => "country",
            Self::Region => "region",
            Self::Asn => "AS number",
            Self::ProxyType => "proxy type",
            Self::ProxyDescription => "proxy description",
            Self::Pop => "point of presence",
            Self::CacheState => "cache state",
            Self::Edge => "edge or shield",
            Self::Inner => "inner segment",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldSet(u32);

impl FieldSet {
    pub const EMPTY: Self = Self(0);

    pub fn contains(self, field: Field) -> bool {
        self.0 & field.bit() != 0
    }

    pub fn insert(&mut self, field: Field) {
        self.0 |= field.bit();
    }

    /// Its members, in the order of [`Field::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.into_iter().filter(move |field| self.contains(*field))
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        let mut set = Self::EMPTY;
        fields.into_iter().for_each(|field| set.insert(field));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_bit_and_a_name_of_its_own() {
        let all: FieldSet = Field::ALL.into_iter().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), Field::ALL);
        let mut names = Field::ALL.map(Field::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Field::ALL.len());
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: FieldSet = [Field::Inner, Field::Start].into_iter().collect();
        assert!(set.contains(Field::Start) && !set.contains(Field::Range));
        assert_eq!(set.iter().collect::<Vec<_>>(), [Field::Start, Field::Inner]);
    }
}
