//! The counting engine: one parsed line in, its one outcome out.
//!
//! Deterministic: the same lines with the same receipts, in the same order, under the same policy, catalogue and
//! secret, give the same outcomes. With the calendar window the sums of all changes do not even depend on the order.
//!
//! The checks stand in the order of their precedence; the first that applies is the line's fate.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::agent::AgentTable;
use super::checks::{check_response, is_datacenter, is_vpn};
use super::delivery::{Delivery, shown_size};
use super::distinct::{Distinct, Granularity, listener_hash};
use super::episode::Episode;
use super::exclusion::rule;
use super::fate::{Fate, Reason};
use super::labels::Labels;
use super::listener::{ClientAddress, ListenerKeys, Secret};
use super::origin::Origin;
use super::outcome::{Counted, Exclusion, FeedVisit, OlderWay, Outcome, Reader, Receipt, Traffic};
use super::path::{percent_decoded, raw_path};
use super::policy::{Closing, Policy};
use super::redelivery::SeenIds;
use super::referrer::Referrer;
use super::registry::{Facts, Mode, Registry};
use super::session::{Change, Joined, Rejudge, Rules, Sessions, Visit, Window};
use super::state::State;
use super::subscribers::{Reported, reported};
use super::user_agents::{AgentNames, KnownAgent, UserAgents};
use super::watermark::Watermark;
use crate::event::{Defect, Malformed, Request};
use crate::units::{ByteCount, EpisodeId, LabelId, Timestamp, UtcDay};

/// A start further than this after its receipt is no time (the service only).
const MAX_AHEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// Counts lines.
#[derive(Clone, Debug)]
pub struct Engine {
    policy: Policy,
    registry: Registry,
    agents: UserAgents,
    keys: ListenerKeys,
    seen: SeenIds,
    sessions: Sessions,
    addresses: Distinct,
    /// Only where sessions do not tell who is new: see [`Engine::is_new_listener`].
    listeners: Distinct,
    /// Clients of feeds, by day.
    feed_clients: Distinct,
    labels: Labels,
    watermark: Option<Watermark>,
    changes: Vec<Change>,
}

/// A line's fate before its session is asked, and what was learnt on the way.
struct Checked {
    fate: Fate,
    episode: Option<EpisodeId>,
    /// The path is a feed's.
    feed: bool,
    /// Of a closed day no table changes but that of fates.
    is_closed: bool,
    address: ClientAddress,
    agent: Option<KnownAgent>,
}

impl Engine {
    pub fn new(policy: Policy, registry: Registry, agents: Arc<AgentTable>, secret: Secret) -> Self {
        let watermark = match policy.closing {
            Closing::Never => None,
            Closing::After { lateness } => Some(Watermark::new(lateness)),
        };
        Self {
            registry,
            agents: UserAgents::new(agents, policy.lists.blocked_agents.clone()),
            keys: ListenerKeys::new(secret, policy.key_rotation_days),
            seen: SeenIds::new(secret, policy.redelivery.0),
            sessions: Sessions::new(policy.window),
            addresses: Distinct::new(policy.granularity),
            listeners: Distinct::new(policy.granularity),
            feed_clients: Distinct::new(Granularity::Day),
            labels: Labels::default(),
            watermark,
            changes: Vec::new(),
            policy,
        }
    }

    /// All that its future depends on, besides policy, table and secret.
    pub fn state(&self) -> State<'_> {
        State {
            registry: Cow::Borrowed(&self.registry),
            agents: Cow::Borrowed(self.agents.classified()),
            seen: Cow::Borrowed(&self.seen),
            sessions: Cow::Borrowed(&self.sessions),
            addresses: Cow::Borrowed(&self.addresses),
            listeners: Cow::Borrowed(&self.listeners),
            feed_clients: Cow::Borrowed(&self.feed_clients),
            labels: Cow::Borrowed(&self.labels),
            watermark: Cow::Borrowed(&self.watermark),
        }
    }

    /// Goes on where the engine of that state was. Made new, with the policy, table and secret that one had.
    pub fn restored(self, state: State<'static>, secret: Secret) -> Self {
        Self {
            registry: state.registry.into_owned(),
            agents: self.agents.restored(state.agents.into_owned()),
            seen: state.seen.into_owned().restored(secret),
            sessions: state.sessions.into_owned(),
            addresses: state.addresses.into_owned(),
            listeners: state.listeners.into_owned(),
            feed_clients: state.feed_clients.into_owned(),
            labels: state.labels.into_owned(),
            watermark: state.watermark.into_owned(),
            ..self
        }
    }

    /// Counts one line. [`Engine::changes`] then tells what it changed in the sessions.
    pub fn observe(&mut self, line: &Result<Request<'_>, Malformed>, receipt: Receipt) -> Outcome {
        self.changes.clear();
        let request = match line {
            Ok(request) => request,
            Err(malformed) => return malformed_outcome(*malformed, receipt),
        };
        if self.watermark.is_some() && request.start > receipt.at.plus(MAX_AHEAD) {
            return malformed_outcome(Defect::BadTime.into(), receipt);
        }
        let checked = self.check(request, receipt);
        let older_way = self.count_the_older_way(request, &checked);
        let session = (checked.fate == Fate::Valid).then(|| self.count(request, &checked));
        let exclusion = self.exclusion(request, &checked);
        let traffic = self.traffic(request, &checked);
        let feed = self.feed_visit(request, &checked);
        self.advance(request.start, receipt);
        Outcome {
            fate: checked.fate,
            hour: request.start.hour(),
            episode: checked.episode,
            body_bytes: request.body_bytes,
            older_way,
            session,
            exclusion,
            traffic,
            feed,
        }
    }

    /// What the last line, or the last update of the catalogue, changed.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Takes new or changed episodes in; open sessions of those that changed are judged again.
    pub fn update_catalog(&mut self, episodes: impl IntoIterator<Item = Episode>) {
        self.changes.clear();
        let changed: HashMap<EpisodeId, Facts> = self.registry.update(episodes).into_iter().collect();
        if changed.is_empty() {
            return;
        }
        let facts = |id| Some((*changed.get(&id)?, self.registry.facts(id)));
        let thresholds = &self.policy.thresholds;
        self.sessions.rejudge(Rejudge { facts: &facts, old: thresholds, new: thresholds }, &mut self.changes);
    }

    /// Counts by another policy from here on. Open sessions are judged again by its thresholds; under another kind
    /// of window, those of before stand as they were counted.
    pub fn change_policy(&mut self, policy: Policy, agents: Arc<AgentTable>, mode: Mode, feeds: &[String]) {
        self.changes.clear();
        if policy.window != self.policy.window {
            self.sessions = Sessions::new(policy.window);
        } else if policy.thresholds != self.policy.thresholds {
            let facts = |id| Some((self.registry.facts(id), self.registry.facts(id)));
            let (old, new) = (&self.policy.thresholds, &policy.thresholds);
            self.sessions.rejudge(Rejudge { facts: &facts, old, new }, &mut self.changes);
        }
        self.registry.set_mode(mode, feeds.iter().map(String::as_str));
        self.agents.replace_table(agents, policy.lists.blocked_agents.clone());
        self.keys.set_rotation(policy.key_rotation_days);
        self.seen.set_memory(policy.redelivery.0);
        if let (Some(watermark), Closing::After { lateness }) = (&mut self.watermark, policy.closing) {
            watermark.set_lateness(lateness);
        }
        self.policy = policy;
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Names of agents, indexed by [`crate::units::AgentId`].
    pub fn agent_names(&self) -> impl ExactSizeIterator<Item = &AgentNames> {
        self.agents.names()
    }

    /// The texts of labels.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The table that user agents are classed by.
    pub fn agents(&self) -> &AgentTable {
        self.agents.table()
    }

    /// Bytes that make a download of an episode, as far as the catalogue tells.
    pub fn needed_bytes(&self, episode: EpisodeId) -> ByteCount {
        self.registry.facts(episode).file.needed(&self.policy.thresholds)
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sessions held in memory.
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Memory that open days take, estimated from the sizes of the tables: what few sessions have beside is left out.
    pub fn state_bytes(&self) -> usize {
        let distinct = [&self.addresses, &self.listeners, &self.feed_clients];
        self.sessions.table_bytes()
            + self.seen.table_bytes()
            + distinct.map(Distinct::table_bytes).iter().sum::<usize>()
    }

    /// The first day that is not closed; None before the first line, and where days never close.
    pub fn open_from(&self) -> Option<UtcDay> {
        self.watermark.as_ref()?.open_from()
    }

    pub fn watermark(&self, now: Timestamp) -> Option<Timestamp> {
        self.watermark.as_ref()?.whole(now)
    }

    fn check(&mut self, request: &Request<'_>, receipt: Receipt) -> Checked {
        let mut checked = Checked {
            fate: Fate::Valid,
            episode: None,
            feed: false,
            is_closed: self.is_closed(request.start.day()),
            address: ClientAddress::new(request.address),
            agent: None,
        };
        let reason = self
            .check_delivery(request, receipt)
            .or_else(|| self.check_target(request, &mut checked))
            .or_else(|| check_response(request))
            .or_else(|| self.check_client(request, &mut checked))
            .or_else(|| self.check_time(request, &checked));
        if let Some(reason) = reason {
            checked.fate = Fate::Ignored(reason);
        }
        checked
    }

    /// Lines that repeat, or stand for a part of, what another line says.
    fn check_delivery(&mut self, request: &Request<'_>, receipt: Receipt) -> Option<Reason> {
        if request.inner == Some(true) {
            return Some(Reason::InnerSegment);
        }
        if request.edge == Some(false) {
            return Some(Reason::Shield);
        }
        let seen = request.id.as_ref().is_some_and(|id| self.seen.check(id, receipt.at));
        (seen || receipt.redelivered).then_some(Reason::Redelivered)
    }

    fn check_target(&mut self, request: &Request<'_>, checked: &mut Checked) -> Option<Reason> {
        let resolved = self.registry.resolve(&request.url, request.host.as_deref());
        (checked.episode, checked.feed) = (resolved.episode, resolved.feed);
        match resolved.episode {
            _ if resolved.feed => Some(Reason::Feed),
            None => Some(Reason::NotEpisode),
            Some(_) => None,
        }
    }

    fn check_client(&mut self, request: &Request<'_>, checked: &mut Checked) -> Option<Reason> {
        let agent = self.look_up(request);
        checked.agent = Some(agent);
        let lists = &self.policy.lists;
        let address = checked.address;
        let included = || lists.included.contains(address, request.asn);
        let applies = |reason| match reason {
            Reason::Watch => agent.is_watch,
            Reason::Bot => agent.bot.is_some(),
            Reason::Datacenter => is_datacenter(request, address, lists) && !included(),
            Reason::Vpn => is_vpn(request) && !included(),
            _ => (agent.blocked.is_some() || lists.blocked.contains(address, request.asn)) && !included(),
        };
        [Reason::Watch, Reason::Bot, Reason::Datacenter, Reason::Vpn, Reason::Blocked]
            .into_iter()
            .find(|reason| applies(*reason) && self.policy.filters.is_on(*reason))
    }

    fn look_up(&mut self, request: &Request<'_>) -> KnownAgent {
        let user_agent = request.user_agent.as_deref().unwrap_or_default();
        self.agents.look_up(user_agent, &self.keys, &mut self.labels.rules)
    }

    fn check_time(&self, request: &Request<'_>, checked: &Checked) -> Option<Reason> {
        let published = checked.episode.and_then(|id| self.registry.facts(id).published_at);
        let early = published.is_some_and(|published| request.start < published);
        if early && self.policy.filters.is_on(Reason::PreRelease) {
            return Some(Reason::PreRelease);
        }
        checked.is_closed.then_some(Reason::Late)
    }

    fn is_closed(&self, day: UtcDay) -> bool {
        self.watermark.as_ref().is_some_and(|watermark| watermark.is_closed(day))
    }

    /// Body bytes and addresses as they used to be counted; a closed day's do not change any more.
    fn count_the_older_way(&mut self, request: &Request<'_>, checked: &Checked) -> Option<OlderWay> {
        let episode = checked.episode?;
        if request.body_bytes.0 == 0 || matches!(request.status, 301 | 404) || checked.is_closed {
            return None;
        }
        let hash = self.keys.address(checked.address, episode);
        Some(OlderWay { new_address: self.addresses.insert(request.start.hour(), hash) })
    }

    fn count(&mut self, request: &Request<'_>, checked: &Checked) -> Counted {
        let episode = checked.episode.expect("a valid line has an episode");
        let agent = checked.agent.expect("a valid line's agent was looked up");
        let visit = Visit {
            listener: self.keys.listener(checked.address, agent.digest, request.start.day()),
            episode,
            start: request.start,
            end: request.start.plus(Duration::from_micros(request.elapsed_us.unwrap_or(0))),
            origin: self.origin(request),
            agent: agent.agent,
            delivery: Delivery::of(request),
            shown_size: shown_size(request),
        };
        let facts = self.registry.facts(episode);
        let rules = Rules { facts: &facts, thresholds: &self.policy.thresholds };
        let joined = self.sessions.join(&visit, rules, &self.labels.regions, &mut self.changes);
        Counted {
            listener: visit.listener,
            key: self.keys.key_id(),
            show: facts.show,
            age_hours: facts.age_hours(request.start),
            delivery: visit.delivery,
            joined,
            new_listener: self.is_new_listener(&visit, &joined),
        }
    }

    fn origin(&mut self, request: &Request<'_>) -> Origin {
        // Fastly's words for a region it does not know.
        let region = request.region.as_deref().filter(|region| !matches!(*region, b"?" | b"NO REGION"));
        Origin {
            country: request.country,
            region: self.labels.regions.intern(region.unwrap_or_default()),
            referrer: Referrer::of(request.referer.as_deref(), request.host.as_deref()),
        }
    }

    fn exclusion(&mut self, request: &Request<'_>, checked: &Checked) -> Option<Exclusion> {
        let Fate::Ignored(reason) = checked.fate else { return None };
        if checked.episode.is_none() || checked.is_closed {
            return None;
        }
        let (lists, rules) = (&self.policy.lists, &mut self.labels.rules);
        Some(Exclusion { reason, rule: rule(reason, request, checked.address, checked.agent, lists, rules) })
    }

    /// The path was looked at, so the line is neither an inner or shield request nor sent twice.
    fn traffic(&mut self, request: &Request<'_>, checked: &Checked) -> Option<Traffic> {
        if checked.episode.is_none() || checked.is_closed {
            return None;
        }
        Some(Traffic {
            status: request.status,
            pop: self.labels.pops.intern(request.pop.as_deref().unwrap_or_default()),
            cache_state: self.labels.cache_states.intern(request.cache_state.as_deref().unwrap_or_default()),
        })
    }

    fn feed_visit(&mut self, request: &Request<'_>, checked: &Checked) -> Option<FeedVisit> {
        if !checked.feed || checked.is_closed || !matches!(request.status, 200 | 304) {
            return None;
        }
        let feed = self.labels.feeds.intern(&percent_decoded(raw_path(&request.url)));
        let reader = match reported(request.user_agent.as_deref().unwrap_or_default()) {
            // The empty name is that of all clients that report no number.
            Some(Reported { service: [], subscribers }) => {
                Reader::Service { service: LabelId::OTHER, subscribers }
            }
            Some(Reported { service, subscribers }) => {
                Reader::Service { service: self.labels.services.intern(service), subscribers }
            }
            None => {
                let digest = self.look_up(request).digest;
                let client = self.keys.listener(checked.address, digest, request.start.day());
                let hash = client.0[0] ^ u64::from(feed.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                Reader::Client { is_new: self.feed_clients.insert(request.start.hour(), hash) }
            }
        };
        Some(FeedVisit { feed, reader })
    }

    /// A calendar session is one listener, episode and day already; other windows and hours need a set of their own.
    fn is_new_listener(&mut self, visit: &Visit, joined: &Joined) -> bool {
        match (self.policy.window, self.policy.granularity) {
            (Window::Calendar, Granularity::Day) => joined.is_new,
            _ => self.listeners.insert(visit.start.hour(), listener_hash(visit.listener, visit.episode)),
        }
    }

    fn advance(&mut self, start: Timestamp, receipt: Receipt) {
        let Some(watermark) = &mut self.watermark else { return };
        if let Some(open_from) = watermark.advance(receipt.source, start, receipt.at) {
            self.sessions.close(open_from);
            self.addresses.close(open_from);
            self.listeners.close(open_from);
            self.feed_clients.close(open_from);
        }
    }
}

fn malformed_outcome(malformed: Malformed, receipt: Receipt) -> Outcome {
    Outcome {
        fate: Fate::Malformed(malformed.defect),
        hour: malformed.start.unwrap_or(receipt.at).hour(),
        episode: None,
        body_bytes: ByteCount::ZERO,
        older_way: None,
        session: None,
        exclusion: None,
        traffic: None,
        feed: None,
    }
}
