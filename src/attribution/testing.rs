//! Requests for the tests of this room and of those that build on it.

use std::net::{IpAddr, Ipv4Addr};

use super::Episode;
use crate::event::Request;
use crate::units::{ByteCount, Country, Timestamp};

/// A whole, completed GET of 2,000,000 bytes by one iPhone at 2026-11-01T12:00:00Z.
pub fn request(url: &str) -> Request<'_> {
    Request {
        start: Timestamp::from_seconds(1_793_534_400).expect("in range"),
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        url: url.as_bytes(),
        status: 200,
        body_bytes: ByteCount(2_000_000),
        id: None,
        elapsed_us: None,
        method: Some(b"GET"),
        host: None,
        range: None,
        content_range: None,
        completed: Some(true),
        user_agent: Some(b"AppleCoreMedia/1.0.0.14A403 (iPhone; U; CPU OS 10_0_1 like Mac OS X; en_ca)"),
        referer: None,
        country: Country::UNKNOWN,
        region: None,
        asn: None,
        proxy_type: None,
        proxy_description: None,
        pop: None,
        cache_state: None,
        edge: Some(true),
        inner: Some(false),
    }
}

/// An episode of which nothing but its place is known.
pub fn episode(show: &str, slug: &str, path: &str) -> Episode {
    Episode {
        show: show.to_owned(),
        show_title: String::new(),
        slug: slug.to_owned(),
        title: String::new(),
        path: path.to_owned(),
        host: None,
        size: None,
        duration_ms: None,
        audio_start: 0,
        published_at: None,
        chapters: None,
    }
}
