//! Agents seen before: one hash and one comparison instead of a walk through the table.
//!
//! Two generations of a bounded size. An agent is looked for in the young one, then in the old one (and moves to
//! the young one); when the young one is full it becomes the old one, and what nobody asked for since is
//! forgotten. What is forgotten is only the way from bytes to verdict: [`AgentId`]s number the distinct
//! verdicts, of which there are no more than rules × devices, and stay valid for the memo's life.
//!
//! Clients choose the bytes; the seed, which the caller draws, keeps them from choosing collisions. No answer
//! depends on it.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::FixedState;
use hashbrown::{HashMap, HashTable};

use super::table::{Agent, AgentTable};
use crate::units::AgentId;

/// Longer agents are classified anew each time: they are rare, and none of a podcast app's.
const MAX_REMEMBERED_BYTES: usize = 512;

/// A memo over one table, for one thread.
#[derive(Debug)]
pub struct AgentMemo {
    table: Arc<AgentTable>,
    hasher: FixedState,
    /// Entries of each generation.
    generation_size: usize,
    young: HashTable<(Box<[u8]>, AgentId)>,
    old: HashTable<(Box<[u8]>, AgentId)>,
    /// By [`AgentId`].
    verdicts: Vec<Agent>,
    ids: HashMap<Agent, AgentId, FixedState>,
}

impl AgentMemo {
    /// `capacity` is the number of agents remembered, at least 2; each takes up to about 600 bytes.
    pub fn new(table: Arc<AgentTable>, capacity: usize, seed: u64) -> Self {
        Self {
            table,
            hasher: FixedState::with_seed(seed),
            generation_size: (capacity / 2).max(1),
            young: HashTable::new(),
            old: HashTable::new(),
            verdicts: Vec::new(),
            ids: HashMap::with_hasher(FixedState::with_seed(seed)),
        }
    }

    pub fn table(&self) -> &AgentTable {
        &self.table
    }

    /// The verdict on an agent, by number.
    pub fn resolve(&mut self, user_agent: &[u8]) -> AgentId {
        let hash = self.hasher.hash_one(user_agent);
        let is_it = |entry: &(Box<[u8]>, AgentId)| *entry.0 == *user_agent;
        if let Some((_, id)) = self.young.find(hash, is_it) {
            return *id;
        }
        if user_agent.len() > MAX_REMEMBERED_BYTES {
            let verdict = self.table.classify(user_agent);
            return self.intern(verdict);
        }
        let entry = match self.old.find_entry(hash, is_it) {
            Ok(found) => found.remove().0,
            Err(_) => {
                let verdict = self.table.classify(user_agent);
                (user_agent.into(), self.intern(verdict))
            }
        };
        let id = entry.1;
        self.remember(hash, entry);
        id
    }

    /// The number of a verdict, also of one that no agent of this memo led to yet.
    pub fn intern(&mut self, verdict: Agent) -> AgentId {
        *self.ids.entry(verdict).or_insert_with(|| {
            let id = AgentId(u32::try_from(self.verdicts.len()).expect("rules times devices are far fewer"));
            self.verdicts.push(verdict);
            id
        })
    }

    /// Panics on another memo's id.
    pub fn agent(&self, id: AgentId) -> Agent {
        self.verdicts[id.0 as usize]
    }

    /// Agents remembered at the moment.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn remember(&mut self, hash: u64, entry: (Box<[u8]>, AgentId)) {
        if self.young.len() >= self.generation_size {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert_unique(hash, entry, |entry| self.hasher.hash_one(&*entry.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memo(capacity: usize) -> AgentMemo {
        AgentMemo::new(Arc::new(AgentTable::builtin()), capacity, 7)
    }

    #[test]
    fn gives_what_the_table_gives() {
        let mut memo = memo(100);
        for agent in ["Overcast/3.0 (+http://overcast.fm/; iOS podcast app)", "curl/8.0", "", "nobody knows"]
        {
            let id = memo.resolve(agent.as_bytes());
            assert_eq!(memo.agent(id), memo.table().classify(agent.as_bytes()), "{agent}");
            assert_eq!(memo.resolve(agent.as_bytes()), id);
        }
    }

    #[test]
    fn stays_within_its_bounds_and_keeps_its_numbers() {
        let mut memo = memo(10);
        let first = memo.resolve(b"curl/0");
        for n in 0..1_000 {
            memo.resolve(format!("curl/{n}").as_bytes());
            assert!(memo.len() <= 10);
        }
        assert_eq!(memo.resolve(b"curl/0"), first);
        assert_eq!(memo.verdicts.len(), 1);
        memo.resolve(&[b'x'; 10_000]);
        assert!(memo.len() <= 10);
    }

    #[test]
    fn what_is_asked_for_is_not_forgotten() {
        let mut memo = memo(10);
        memo.resolve(b"AntennaPod/3.4.1");
        for n in 0..100 {
            memo.resolve(format!("curl/{n}").as_bytes());
            if n % 3 == 0 {
                memo.resolve(b"AntennaPod/3.4.1");
            }
            let held = |table: &HashTable<(Box<[u8]>, AgentId)>| {
                table.iter().any(|entry| *entry.0 == *b"AntennaPod/3.4.1")
            };
            assert!(held(&memo.young) || held(&memo.old), "after {n}");
        }
    }
}
