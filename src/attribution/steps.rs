//! Single steps of counting, for `benches/` to time apart from the rest: what is known of a user agent, who the listener
//! is, which bytes a session has. Nothing else uses them from outside this room, and they hold no logic of their own.

use std::net::IpAddr;
use std::sync::Arc;

use super::agent::AgentTable;
use super::coverage::Coverage;
use super::labels::{LabelSet, Labels};
pub use super::listener::AgentDigest;
use super::listener::{ClientAddress, ListenerKeys, Secret};
use super::user_agents::{KnownAgent, UserAgents};
use crate::units::{ByteCount, ByteRange, ListenerKey, UtcDay};

/// The memory of user agents, with the keys that hash them.
#[derive(Debug)]
pub struct Listeners {
    agents: UserAgents,
    keys: ListenerKeys,
    rules: LabelSet,
}

impl Listeners {
    pub fn new(agents: Arc<AgentTable>, secret: Secret) -> Self {
        Self {
            agents: UserAgents::new(agents, Vec::new()),
            keys: ListenerKeys::new(secret, None),
            rules: Labels::default().rules,
        }
    }

    /// Remembered, or classified and remembered.
    pub fn agent(&mut self, user_agent: &[u8]) -> KnownAgent {
        self.agents.look_up(user_agent, &self.keys, &mut self.rules)
    }

    pub fn key(&mut self, address: IpAddr, agent: AgentDigest, day: UtcDay) -> ListenerKey {
        self.keys.client(ClientAddress::new(address), day).listener(agent)
    }
}

/// How many bytes a session has that received these ranges of a file.
pub fn covered(ranges: impl IntoIterator<Item = ByteRange>) -> ByteCount {
    let mut coverage = Coverage::default();
    for range in ranges {
        coverage.insert(range);
    }
    ByteCount(coverage.covered(0, u64::MAX))
}
