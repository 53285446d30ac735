//! The counting engine: one parsed line in, its one outcome out.
//!
//! Deterministic: the same lines with the same receipts, in the same order, under the same policy, catalogue and
//! secret, give the same outcomes. With the calendar window the sums of all changes do not even depend on the order.
//!
//! The checks stand in the order of their precedence; the first that applies is the line's fate.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::agent::{Agent, AgentTable};
use super::checks::{check_response, is_datacenter, is_vpn};
use super::delivery::{Delivery, shown_size};
use super::distinct::{Distinct, Granularity, listener_hash};
use super::episode::Episode;
use super::fate::{Fate, Reason};
use super::labels::Labels;
use super::listener::{ClientAddress, ListenerKeys, Secret};
use super::policy::{Closing, Policy};
use super::redelivery::SeenIds;
use super::registry::{Facts, Mode, Registry};
use super::session::{Change, Joined, Rejudge, Rules, Sessions, Visit, Window};
use super::user_agents::{AgentNames, KnownAgent, UserAgents};
use super::watermark::Watermark;
use crate::event::{Defect, Malformed, Request};
use crate::units::{AgentId, ByteCount, EpisodeId, ListenerKey, SourceId, Timestamp, UtcDay, UtcHour};

/// A start further than this after its receipt is no time (the service only).
const MAX_AHEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// How a line came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub source: SourceId,
    pub at: Timestamp,
    /// The body it came in was received before.
    pub redelivered: bool,
}

/// What became of a line, and what it changes beside its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub fate: Fate,
    /// Of the start; of the receipt where there is no usable start.
    pub hour: UtcHour,
    /// Where the path is an episode's, whatever the fate.
    pub episode: Option<EpisodeId>,
    /// 0 for a malformed line: nothing in it is trusted.
    pub body_bytes: ByteCount,
    /// Counted the older way: body bytes, and whether the address is new to the episode in this day or hour.
    pub older_way: Option<OlderWay>,
    /// A valid line's session.
    pub session: Option<Counted>,
}

/// The older way of counting a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OlderWay {
    pub new_address: bool,
}

/// A valid line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub listener: ListenerKey,
    pub delivery: Delivery,
    pub joined: Joined,
    /// The listener's first valid request for the episode in this day or hour.
    pub new_listener: bool,
}

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
    labels: Labels,
    watermark: Option<Watermark>,
    changes: Vec<Change>,
}

/// A line's fate before its session is asked, and what was learnt on the way.
struct Checked {
    fate: Fate,
    episode: Option<EpisodeId>,
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
            labels: Labels::default(),
            watermark,
            changes: Vec::new(),
            policy,
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
        self.advance(request.start, receipt);
        Outcome {
            fate: checked.fate,
            hour: request.start.hour(),
            episode: checked.episode,
            body_bytes: request.body_bytes,
            older_way,
            session,
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

    pub fn agent(&self, id: AgentId) -> &Agent {
        self.agents.agent(id)
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

    /// Names of agents, indexed by [`AgentId`].
    pub fn agent_names(&self) -> &[AgentNames] {
        self.agents.names()
    }

    /// The texts of labels.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Memory that open days take, estimated from the sizes of the tables.
    pub fn state_bytes(&self) -> usize {
        self.sessions.len() * 100
    }

    /// Sessions held in memory.
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    pub fn watermark(&self, now: Timestamp) -> Option<Timestamp> {
        self.watermark.as_ref()?.whole(now)
    }

    fn check(&mut self, request: &Request<'_>, receipt: Receipt) -> Checked {
        let mut checked = Checked {
            fate: Fate::Valid,
            episode: None,
            address: ClientAddress::new(request.address),
            agent: None,
        };
        let reason = self
            .check_delivery(request, receipt)
            .or_else(|| self.check_target(request, &mut checked.episode))
            .or_else(|| check_response(request))
            .or_else(|| self.check_client(request, &mut checked))
            .or_else(|| self.check_time(request, checked.episode));
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

    fn check_target(&mut self, request: &Request<'_>, episode: &mut Option<EpisodeId>) -> Option<Reason> {
        let resolved = self.registry.resolve(&request.url, request.host.as_deref());
        *episode = resolved.episode;
        match resolved.episode {
            _ if resolved.feed => Some(Reason::Feed),
            None => Some(Reason::NotEpisode),
            Some(_) => None,
        }
    }

    fn check_client(&mut self, request: &Request<'_>, checked: &mut Checked) -> Option<Reason> {
        let user_agent = request.user_agent.as_deref().unwrap_or_default();
        let agent = self.agents.look_up(user_agent, &self.keys);
        checked.agent = Some(agent);
        let lists = &self.policy.lists;
        let address = checked.address;
        let included = || lists.included.contains(address, request.asn);
        let applies = |reason| match reason {
            Reason::Watch => agent.is_watch,
            Reason::Bot => agent.is_bot,
            Reason::Datacenter => is_datacenter(request, address, lists) && !included(),
            Reason::Vpn => is_vpn(request) && !included(),
            _ => (agent.is_blocked || lists.blocked.contains(address, request.asn)) && !included(),
        };
        [Reason::Watch, Reason::Bot, Reason::Datacenter, Reason::Vpn, Reason::Blocked]
            .into_iter()
            .find(|reason| applies(*reason) && self.policy.filters.is_on(*reason))
    }

    fn check_time(&self, request: &Request<'_>, episode: Option<EpisodeId>) -> Option<Reason> {
        let published = episode.and_then(|id| self.registry.facts(id).published_at);
        let early = published.is_some_and(|published| request.start < published);
        if early && self.policy.filters.is_on(Reason::PreRelease) {
            return Some(Reason::PreRelease);
        }
        self.is_closed(request.start.day()).then_some(Reason::Late)
    }

    fn is_closed(&self, day: UtcDay) -> bool {
        self.watermark.as_ref().is_some_and(|watermark| watermark.is_closed(day))
    }

    /// Body bytes and addresses as they used to be counted; a closed day's do not change any more.
    fn count_the_older_way(&mut self, request: &Request<'_>, checked: &Checked) -> Option<OlderWay> {
        let episode = checked.episode?;
        if request.body_bytes.0 == 0
            || matches!(request.status, 301 | 404)
            || self.is_closed(request.start.day())
        {
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
            country: request.country,
            agent: agent.agent,
            delivery: Delivery::of(request),
            shown_size: shown_size(request),
        };
        let facts = self.registry.facts(episode);
        let rules = Rules { facts: &facts, thresholds: &self.policy.thresholds };
        let joined = self.sessions.join(&visit, rules, &mut self.changes);
        Counted {
            listener: visit.listener,
            delivery: visit.delivery,
            joined,
            new_listener: self.is_new_listener(&visit, &joined),
        }
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
    }
}
