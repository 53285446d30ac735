//! What is known of a user agent, looked up once and remembered by a hash of its bytes, which are long and in no cache.

use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::agent::{Agent, AgentTable, DeviceClass, NO_AGENT};
use super::labels::LabelSet;
use super::listener::{AgentDigest, Fingerprint, ListenerKeys};
use crate::units::{AgentId, LabelId};

/// User agents remembered at the most; past that all are forgotten and learnt again.
const MAX_REMEMBERED: usize = 500_000;

/// All that counting needs of a user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAgent {
    pub agent: AgentId,
    pub digest: AgentDigest,
    /// Absent, empty, or classed bot, crawler, validator or scripted library; with the rule that says so.
    pub bot: Option<LabelId>,
    /// A watch downloading beside its phone.
    pub is_watch: bool,
    /// On the operator's own list; with the entry.
    pub blocked: Option<LabelId>,
}

/// An agent as tables name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentNames {
    pub app: Box<str>,
    pub device: DeviceClass,
}

/// The table of agents with its memory.
#[derive(Clone, Debug)]
pub struct UserAgents {
    table: Arc<AgentTable>,
    blocked: Vec<String>,
    known: HashMap<Fingerprint, KnownAgent>,
    /// Distinct classifications, by [`AgentId`]. Far fewer than user agents.
    agents: Vec<Classified>,
    /// Those that the table in use may give again.
    ids: HashMap<Agent, AgentId>,
}

/// A classification that was given an id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classified {
    agent: Agent,
    /// The table it is of may be replaced.
    names: AgentNames,
}

impl UserAgents {
    /// `blocked`: user agents that contain one of these are blocked.
    pub fn new(table: Arc<AgentTable>, blocked: Vec<String>) -> Self {
        Self { table, blocked, known: HashMap::new(), agents: Vec::new(), ids: HashMap::new() }
    }

    /// Ids given out stay what they were.
    pub fn replace_table(&mut self, table: Arc<AgentTable>, blocked: Vec<String>) {
        self.known.clear();
        (self.table, self.blocked) = (table, blocked);
        self.index();
    }

    /// Those that were given an id, in its order: what is to be saved.
    pub fn classified(&self) -> &[Classified] {
        &self.agents
    }

    /// With the ids given out before.
    pub fn restored(mut self, agents: Vec<Classified>) -> Self {
        self.agents = agents;
        self.index();
        self
    }

    /// Another table counts apps in another way.
    fn index(&mut self) {
        let known = (0..).zip(&self.agents).filter(|(_, it)| self.table.is_app(it.agent.app, &it.names.app));
        self.ids = known.map(|(id, it)| (it.agent, AgentId(id))).collect();
    }

    /// An absent user agent is an empty one. Rules are interned in `rules`.
    pub fn look_up(&mut self, user_agent: &[u8], keys: &ListenerKeys, rules: &mut LabelSet) -> KnownAgent {
        let fingerprint = keys.fingerprint(user_agent);
        if let Some(known) = self.known.get(&fingerprint) {
            return *known;
        }
        let agent = self.table.classify(user_agent);
        let known = KnownAgent {
            bot: self.bot_rule(user_agent, &agent).map(|rule| rules.intern(rule.as_bytes())),
            is_watch: agent.is_watch_download,
            blocked: self.blocking_rule(user_agent).map(|rule| rules.intern(rule.as_bytes())),
            digest: keys.agent(user_agent),
            agent: self.intern(agent),
        };
        if self.known.len() >= MAX_REMEMBERED {
            self.known.clear();
        }
        self.known.insert(fingerprint, known);
        known
    }

    fn bot_rule(&self, user_agent: &[u8], agent: &Agent) -> Option<String> {
        if user_agent.is_empty() {
            return Some(NO_AGENT.to_owned());
        }
        let is_bot = agent.class.is_automated() && !agent.is_watch_download;
        is_bot.then(|| agent.rule.map_or_else(String::new, |rule| self.table.rule(rule).to_string()))
    }

    fn blocking_rule(&self, user_agent: &[u8]) -> Option<String> {
        let found = self.blocked.iter().find(|pattern| contains(user_agent, pattern.as_bytes()))?;
        Some(format!("lists.blocked_agents: {found}"))
    }

    fn intern(&mut self, agent: Agent) -> AgentId {
        *self.ids.entry(agent).or_insert_with_key(|agent| {
            let app = self.table.app_name(agent.app).into();
            let names = AgentNames { app, device: agent.device };
            self.agents.push(Classified { agent: *agent, names });
            AgentId(u32::try_from(self.agents.len() - 1).expect("fewer than 2^32 classifications"))
        })
    }

    pub fn table(&self) -> &AgentTable {
        &self.table
    }

    /// In the order of [`AgentId`]s.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &AgentNames> {
        self.agents.iter().map(|it| &it.names)
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::Labels;

    #[test]
    fn remembered_and_classified_agree() {
        let keys = ListenerKeys::new([0; 16], None);
        let mut rules = Labels::default().rules;
        let mut agents = UserAgents::new(Arc::new(AgentTable::builtin()), vec!["Evil".into()]);
        for (agent, bot, blocked) in [
            ("Overcast/3.0 (+http://overcast.fm/; iOS podcast app)", None, None),
            ("Googlebot/2.1 (+http://www.google.com/bot.html)", Some(": Googlebot"), None),
            ("Something nobody ever saw", None, None),
            ("EvilPlayer/1.0", None, Some("lists.blocked_agents: Evil")),
            ("GoodPlayer/1.0", None, None),
            ("", Some("no user agent"), None),
        ] {
            let first = agents.look_up(agent.as_bytes(), &keys, &mut rules);
            let text = |rule: Option<LabelId>| rule.map(|rule| rules.text(rule));
            assert_eq!(text(first.blocked), blocked, "{agent}");
            assert_eq!(text(first.bot).is_some(), bot.is_some(), "{agent}");
            assert!(text(first.bot).unwrap_or_default().ends_with(bot.unwrap_or_default()), "{first:?}");
            assert_eq!(agents.look_up(agent.as_bytes(), &keys, &mut rules), first);
        }
    }

    #[test]
    fn names_outlive_the_table_they_came_from() {
        let keys = ListenerKeys::new([0; 16], None);
        let mut rules = Labels::default().rules;
        let mut agents = UserAgents::new(Arc::new(AgentTable::builtin()), vec![]);
        let agent = b"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)";
        let old = agents.look_up(agent, &keys, &mut rules).agent;
        agents.replace_table(Arc::new(AgentTable::builtin()), vec![]);
        let new = agents.look_up(agent, &keys, &mut rules).agent;
        let name = |id: AgentId| agents.names().nth(id.0 as usize).unwrap();
        assert_eq!((&*name(old).app, name(old)), ("Overcast", name(new)));
    }
}
