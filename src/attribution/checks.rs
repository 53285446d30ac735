//! The checks that need nothing but the request and the operator's lists.

use super::fate::Reason;
use super::listener::ClientAddress;
use super::policy::Lists;
use crate::event::{Request, RequestedRange, Text};

/// Body bytes up to which a 206 without a logged range is a probe (IAB §5.5.2-6).
const MAX_PROBE_BYTES: u64 = 2;

/// Fastly's word for a hosting provider's network.
pub const HOSTING: &[u8] = b"hosting";
/// Fastly's words for what hides a listener's network, and how the exclusion ledger calls them.
pub const VPN_KINDS: [(&[u8], &str); 3] = [
    (b"vpn", "proxy_description=vpn"),
    (b"tor-exit", "proxy_description=tor-exit"),
    (b"tor-relay", "proxy_description=tor-relay"),
];

/// Method, status, probe, empty: the reasons that lie in the exchange itself.
pub fn check_response(request: &Request<'_>) -> Option<Reason> {
    if request.method.is_some_and(|method| method != b"GET") {
        return Some(Reason::Method);
    }
    if !matches!(request.status, 200 | 206) {
        return Some(Reason::Status);
    }
    let is_probe = match request.range {
        Some(range) => range == RequestedRange::Probe,
        None => request.status == 206 && request.body_bytes.0 <= MAX_PROBE_BYTES,
    };
    if is_probe {
        return Some(Reason::Probe);
    }
    (request.body_bytes.0 == 0).then_some(Reason::Empty)
}

/// Fastly says so, or a list does. iCloud Private Relay is exempt from the lists: people listen through it.
pub fn is_datacenter(request: &Request<'_>, address: ClientAddress, lists: &Lists) -> bool {
    if is(request.proxy_type, HOSTING) {
        return true;
    }
    let private_relay =
        is(request.proxy_description, b"apple") && is(request.proxy_type, b"consumer-privacy");
    !private_relay && lists.datacenters.contains(address, request.asn)
}

pub fn is_vpn(request: &Request<'_>) -> bool {
    let is_kind = |description: &[u8]| VPN_KINDS.iter().any(|(kind, _)| *kind == description);
    request.proxy_description.is_some_and(is_kind)
}

fn is(field: Option<Text<'_>>, value: &[u8]) -> bool {
    field == Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::testing::request;
    use crate::units::ByteCount;

    #[test]
    fn exchanges() {
        let check = |method: Option<&'static str>, status, range, body, expected| {
            let request = Request {
                method: method.map(str::as_bytes),
                status,
                range,
                body_bytes: ByteCount(body),
                ..request("/a.mp3")
            };
            assert_eq!(check_response(&request), expected, "{request:?}");
        };
        let open = Some(RequestedRange::From { first: 0 });
        check(Some("GET"), 200, None, 1, None);
        check(None, 200, None, 1, None);
        check(Some("HEAD"), 404, None, 0, Some(Reason::Method));
        check(Some("get"), 200, None, 1, Some(Reason::Method));
        check(Some("GET"), 404, None, 0, Some(Reason::Status));
        check(Some("GET"), 304, None, 0, Some(Reason::Status));
        check(Some("GET"), 206, Some(RequestedRange::Probe), 900, Some(Reason::Probe));
        check(Some("GET"), 200, Some(RequestedRange::Probe), 900, Some(Reason::Probe));
        check(Some("GET"), 206, None, 2, Some(Reason::Probe));
        check(Some("GET"), 206, None, 0, Some(Reason::Probe));
        check(Some("GET"), 206, None, 3, None);
        check(Some("GET"), 206, open, 2, None);
        check(Some("GET"), 206, open, 0, Some(Reason::Empty));
        check(Some("GET"), 200, None, 0, Some(Reason::Empty));
    }

    #[test]
    fn proxies_and_lists() {
        let mut lists = Lists::default();
        lists.datacenters.add("192.0.2.0/24").unwrap();
        let text = |value: &'static str| (!value.is_empty()).then_some(value.as_bytes());
        for (kind, description, address, datacenter, vpn) in [
            ("", "", "198.51.100.1", false, false),
            ("", "", "192.0.2.1", true, false),
            ("hosting", "", "198.51.100.1", true, false),
            ("hosting", "apple", "198.51.100.1", true, false),
            ("consumer-privacy", "apple", "192.0.2.1", false, false),
            ("consumer-privacy", "vpn", "192.0.2.1", true, true),
            ("anonymous", "tor-exit", "198.51.100.1", false, true),
            ("anonymous", "tor-relay", "198.51.100.1", false, true),
        ] {
            let request =
                Request { proxy_type: text(kind), proxy_description: text(description), ..request("/a.mp3") };
            let address = ClientAddress::new(address.parse().unwrap());
            assert_eq!(is_datacenter(&request, address, &lists), datacenter, "{kind} {description}");
            assert_eq!(is_vpn(&request), vpn, "{kind} {description}");
        }
    }
}
