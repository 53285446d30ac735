//! A request while its line is being read.
//!
//! Every format puts its values in here, in whatever order the line has them, and [`Draft::finish`] decides
//! what the line is: a request, or the first defect in the order of [`Defect`]. What is optional and cannot be
//! read is absent and never costs the line.

use std::net::IpAddr;

use super::meaning::{Meaning, Rank};
use super::range::{content_range, requested_range};
use super::strftime::Parts;
use super::time;
use super::value::{self, Kind, Reading, Value};
use crate::event::{Defect, Malformed, Request, Text, Unescaped};
use crate::units::{ByteCount, Country, Timestamp};

/// The values seen so far, each as it stands in the line; read only when the line is complete.
#[derive(Clone, Debug)]
pub(super) struct Draft<'a> {
    /// By [`Meaning::slot`].
    slots: [Slot<'a>; Meaning::SLOTS],
    /// What a format's own time patterns have read of the start.
    pub(super) start_parts: Option<Parts>,
}

/// A [`Value`] with what it is for, without the gaps that one within the other would have.
#[derive(Clone, Copy, Debug)]
struct Slot<'a> {
    text: &'a [u8],
    kind: Kind,
    meaning: Meaning,
    rank: Rank,
}

impl<'a> Slot<'a> {
    #[inline(always)]
    fn value(&self) -> Value<'a> {
        Value { kind: self.kind, text: self.text }
    }
}

/// The fields that every request has.
struct Required<'a> {
    start: Timestamp,
    address: IpAddr,
    url: Text<'a>,
    status: u16,
    body_bytes: ByteCount,
}

impl<'a> Draft<'a> {
    pub(super) fn new() -> Self {
        const EMPTY: Slot<'static> =
            Slot { text: b"", kind: Kind::Absent, meaning: Meaning::Version, rank: Rank::Spare };
        // Copied as a whole, which is faster than made one by one.
        static SLOTS: [Slot<'static>; Meaning::SLOTS] = [EMPTY; Meaning::SLOTS];
        Self { slots: SLOTS, start_parts: None }
    }

    /// Puts a value in, unless there is one of higher rank.
    #[inline]
    pub(super) fn set(&mut self, meaning: Meaning, rank: Rank, value: Value<'a>) {
        let slot = &mut self.slots[meaning.slot()];
        if rank >= slot.rank {
            *slot = Slot { text: value.text, kind: value.kind, meaning, rank };
        }
    }

    /// The request, or why it is none.
    pub(super) fn finish(&self, room: &'a Unescaped) -> Result<Request<'a>, Malformed> {
        let Required { start, address, url, status, body_bytes } = self.required(room)?;
        Ok(Request {
            start,
            address,
            url,
            status,
            body_bytes,
            id: self.get(Meaning::Id).text(room),
            elapsed_us: self.elapsed_us(),
            method: self.get(Meaning::Method).text(room),
            host: self.get(Meaning::Host).text(room),
            range: self.get(Meaning::Range).text(room).map(requested_range),
            content_range: self.get(Meaning::ContentRange).read(content_range).good(),
            completed: self.get(Meaning::Completed).read(value::boolean).good(),
            user_agent: self.get(Meaning::UserAgent).text(room),
            referer: self.get(Meaning::Referer).text(room),
            country: self.get(Meaning::Country).text(room).map_or(Country::UNKNOWN, Country::parse),
            region: self.get(Meaning::Region).text(room),
            asn: self.get(Meaning::Asn).read(|text| value::number(text)?.try_into().ok()).good(),
            proxy_type: self.get(Meaning::ProxyType).text(room),
            proxy_description: self.get(Meaning::ProxyDescription).text(room),
            pop: self.pop(room),
            cache_state: self.get(Meaning::CacheState).text(room),
            edge: self.edge(),
            inner: self.get(Meaning::Inner).read(value::boolean).good(),
        })
    }

    /// What no line can do without; else the defect that comes first, whatever is wrong first in the line.
    fn required(&self, room: &'a Unescaped) -> Result<Required<'a>, Malformed> {
        use Reading::{Absent, Bad, Good};
        let start = self.start();
        let address = self.get(Meaning::Address).read(value::address);
        let url = self.get(Meaning::Url).text(room);
        let status = self.get(Meaning::Status).read(value::status);
        let bytes = self.get(Meaning::BodyBytes).read(value::byte_count);
        let version = self.get(Meaning::Version).read(|text| (text == b"1").then_some(()));
        let malformed = |defect| Err(Malformed { defect, start: start.good() });
        match (start, address, url, status, bytes) {
            (Good(start), Good(address), Some(url), Good(status), Good(bytes)) if version != Bad => {
                Ok(Required { start, address, url, status, body_bytes: ByteCount(bytes) })
            }
            (Absent, ..) | (_, Absent, ..) | (_, _, None, ..) | (.., Absent, _) | (.., Absent) => {
                malformed(Defect::MissingField)
            }
            (Bad, ..) => malformed(Defect::BadTime),
            (_, Bad, ..) => malformed(Defect::BadAddress),
            (.., Bad, _) | (.., Bad) => malformed(Defect::BadNumber),
            _ => malformed(Defect::UnknownVersion),
        }
    }

    /// The value of the field that `meaning` gives, whatever meaning it came by.
    fn get(&self, meaning: Meaning) -> Value<'a> {
        self.slots[meaning.slot()].value()
    }

    fn start(&self) -> Reading<Timestamp> {
        let slot = &self.slots[Meaning::Start.slot()];
        match slot.meaning {
            Meaning::StartMicroseconds => slot.value().read(time::in_microseconds),
            Meaning::StartParts => slot.value().read(|_| self.start_parts?.instant()),
            _ => slot.value().read(time::any),
        }
    }

    fn elapsed_us(&self) -> Option<u64> {
        let slot = &self.slots[Meaning::ElapsedMicroseconds.slot()];
        match slot.meaning {
            Meaning::ElapsedMilliseconds => slot.value().read(value::number).good()?.checked_mul(1_000),
            Meaning::ElapsedSeconds => slot.value().read(time::seconds_as_micros).good(),
            _ => slot.value().read(value::number).good(),
        }
    }

    fn edge(&self) -> Option<bool> {
        let slot = &self.slots[Meaning::Edge.slot()];
        match slot.meaning {
            Meaning::VisitsBefore => slot.value().read(value::number).good().map(|visits| visits == 0),
            Meaning::ForwardedBy => Some(!slot.value().is_text()),
            _ => slot.value().read(value::boolean).good(),
        }
    }

    fn pop(&self, room: &'a Unescaped) -> Option<Text<'a>> {
        let slot = &self.slots[Meaning::Pop.slot()];
        match slot.meaning {
            Meaning::Server => slot.value().text(room).map(after_last_hyphen),
            _ => slot.value().text(room),
        }
    }
}

/// `cache-fra-etou8220082-FRA` → `FRA`
fn after_last_hyphen(server: Text<'_>) -> Text<'_> {
    let from = memchr::memrchr(b'-', server).map_or(0, |hyphen| hyphen + 1);
    &server[from..]
}
