//! By which rule a line was left out: the list with its version and the pattern or network in it, or the field with its
//! value. Where the reason says all there is to say, there is no rule.

use super::checks::{HOSTING, VPN_KINDS};
use super::fate::Reason;
use super::labels::LabelSet;
use super::listener::ClientAddress;
use super::networks::NetworkList;
use super::policy::Lists;
use super::user_agents::KnownAgent;
use crate::event::Request;
use crate::units::LabelId;

/// The rule, interned in `rules`. `agent` is known where the reasons before its own do not apply.
pub fn rule(
    reason: Reason,
    request: &Request<'_>,
    address: ClientAddress,
    agent: Option<KnownAgent>,
    lists: &Lists,
    rules: &mut LabelSet,
) -> LabelId {
    let listed = |list: &NetworkList, rules: &mut LabelSet| {
        list.find(address, request.asn)
            .map_or(LabelId::ABSENT, |entry| rules.intern(entry.to_string().as_bytes()))
    };
    match reason {
        Reason::Bot => agent.and_then(|agent| agent.bot).unwrap_or(LabelId::ABSENT),
        Reason::Datacenter if request.proxy_type == Some(HOSTING) => rules.intern(b"proxy_type=hosting"),
        Reason::Datacenter => listed(&lists.datacenters, rules),
        Reason::Vpn => VPN_KINDS
            .into_iter()
            .find(|(kind, _)| request.proxy_description == Some(*kind))
            .map_or(LabelId::ABSENT, |(_, rule)| rules.intern(rule.as_bytes())),
        Reason::Blocked => {
            agent.and_then(|agent| agent.blocked).unwrap_or_else(|| listed(&lists.blocked, rules))
        }
        _ => LabelId::ABSENT,
    }
}
