//! The counting engine: one parsed line in, its one outcome out.
//!
//! Deterministic: the same lines with the same receipts, in the same order, under the same policy, catalogue and
//! secret, give the same outcomes. With the calendar window the sums of all changes do not even depend on the order.
//!
//! A line is first prepared, which depends on no other line, and then counted, which does. The tables of open days are
//! many times larger than a processor's cache, so nearly every look-up waits for memory, and lines counted one by one
//! wait once for each. Lines are therefore counted many at a time, and what that will read of the tables is read before:
//! those waits overlap. Nothing but time depends on it.

mod prepare;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use prepare::{FeedRequest, Listener};
pub(super) use prepare::{Found, Prepared};

use super::agent::AgentTable;
use super::distinct::{Distinct, Granularity, listener_hash};
use super::episode::Episode;
use super::fate::{Fate, Reason};
use super::labels::Labels;
use super::listener::{ListenerKeys, Secret};
use super::outcome::{Counted, FeedVisit, OlderWay, Outcome, Reader, Receipt};
use super::policy::{Closing, Policy};
use super::redelivery::SeenIds;
use super::registry::{Facts, Mode, Registry};
use super::session::{Change, Joined, Place, Rejudge, Rules, Sessions, Visit, Window};
use super::state::State;
use super::user_agents::{AgentNames, UserAgents};
use super::watermark::Watermark;
use crate::event::{Defect, Malformed, Request, Unescaped};
use crate::units::{ByteCount, EpisodeId, Timestamp, UtcDay, UtcHour};

/// Lines that are counted together: enough for their waits for memory to overlap, few enough to stay in the nearest cache.
const TOGETHER: usize = 32;

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
    /// Whether anybody asks for more than sums by episode.
    detailed: bool,
    watermark: Option<Watermark>,
    changes: Vec<Change>,
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
            detailed: true,
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

    /// Leaves out what sums by episode do not need: where requests came from, how the CDN answered, which rule excluded
    /// a line, who asked for feeds.
    pub fn for_sums(mut self) -> Self {
        self.detailed = false;
        self
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
        let mut prepared = Prepared::new(Found::Request);
        self.prepare(line, receipt, &mut prepared);
        let place = self.find_session(&prepared);
        let mut outcome = Outcome::of_repeat(prepared.hour, prepared.ended, prepared.body_bytes);
        self.count_line(&prepared, place, receipt, &mut outcome);
        outcome
    }

    /// Counts lines that came in together, in their order, which is faster than one by one. Each is given to `parse`, and
    /// to `each` with its outcome and what it changed in the sessions.
    pub fn observe_all<T: Copy>(
        &mut self,
        lines: impl IntoIterator<Item = T>,
        parse: impl for<'r> Fn(&'r T, &'r Unescaped) -> Result<Request<'r>, Malformed>,
        receipt: Receipt,
        mut each: impl FnMut(T, &Outcome, &[Change]),
    ) {
        let mut lines = lines.into_iter();
        let mut together = Vec::with_capacity(TOGETHER);
        let mut prepared = [Prepared::new(Found::Request); TOGETHER];
        loop {
            for (prepared, line) in prepared.iter_mut().zip(lines.by_ref()) {
                together.push(line);
                let room = Unescaped::default();
                self.prepare(&parse(&line, &room), receipt, prepared);
            }
            let prepared = &prepared[..together.len()];
            if prepared.is_empty() {
                return;
            }
            let mut together = together.drain(..);
            self.count_all(prepared, receipt, |outcome, changes| {
                together.next().into_iter().for_each(|line| each(line, outcome, changes));
            });
        }
    }

    /// Counts prepared lines in their order.
    pub(super) fn count_all(
        &mut self,
        prepared: &[Prepared],
        receipt: Receipt,
        mut each: impl FnMut(&Outcome, &[Change]),
    ) {
        let mut places = [None; TOGETHER];
        for together in prepared.chunks(TOGETHER) {
            together.iter().for_each(|line| self.touch(line));
            for (place, line) in places.iter_mut().zip(together) {
                *place = self.find_session(line);
            }
            for (place, line) in places.iter().zip(together) {
                let mut outcome = Outcome::of_repeat(line.hour, line.ended, line.body_bytes);
                self.count_line(line, *place, receipt, &mut outcome);
                each(&outcome, &self.changes);
            }
        }
    }

    /// Fetches what counting the line will read.
    fn touch(&self, line: &Prepared) {
        line.id.into_iter().for_each(|id| self.seen.touch(id));
        line.address_hash.into_iter().for_each(|hash| self.addresses.touch(line.hour, hash));
        if let (Some(listener), Some(episode)) = (&line.listener, line.episode) {
            self.sessions.touch(listener.key, episode, line.hour.day());
        }
    }

    /// The second step, for which the first must have fetched what tells where the session is.
    fn find_session(&self, line: &Prepared) -> Option<Place> {
        self.sessions.find(line.listener.as_ref()?.key, line.episode?, line.hour.day())
    }

    /// `outcome` is that of a repeat, to be changed to what the line is; written where it stays, for it is large.
    fn count_line(&mut self, line: &Prepared, place: Option<Place>, receipt: Receipt, outcome: &mut Outcome) {
        self.changes.clear();
        let is_ahead = || self.watermark.is_some() && line.start > receipt.at.plus(MAX_AHEAD);
        let malformed = match line.found {
            Found::Malformed(malformed) => Some(malformed),
            _ => is_ahead().then_some(Defect::BadTime.into()),
        };
        if let Some(Malformed { defect, start }) = malformed {
            outcome.fate = Fate::Malformed(defect);
            outcome.hour = start.unwrap_or(receipt.at).hour();
            (outcome.ended, outcome.body_bytes) = (None, ByteCount::ZERO);
            return;
        }
        let is_seen = line.id.is_some_and(|id| self.seen.check(id, receipt.at));
        match line.found {
            Found::Repeat(reason) => outcome.fate = Fate::Ignored(reason),
            Found::Request if !is_seen => self.count_request(line, place, outcome),
            _ => {}
        }
        self.advance(line.start, receipt);
    }

    /// Of a closed day no table changes but that of fates.
    fn count_request(&mut self, line: &Prepared, place: Option<Place>, outcome: &mut Outcome) {
        let is_closed = self.is_closed(line.hour.day());
        let reason = line.reason.or(is_closed.then_some(Reason::Late));
        outcome.fate = reason.map_or(Fate::Valid, Fate::Ignored);
        outcome.episode = line.episode;
        if is_closed {
            return;
        }
        let new_address = |hash| OlderWay { new_address: self.addresses.insert(outcome.hour, hash) };
        outcome.older_way = line.address_hash.map(new_address);
        outcome.session = match (&line.listener, line.episode) {
            (Some(listener), Some(episode)) => Some(self.count(line, listener, episode, place)),
            _ => None,
        };
        outcome.exclusion = line.exclusion;
        outcome.traffic = line.traffic;
        outcome.feed = line.feed.map(|request| self.feed_visit(line.hour, request));
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
        let facts = |id| Some((*changed.get(&id)?, *self.registry.facts(id)));
        let (old, new) = (&self.policy.thresholds, &self.policy.thresholds);
        let rejudge = Rejudge { facts: &facts, old, new, detailed: self.detailed };
        self.sessions.rejudge(rejudge, &mut self.changes);
    }

    /// Counts by another policy from here on. Open sessions are judged again by its thresholds; under another kind
    /// of window, those of before stand as they were counted.
    pub fn change_policy(&mut self, policy: Policy, agents: Arc<AgentTable>, mode: Mode, feeds: &[String]) {
        self.changes.clear();
        if policy.window != self.policy.window {
            self.sessions = Sessions::new(policy.window);
        } else if policy.thresholds != self.policy.thresholds {
            let facts = |id| Some((*self.registry.facts(id), *self.registry.facts(id)));
            let (old, new) = (&self.policy.thresholds, &policy.thresholds);
            let rejudge = Rejudge { facts: &facts, old, new, detailed: self.detailed };
            self.sessions.rejudge(rejudge, &mut self.changes);
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

    fn is_closed(&self, day: UtcDay) -> bool {
        self.watermark.as_ref().is_some_and(|watermark| watermark.is_closed(day))
    }

    fn count(
        &mut self,
        line: &Prepared,
        listener: &Listener,
        episode: EpisodeId,
        place: Option<Place>,
    ) -> Counted {
        let visit = Visit {
            listener: listener.key,
            episode,
            start: line.start,
            end: line.ended,
            origin: listener.origin,
            agent: listener.agent,
            delivery: listener.delivery,
            shown_size: listener.shown_size,
        };
        let facts = self.registry.facts(episode);
        let rules = Rules { facts, thresholds: &self.policy.thresholds, detailed: self.detailed };
        let joined = self.sessions.join(&visit, place, rules, &self.labels.regions, &mut self.changes);
        Counted {
            listener: visit.listener,
            key: listener.hashed_under,
            show: facts.show,
            age_hours: facts.age_hours(line.start),
            delivery: visit.delivery,
            joined,
            new_listener: self.is_new_listener(&visit, &joined),
        }
    }

    fn feed_visit(&mut self, hour: UtcHour, FeedRequest { feed, reader }: FeedRequest) -> FeedVisit {
        let reader = match reader {
            Ok((service, subscribers)) => Reader::Service { service, subscribers },
            Err(client) => Reader::Client { is_new: self.feed_clients.insert(hour, client) },
        };
        FeedVisit { feed, reader }
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
