//! A request while its line is being read.
//!
//! Every format puts its values in here, in whatever order the line has them, and [`Draft::finish`] decides
//! what the line is: a request, or the first defect in the order of [`Defect`]. What is optional and cannot be
//! read is absent and never costs the line.

use std::borrow::Cow;
use std::net::IpAddr;

use super::field::Field;
use super::meaning::{Meaning, Rank};
use super::range::{content_range, requested_range};
use super::time;
use super::value::{self, Reading, Value};
use crate::event::{ContentRange, Defect, Malformed, Request, RequestedRange, Text};
use crate::units::{ByteCount, Country, Timestamp};

/// The values read so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft<'a> {
    /// The rank of the value that each field has, by [`Field`].
    ranks: [Option<Rank>; Field::ALL.len()],
    version: Reading<()>,
    start: Reading<Timestamp>,
    address: Reading<IpAddr>,
    url: Option<Text<'a>>,
    status: Reading<u16>,
    body_bytes: Reading<u64>,
    id: Option<Text<'a>>,
    elapsed_us: Option<u64>,
    method: Option<Text<'a>>,
    host: Option<Text<'a>>,
    range: Option<RequestedRange>,
    content_range: Option<ContentRange>,
    completed: Option<bool>,
    user_agent: Option<Text<'a>>,
    referer: Option<Text<'a>>,
    country: Country,
    region: Option<Text<'a>>,
    asn: Option<u32>,
    proxy_type: Option<Text<'a>>,
    proxy_description: Option<Text<'a>>,
    pop: Option<Text<'a>>,
    cache_state: Option<Text<'a>>,
    edge: Option<bool>,
    inner: Option<bool>,
}

impl<'a> Draft<'a> {
    /// Puts a value in, unless its field has one of higher rank.
    #[inline]
    pub(super) fn set(&mut self, meaning: Meaning, rank: Rank, value: Value<'a>) {
        if let Some(field) = meaning.field() {
            let known = &mut self.ranks[field as usize];
            if *known > Some(rank) {
                return;
            }
            *known = Some(rank);
        }
        match meaning {
            Meaning::Version => self.version = value.read(|text| (text == b"1").then_some(())),
            Meaning::Start => self.start = value.read(time::any),
            Meaning::StartMicroseconds => self.start = value.read(time::in_microseconds),
            Meaning::Address => self.address = value.read(value::address),
            Meaning::Url => self.url = value.text(),
            Meaning::Status => self.status = value.read(value::status),
            Meaning::BodyBytes => self.body_bytes = value.read(value::number),
            Meaning::Id => self.id = value.text(),
            Meaning::ElapsedMicroseconds => self.elapsed_us = value.read(value::number).good(),
            Meaning::Method => self.method = value.text(),
            Meaning::Host => self.host = value.text(),
            Meaning::Range => self.range = value.text().map(|header| requested_range(&header)),
            Meaning::ContentRange => self.content_range = value.read(content_range).good(),
            Meaning::Completed => self.completed = value.read(value::boolean).good(),
            Meaning::UserAgent => self.user_agent = value.text(),
            Meaning::Referer => self.referer = value.text(),
            Meaning::Country => {
                self.country = value.text().map_or(Country::UNKNOWN, |code| Country::parse(&code))
            }
            Meaning::Region => self.region = value.text(),
            Meaning::Asn => self.asn = value.read(|text| value::number(text)?.try_into().ok()).good(),
            Meaning::ProxyType => self.proxy_type = value.text(),
            Meaning::ProxyDescription => self.proxy_description = value.text(),
            Meaning::Pop => self.pop = value.text(),
            Meaning::Server => self.pop = value.text().map(after_last_hyphen),
            Meaning::CacheState => self.cache_state = value.text(),
            Meaning::Edge => self.edge = value.read(value::boolean).good(),
            Meaning::Inner => self.inner = value.read(value::boolean).good(),
        }
    }

    /// The request, or why it is none.
    pub(super) fn finish(self) -> Result<Request<'a>, Malformed> {
        let malformed = Malformed { defect: self.first_defect(), start: self.start.good() };
        let required = (self.start, self.address, self.url, self.status, self.body_bytes);
        let (
            Reading::Good(start),
            Reading::Good(address),
            Some(url),
            Reading::Good(status),
            Reading::Good(bytes),
        ) = required
        else {
            return Err(malformed);
        };
        if self.version == Reading::Bad {
            return Err(malformed);
        }
        Ok(Request {
            start,
            address,
            url,
            status,
            body_bytes: ByteCount(bytes),
            id: self.id,
            elapsed_us: self.elapsed_us,
            method: self.method,
            host: self.host,
            range: self.range,
            content_range: self.content_range,
            completed: self.completed,
            user_agent: self.user_agent,
            referer: self.referer,
            country: self.country,
            region: self.region,
            asn: self.asn,
            proxy_type: self.proxy_type,
            proxy_description: self.proxy_description,
            pop: self.pop,
            cache_state: self.cache_state,
            edge: self.edge,
            inner: self.inner,
        })
    }

    /// The defect that comes first in the order of [`Defect`], of a line that has one.
    fn first_defect(&self) -> Defect {
        let missing = self.start == Reading::Absent
            || self.address == Reading::Absent
            || self.url.is_none()
            || self.status == Reading::Absent
            || self.body_bytes == Reading::Absent;
        if missing {
            Defect::MissingField
        } else if self.start == Reading::Bad {
            Defect::BadTime
        } else if self.address == Reading::Bad {
            Defect::BadAddress
        } else if self.status == Reading::Bad || self.body_bytes == Reading::Bad {
            Defect::BadNumber
        } else {
            Defect::UnknownVersion
        }
    }
}

/// `cache-fra-etou8220082-FRA` → `FRA`
fn after_last_hyphen(server: Text<'_>) -> Text<'_> {
    let from = memchr::memrchr(b'-', &server).map_or(0, |hyphen| hyphen + 1);
    match server {
        Cow::Borrowed(server) => Cow::Borrowed(&server[from..]),
        Cow::Owned(server) => Cow::Owned(server[from..].to_vec()),
    }
}
