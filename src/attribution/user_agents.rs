//! What is known of a user agent, looked up once and remembered by its bytes.

use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::agent::{Agent, AgentTable};
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
    agents: Vec<Classified>,
    /// Those that the table in use may give again.
    ids: HashMap<Agent, AgentId>,
}

/// A classification that was given an id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classified {
    agent: Agent,
    /// By name: the table it is of may be replaced.
    app: Box<str>,
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
        let known = (0..).zip(&self.agents).filter(|(_, it)| self.table.is_app(it.agent.app, &it.app));
        self.ids = known.map(|(id, it)| (it.agent, AgentId(id))).collect();
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
            let app = self.table.app_name(agent.app).into();
            self.agents.push(Classified { agent: *agent, app });
            AgentId(u32::try_from(self.agents.len() - 1).expect("fewer than 2^32 classifications"))
        })
    }

    pub fn table(&self) -> &AgentTable {
        &self.table
    }

    /// Its app and rule are of the table it was classified by: after a change of tables ask [`Self::app`].
    pub fn agent(&self, id: AgentId) -> &Agent {
        &self.agents[id.0 as usize].agent
    }

    /// The app's name, whatever table is in use by now.
    pub fn app(&self, id: AgentId) -> &str {
        &self.agents[id.0 as usize].app
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
