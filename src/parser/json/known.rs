//! What the keys of the JSON lines mean.
//!
//! Two families, told apart line by line by their names: castmeter's version 1 and Fastly's own default JSON
//! format, to which the names that other published formats use for the same facts are added. Where a line has
//! both, version 1 wins, whatever comes first. Each family is in the order in which its lines have it.

use super::keys::{Keys, Target};
use crate::parser::Origin;
use crate::parser::meaning::{Meaning, Rank};

/// Version 1.
const VERSION_1: [(&str, Meaning); 24] = [
    ("v", Meaning::Version),
    ("id", Meaning::Id),
    ("start_us", Meaning::StartMicroseconds),
    ("elapsed_us", Meaning::ElapsedMicroseconds),
    ("ip", Meaning::Address),
    ("method", Meaning::Method),
    ("host", Meaning::Host),
    ("url", Meaning::Url),
    ("range", Meaning::Range),
    ("status", Meaning::Status),
    ("body_bytes", Meaning::BodyBytes),
    ("content_range", Meaning::ContentRange),
    ("completed", Meaning::Completed),
    ("ua", Meaning::UserAgent),
    ("referer", Meaning::Referer),
    ("country", Meaning::Country),
    ("region", Meaning::Region),
    ("asn", Meaning::Asn),
    ("proxy_type", Meaning::ProxyType),
    ("proxy_desc", Meaning::ProxyDescription),
    ("pop", Meaning::Pop),
    ("state", Meaning::CacheState),
    ("edge", Meaning::Edge),
    ("inner", Meaning::Inner),
];

/// Fastly's default. `host` and `url` are called the same in both families, and found there.
const FASTLY_DEFAULT: [(&str, Option<Meaning>); 14] = [
    ("timestamp", Some(Meaning::Start)),
    ("client_ip", Some(Meaning::Address)),
    ("geo_country", Some(Meaning::Country)),
    ("geo_city", None),
    ("request_method", Some(Meaning::Method)),
    ("request_protocol", None),
    ("request_referer", Some(Meaning::Referer)),
    ("request_user_agent", Some(Meaning::UserAgent)),
    ("response_state", Some(Meaning::CacheState)),
    ("response_status", Some(Meaning::Status)),
    ("response_reason", None),
    ("response_body_size", Some(Meaning::BodyBytes)),
    ("fastly_server", Some(Meaning::Server)),
    ("fastly_is_edge", Some(Meaning::Edge)),
];

/// What people add to the default format, by the names of its own kind.
const FASTLY_ADDED: [(&str, Meaning); 9] = [
    ("request_range", Meaning::Range),
    ("response_content_range", Meaning::ContentRange),
    ("response_completed", Meaning::Completed),
    ("response_body_size_bytes", Meaning::BodyBytes),
    ("request_duration_usec", Meaning::ElapsedMicroseconds),
    // `geo_country` is mostly a name, which is no code.
    ("geo_country_code", Meaning::Country),
    ("geo_region", Meaning::Region),
    ("client_as_number", Meaning::Asn),
    ("fastly_pop_identifier", Meaning::Pop),
];

/// All of them.
pub(in crate::parser) fn known_keys() -> Keys {
    let mut keys = Keys::new();
    for (name, meaning) in VERSION_1 {
        keys.push(name.as_bytes(), Target::Value(meaning, Rank::Best));
    }
    for (name, meaning) in FASTLY_DEFAULT {
        let target = meaning.map_or(Target::Nothing, |meaning| Target::Value(meaning, Rank::Spare));
        keys.push(name.as_bytes(), target);
    }
    for (name, meaning) in FASTLY_ADDED {
        keys.push(name.as_bytes(), Target::Value(meaning, Rank::Usual));
    }
    keys
}

/// The keys that give each field.
pub(in crate::parser) fn known_origins() -> Vec<Origin> {
    let fastly = FASTLY_DEFAULT.into_iter().filter_map(|(name, meaning)| Some((name, meaning?)));
    let mut origins: Vec<Origin> = VERSION_1
        .into_iter()
        .chain(fastly)
        .chain(FASTLY_ADDED)
        .filter_map(|(name, meaning)| Some(Origin { field: meaning.field()?, source: name.to_owned() }))
        .collect();
    origins.sort_by_key(|origin| origin.field);
    origins
}
