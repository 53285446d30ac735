//! What the keys of the JSON lines mean.
//!
//! Two families, told apart line by line by their names: castmeter's version 1 and Fastly's own default JSON
//! format, to which the names that other published formats use for the same facts are added. Where a line has
//! both, version 1 wins, whatever comes first. Keys that are not here are skipped.

use crate::parser::meaning::{Meaning, Rank};

/// What a key is, and how it ranks among keys for the same field. A `match` on the bytes: the compiler makes a decision tree of it.
pub(super) fn meaning_of(key: &[u8]) -> Option<(Meaning, Rank)> {
    use Meaning as M;
    use Rank::{Best, Spare, Usual};
    Some(match key {
        b"v" => (M::Version, Best),
        b"id" => (M::Id, Best),
        b"start_us" => (M::StartMicroseconds, Best),
        b"elapsed_us" => (M::ElapsedMicroseconds, Best),
        b"ip" => (M::Address, Best),
        b"method" => (M::Method, Best),
        b"host" => (M::Host, Best),
        b"url" => (M::Url, Best),
        b"range" => (M::Range, Best),
        b"status" => (M::Status, Best),
        b"body_bytes" => (M::BodyBytes, Best),
        b"content_range" => (M::ContentRange, Best),
        b"completed" => (M::Completed, Best),
        b"ua" => (M::UserAgent, Best),
        b"referer" => (M::Referer, Best),
        b"country" => (M::Country, Best),
        b"region" => (M::Region, Best),
        b"asn" => (M::Asn, Best),
        b"proxy_type" => (M::ProxyType, Best),
        b"proxy_desc" => (M::ProxyDescription, Best),
        b"pop" => (M::Pop, Best),
        b"state" => (M::CacheState, Best),
        b"edge" => (M::Edge, Best),
        b"inner" => (M::Inner, Best),

        b"timestamp" => (M::Start, Usual),
        b"client_ip" => (M::Address, Usual),
        b"request_method" => (M::Method, Usual),
        b"request_referer" => (M::Referer, Usual),
        b"request_user_agent" => (M::UserAgent, Usual),
        b"request_range" => (M::Range, Usual),
        b"response_state" => (M::CacheState, Usual),
        b"response_status" => (M::Status, Usual),
        b"response_body_size" => (M::BodyBytes, Usual),
        b"response_content_range" => (M::ContentRange, Usual),
        b"response_completed" => (M::Completed, Usual),
        b"fastly_server" => (M::Server, Usual),
        b"fastly_is_edge" => (M::Edge, Usual),
        b"geo_country_code" => (M::Country, Usual),
        // Mostly a name in lower case, which is no code.
        b"geo_country" => (M::Country, Spare),
        b"geo_region" => (M::Region, Usual),

        b"response_body_size_bytes" => (M::BodyBytes, Spare),
        b"request_duration_usec" => (M::ElapsedMicroseconds, Usual),
        b"fastly_pop_identifier" => (M::Pop, Spare),
        _ => return None,
    })
}
