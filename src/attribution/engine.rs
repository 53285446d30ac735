//! The counting engine: one parsed line in, its one outcome out.
//!
//! Deterministic: the same lines with the same receipts, in the same order, under the same policy, catalogue and
//! secret, give the same outcomes. With the calendar window the sums of all changes do not even depend on the order.
//!
//! The checks stand in the order of their precedence; the first that applies is the line's fate. Lines that are there
//! together are best counted together: see [`Prepared`].

mod prepare;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use prepare::{Client, Known, Prepared};

use super::agent::AgentTable;
use super::checks::{check_response, is_datacenter, is_vpn};
use super::delivery::{Delivery, shown_size};
use super::distinct::{Distinct, Granularity, listener_hash};
use super::episode::Episode;
use super::exclusion::rule;
use super::fate::{Fate, Reason};
use super::labels::Labels;
use super::listener::{ListenerKeys, Secret};
use super::origin::Origin;
use super::outcome::{Counted, Exclusion, FeedVisit, OlderWay, Outcome, Reader, Receipt, Traffic};
use super::path::{percent_decoded, raw_path};
use super::policy::{Closing, Policy};
use super::redelivery::SeenIds;
use super::referrer::Referrer;
use super::registry::{Facts, Mode, Registry, Resolved};
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
    /// Nothing, where the line repeats another.
    known: Option<Known>,
    /// Of a closed day no table changes but that of fates.
    is_closed: bool,
}

impl Checked {
    fn episode(&self) -> Option<EpisodeId> {
        self.known?.resolved.episode
    }
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

    /// Registers no episodes by itself, but knows their paths once they are given to it.
    pub(super) fn following(mut self) -> Self {
        self.registry.stop_registering();
        self
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
        let prepared = self.prepare(line, receipt);
        self.count_line(line, prepared, receipt)
    }

    fn count_line(
        &mut self,
        line: &Result<Request<'_>, Malformed>,
        prepared: Prepared,
        receipt: Receipt,
    ) -> Outcome {
        self.changes.clear();
        let request = match line {
            Ok(request) => request,
            Err(malformed) => return malformed_outcome(*malformed, receipt),
        };
        if self.watermark.is_some() && request.start > receipt.at.plus(MAX_AHEAD) {
            return malformed_outcome(Defect::BadTime.into(), receipt);
        }
        let checked = self.check(request, prepared, receipt);
        let older_way = self.count_the_older_way(request, &checked);
        let session = match (checked.fate, checked.known) {
            (
                Fate::Valid,
                Some(Known {
                    resolved: Resolved { episode: Some(episode), .. }, client: Some(client), ..
                }),
            ) => Some(self.count(request, episode, client)),
            _ => None,
        };
        let exclusion = self.exclusion(request, &checked);
        let traffic = self.traffic(request, &checked);
        let feed = self.feed_visit(request, &checked);
        self.advance(request.start, receipt);
        Outcome {
            fate: checked.fate,
            hour: request.start.hour(),
            episode: checked.episode(),
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

    fn check(&mut self, request: &Request<'_>, prepared: Prepared, receipt: Receipt) -> Checked {
        let is_closed = self.is_closed(request.start.day());
        let seen = prepared.id.is_some_and(|id| self.seen.check(id, receipt.at));
        let Some(known) = prepared.known.filter(|_| !seen) else {
            let reason = check_nature(request).unwrap_or(Reason::Redelivered);
            return Checked { fate: Fate::Ignored(reason), known: None, is_closed };
        };
        let reason = check_target(known.resolved)
            .or_else(|| check_response(request))
            .or_else(|| self.check_client(request, &known))
            .or_else(|| self.check_time(request, known.resolved, is_closed));
        Checked { fate: reason.map_or(Fate::Valid, Fate::Ignored), known: Some(known), is_closed }
    }

    fn check_client(&self, request: &Request<'_>, known: &Known) -> Option<Reason> {
        let agent = known.client?.agent;
        let lists = &self.policy.lists;
        let address = known.address;
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

    fn look_up(&mut self, request: &Request<'_>) -> KnownAgent {
        let user_agent = request.user_agent.as_deref().unwrap_or_default();
        self.agents.look_up(user_agent, &self.keys, &mut self.labels.rules)
    }

    fn check_time(&self, request: &Request<'_>, resolved: Resolved, is_closed: bool) -> Option<Reason> {
        let published = resolved.episode.and_then(|id| self.registry.facts(id).published_at);
        let early = published.is_some_and(|published| request.start < published);
        if early && self.policy.filters.is_on(Reason::PreRelease) {
            return Some(Reason::PreRelease);
        }
        is_closed.then_some(Reason::Late)
    }

    fn is_closed(&self, day: UtcDay) -> bool {
        self.watermark.as_ref().is_some_and(|watermark| watermark.is_closed(day))
    }

    /// Body bytes and addresses as they used to be counted; a closed day's do not change any more.
    fn count_the_older_way(&mut self, request: &Request<'_>, checked: &Checked) -> Option<OlderWay> {
        let known = checked.known?;
        let episode = known.resolved.episode?;
        if request.body_bytes.0 == 0 || matches!(request.status, 301 | 404) || checked.is_closed {
            return None;
        }
        let address = || self.keys.address(known.address, episode);
        let hash = known.client.map_or_else(address, |client| client.address_hash);
        Some(OlderWay { new_address: self.addresses.insert(request.start.hour(), hash) })
    }

    fn count(&mut self, request: &Request<'_>, episode: EpisodeId, client: Client) -> Counted {
        let visit = Visit {
            listener: client.listener,
            episode,
            start: request.start,
            end: request.end(),
            origin: self.origin(request),
            agent: client.agent.agent,
            delivery: Delivery::of(request),
            shown_size: shown_size(request),
        };
        let facts = self.registry.facts(episode);
        let rules = Rules { facts: &facts, thresholds: &self.policy.thresholds };
        let joined = self.sessions.join(&visit, client.place, rules, &self.labels.regions, &mut self.changes);
        Counted {
            listener: visit.listener,
            key: client.key,
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
        let (Fate::Ignored(reason), Some(known)) = (checked.fate, checked.known) else { return None };
        if known.resolved.episode.is_none() || checked.is_closed {
            return None;
        }
        let (lists, rules) = (&self.policy.lists, &mut self.labels.rules);
        let agent = known.client.map(|client| client.agent);
        Some(Exclusion { reason, rule: rule(reason, request, known.address, agent, lists, rules) })
    }

    /// The path was looked at, so the line is neither an inner or shield request nor sent twice.
    fn traffic(&mut self, request: &Request<'_>, checked: &Checked) -> Option<Traffic> {
        if checked.episode().is_none() || checked.is_closed {
            return None;
        }
        Some(Traffic {
            status: request.status,
            pop: self.labels.pops.intern(request.pop.as_deref().unwrap_or_default()),
            cache_state: self.labels.cache_states.intern(request.cache_state.as_deref().unwrap_or_default()),
        })
    }

    fn feed_visit(&mut self, request: &Request<'_>, checked: &Checked) -> Option<FeedVisit> {
        let known = checked.known.filter(|known| known.resolved.feed)?;
        if checked.is_closed || !matches!(request.status, 200 | 304) {
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
                let client = self.keys.listener(known.address, digest, request.start.day());
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

/// Lines that stand for a part of what another line says, by what they say themselves.
pub(super) fn check_nature(request: &Request<'_>) -> Option<Reason> {
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
