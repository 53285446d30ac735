//! What can be told of a line without any other: its episode, its listener, why it would not be counted.
//!
//! The checks stand in the order of their precedence; the first that applies is the reason. Two reasons need other lines,
//! and are left to counting: an id that came before, which precedes all that are found here, and a day that is closed,
//! which all of them precede.

use super::Engine;
use crate::attribution::checks::{check_response, is_datacenter, is_vpn};
use crate::attribution::delivery::{Delivery, shown_size};
use crate::attribution::exclusion::rule;
use crate::attribution::fate::Reason;
use crate::attribution::listener::{Client, ClientAddress, spread};
use crate::attribution::origin::Origin;
use crate::attribution::outcome::{Exclusion, Receipt, Traffic};
use crate::attribution::path::{percent_decoded, raw_path};
use crate::attribution::redelivery::IdHash;
use crate::attribution::referrer::Referrer;
use crate::attribution::registry::Resolved;
use crate::attribution::subscribers::{Reported, reported};
use crate::attribution::user_agents::KnownAgent;
use crate::event::{Malformed, Request};
use crate::units::{AgentId, ByteCount, EpisodeId, KeyId, LabelId, ListenerKey, Timestamp, UtcHour};

/// A line before it is counted. Holds until the rules or the catalogue change.
#[derive(Clone, Copy, Debug)]
pub(in crate::attribution) struct Prepared {
    pub(in crate::attribution) found: Found,
    /// Of no meaning for a malformed line.
    pub(in crate::attribution) start: Timestamp,
    /// Of the start.
    pub(in crate::attribution) hour: UtcHour,
    pub(in crate::attribution) ended: Timestamp,
    pub(in crate::attribution) body_bytes: ByteCount,
    /// Of a line whose id counts as seen from here on, whatever becomes of it.
    pub(in crate::attribution) id: Option<IdHash>,
    /// All that follows is of requests only.
    pub(in crate::attribution) episode: Option<EpisodeId>,
    /// Its path may be an episode's that is not registered here.
    pub(in crate::attribution) is_unregistered: bool,
    /// Why it is not counted.
    pub(in crate::attribution) reason: Option<Reason>,
    /// Address and episode, where the older way counts it.
    pub(in crate::attribution) address_hash: Option<u64>,
    /// Of a request for an episode that is counted unless it came before or its day is closed.
    pub(in crate::attribution) listener: Option<Listener>,
    pub(in crate::attribution) exclusion: Option<Exclusion>,
    pub(in crate::attribution) traffic: Option<Traffic>,
    pub(in crate::attribution) feed: Option<FeedRequest>,
}

/// What a line is.
#[derive(Clone, Copy, Debug)]
pub(in crate::attribution) enum Found {
    Malformed(Malformed),
    /// It repeats another by its nature, by its id or with its body: nothing else of it matters.
    Repeat(Reason),
    Request,
}

impl Prepared {
    pub(in crate::attribution) fn new(found: Found) -> Self {
        Self {
            found,
            start: Timestamp::default(),
            hour: UtcHour(0),
            ended: Timestamp::default(),
            body_bytes: ByteCount::ZERO,
            id: None,
            episode: None,
            is_unregistered: false,
            reason: None,
            address_hash: None,
            listener: None,
            exclusion: None,
            traffic: None,
            feed: None,
        }
    }
}

/// Who asked for an episode, and what was sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::attribution) struct Listener {
    pub(super) key: ListenerKey,
    pub(super) hashed_under: KeyId,
    pub(super) agent: AgentId,
    pub(super) origin: Origin,
    pub(super) delivery: Delivery,
    pub(super) shown_size: Option<u64>,
}

/// Who asked for a feed.
#[derive(Clone, Copy, Debug)]
pub(in crate::attribution) struct FeedRequest {
    pub(super) feed: LabelId,
    /// A service with the subscribers it reports, or else a hash of the client and the feed.
    pub(super) reader: Result<(LabelId, u32), u64>,
}

/// Lines that stand for a part of what another line says, by what they say themselves.
fn check_nature(request: &Request<'_>) -> Option<Reason> {
    if request.inner == Some(true) {
        return Some(Reason::InnerSegment);
    }
    (request.edge == Some(false)).then_some(Reason::Shield)
}

fn check_target(resolved: Resolved) -> Option<Reason> {
    match resolved.episode {
        _ if resolved.feed => Some(Reason::Feed),
        None => Some(Reason::NotEpisode),
        Some(_) => None,
    }
}

impl Engine {
    /// Writes to where the line is to stay, for it is large.
    pub(in crate::attribution) fn prepare(
        &mut self,
        line: &Result<Request<'_>, Malformed>,
        receipt: Receipt,
        prepared: &mut Prepared,
    ) {
        let request = match line {
            Ok(request) => request,
            Err(malformed) => {
                *prepared = Prepared::new(Found::Malformed(*malformed));
                return;
            }
        };
        let nature = check_nature(request);
        let reason = nature.or(receipt.redelivered.then_some(Reason::Redelivered));
        *prepared = Prepared::new(reason.map_or(Found::Request, Found::Repeat));
        (prepared.start, prepared.hour) = (request.start, request.start.hour());
        prepared.ended = request.end();
        prepared.body_bytes = request.body_bytes;
        if nature.is_none() {
            prepared.id = request.id.as_ref().map(|id| self.seen.hash(id));
        }
        if reason.is_none() {
            self.look_into(request, prepared);
        }
    }

    fn look_into(&mut self, request: &Request<'_>, prepared: &mut Prepared) {
        let address = ClientAddress::new(request.address);
        let resolved = self.registry.resolve(request.url, request.host);
        prepared.is_unregistered = resolved.is_unregistered;
        prepared.episode = resolved.episode;
        prepared.reason = check_target(resolved).or_else(|| check_response(request));
        let mut agent = None;
        if let Some(episode) = resolved.episode {
            let client = self.keys.client(address, prepared.hour.day());
            if prepared.reason.is_none() {
                let known = self.look_up(request);
                let reason = self.check_client(request, address, &known);
                prepared.reason = reason.or_else(|| self.check_time(request, episode));
                agent = Some(known);
                if prepared.reason.is_none() {
                    prepared.listener = Some(self.listener(request, client, &known));
                }
            }
            if request.body_bytes.0 > 0 && !matches!(request.status, 301 | 404) {
                prepared.address_hash = Some(client.address(episode));
            }
        }
        if self.detailed {
            self.add_details(request, address, agent, resolved.feed, prepared);
        }
    }

    fn add_details(
        &mut self,
        request: &Request<'_>,
        address: ClientAddress,
        agent: Option<KnownAgent>,
        is_feed: bool,
        prepared: &mut Prepared,
    ) {
        if prepared.episode.is_some() {
            let (lists, labels) = (&self.policy.lists, &mut self.labels);
            prepared.exclusion = prepared.reason.map(|reason| {
                let rule = rule(reason, request, address, agent, lists, &mut labels.rules);
                Exclusion { reason, rule }
            });
            prepared.traffic = Some(Traffic {
                status: request.status,
                pop: labels.pops.intern(request.pop.unwrap_or_default()),
                cache_state: labels.cache_states.intern(request.cache_state.unwrap_or_default()),
            });
        }
        if is_feed && matches!(request.status, 200 | 304) {
            prepared.feed = Some(self.feed_request(request, address));
        }
        if let Some(listener) = &mut prepared.listener {
            // Fastly's words for a region it does not know.
            let region = request.region.filter(|region| !matches!(*region, b"?" | b"NO REGION"));
            listener.origin = Origin {
                country: request.country,
                region: self.labels.regions.intern(region.unwrap_or_default()),
                referrer: Referrer::of(request.referer, request.host),
            };
        }
    }

    fn listener(&self, request: &Request<'_>, client: Client, agent: &KnownAgent) -> Listener {
        Listener {
            key: client.listener(agent.digest),
            hashed_under: self.keys.key_id(),
            agent: agent.agent,
            origin: Origin::default(),
            delivery: Delivery::of(request),
            shown_size: shown_size(request),
        }
    }

    fn look_up(&mut self, request: &Request<'_>) -> KnownAgent {
        let user_agent = request.user_agent.unwrap_or_default();
        self.agents.look_up(user_agent, &self.keys, &mut self.labels.rules)
    }

    fn check_client(
        &self,
        request: &Request<'_>,
        address: ClientAddress,
        agent: &KnownAgent,
    ) -> Option<Reason> {
        let lists = &self.policy.lists;
        let included = || lists.included.contains(address, request.asn);
        let is_on = |reason| self.policy.filters.is_on(reason);
        if agent.is_watch && is_on(Reason::Watch) {
            return Some(Reason::Watch);
        }
        if agent.bot.is_some() && is_on(Reason::Bot) {
            return Some(Reason::Bot);
        }
        if is_datacenter(request, address, lists) && is_on(Reason::Datacenter) && !included() {
            return Some(Reason::Datacenter);
        }
        if is_vpn(request) && is_on(Reason::Vpn) && !included() {
            return Some(Reason::Vpn);
        }
        let is_blocked = agent.blocked.is_some() || lists.blocked.contains(address, request.asn);
        (is_blocked && is_on(Reason::Blocked) && !included()).then_some(Reason::Blocked)
    }

    fn check_time(&self, request: &Request<'_>, episode: EpisodeId) -> Option<Reason> {
        let published = self.registry.facts(episode).published_at;
        let early = published.is_some_and(|published| request.start < published);
        (early && self.policy.filters.is_on(Reason::PreRelease)).then_some(Reason::PreRelease)
    }

    fn feed_request(&mut self, request: &Request<'_>, address: ClientAddress) -> FeedRequest {
        let feed = self.labels.feeds.intern(&percent_decoded(raw_path(request.url)));
        let reader = match reported(request.user_agent.unwrap_or_default()) {
            // The empty name is that of all clients that report no number.
            Some(Reported { service: [], subscribers }) => Ok((LabelId::OTHER, subscribers)),
            Some(Reported { service, subscribers }) => {
                Ok((self.labels.services.intern(service), subscribers))
            }
            None => {
                let digest = self.look_up(request).digest;
                let client = self.keys.client(address, request.start.day()).listener(digest);
                Err(client.0[0] ^ spread(feed.0.into()))
            }
        };
        FeedRequest { feed, reader }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::attribution::agent::AgentTable;
    use crate::attribution::testing::request;
    use crate::attribution::{Fate, Memory, Mode, Policy, Reason, Redelivery, Registry};
    use crate::units::{SourceId, Timestamp};

    /// A body that came again says of its ids that they were just seen.
    #[test]
    fn a_repeated_body_makes_its_ids_last() {
        let memory = Memory { ids: 100, window: Some(Duration::from_secs(10)) };
        let policy = Policy { redelivery: Redelivery(memory), ..Policy::default() };
        let registry = Registry::new(Mode::Derived { max_episodes: 9 }, []);
        let mut engine = Engine::new(policy, registry, Arc::new(AgentTable::builtin()), [7; 16]);
        let line = Ok(Request { id: Some(b"a"), ..request("/a.mp3") });
        let mut fate = |seconds, redelivered| {
            let at = Timestamp::from_seconds(seconds).unwrap();
            engine.observe(&line, Receipt { source: SourceId(0), at, redelivered }).fate
        };
        let again = Fate::Ignored(Reason::Redelivered);
        assert_ne!(fate(0, false), again);
        assert_eq!(fate(8, true), again);
        assert_eq!(fate(16, false), again);
        assert_ne!(fate(27, false), again);
    }
}
