//! What is known of a user agent, looked up once and remembered by its bytes.

use std::sync::Arc;

use hashbrown::HashMap;

use super::agent::{Agent, AgentTable, DeviceClass};
use super::listener::{AgentDigest, ListenerKeys};
use crate::units::AgentId;

/// User agents remembered at the most; past that all are forgotten and learnt again.
const MAX_REMEMBERED: usize = 500_000;

/// All that counting needs of a user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAgent {
    pub agent: AgentId,
    pub digest: AgentDigest,
    /// Absent, empty, or classed bot, crawler, validator or scripted library.
    pub is_bot: bool,
    /// A watch downloading beside its phone.
    pub is_watch: bool,
    /// On the operator's own list.
    pub is_blocked: bool,
}

/// The table of agents with its memory.
#[derive(Clone, Debug)]
pub struct UserAgents {
    table: Arc<AgentTable>,
    blocked: Vec<String>,
    known: HashMap<Box<[u8]>, KnownAgent>,
    /// Distinct classifications, by [`AgentId`]. Far fewer than user agents.
    agents: Vec<Agent>,
    names: Vec<AgentNames>,
    ids: HashMap<Agent, AgentId>,
}

/// An agent as tables name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentNames {
    pub app: Box<str>,
    pub device: DeviceClass,
}

impl UserAgents {
    /// `blocked`: user agents that contain one of these are blocked.
    pub fn new(table: Arc<AgentTable>, blocked: Vec<String>) -> Self {
        Self {
            table,
            blocked,
            known: HashMap::new(),
            agents: Vec::new(),
            names: Vec::new(),
            ids: HashMap::new(),
        }
    }

    /// Ids given out stay what they were.
    pub fn replace_table(&mut self, table: Arc<AgentTable>, blocked: Vec<String>) {
        self.known.clear();
        (self.table, self.blocked) = (table, blocked);
    }

    /// An absent user agent is an empty one.
    pub fn look_up(&mut self, user_agent: &[u8], keys: &ListenerKeys) -> KnownAgent {
        if let Some(known) = self.known.get(user_agent) {
            return *known;
        }
        let agent = self.table.classify(user_agent);
        let known = KnownAgent {
            is_bot: user_agent.is_empty() || (agent.class.is_automated() && !agent.is_watch_download),
            is_watch: agent.is_watch_download,
            is_blocked: self.blocked.iter().any(|pattern| contains(user_agent, pattern.as_bytes())),
            digest: keys.agent(user_agent),
            agent: self.intern(agent),
        };
        if self.known.len() >= MAX_REMEMBERED {
            self.known.clear();
        }
        self.known.insert(user_agent.into(), known);
        known
    }

    fn intern(&mut self, agent: Agent) -> AgentId {
        *self.ids.entry(agent).or_insert_with_key(|agent| {
            self.agents.push(*agent);
            self.names.push(AgentNames { app: self.table.app_name(agent.app).into(), device: agent.device });
            AgentId(u32::try_from(self.agents.len() - 1).expect("fewer than 2^32 classifications"))
        })
    }

    /// Indexed by [`AgentId`].
    pub fn names(&self) -> &[AgentNames] {
        &self.names
    }

    pub fn table(&self) -> &AgentTable {
        &self.table
    }

    pub fn agent(&self, id: AgentId) -> &Agent {
        &self.agents[id.0 as usize]
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembered_and_classified_agree() {
        let keys = ListenerKeys::new([0; 16], None);
        let mut agents = UserAgents::new(Arc::new(AgentTable::builtin()), vec!["Evil".into()]);
        for (agent, is_bot, is_blocked) in [
            ("Overcast/3.0 (+http://overcast.fm/; iOS podcast app)", false, false),
            ("Googlebot/2.1 (+http://www.google.com/bot.html)", true, false),
            ("Something nobody ever saw", false, false),
            ("EvilPlayer/1.0", false, true),
            ("", true, false),
        ] {
            let first = agents.look_up(agent.as_bytes(), &keys);
            assert_eq!((first.is_bot, first.is_blocked), (is_bot, is_blocked), "{agent}");
            assert_eq!(agents.look_up(agent.as_bytes(), &keys), first);
        }
    }
}
