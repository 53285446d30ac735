//! What counting needs of a line that hangs on no other line: its episode, its agent, and the keys it is looked up by.
//!
//! The tables of open days are many times larger than a processor's cache, so nearly every look-up waits for memory, and
//! lines counted one by one wait once for each. Lines are therefore prepared many at a time, and what counting will
//! read of the tables is read then: those waits overlap. Nothing but time depends on it.

use std::borrow::Borrow;

use super::{Engine, check_nature};
use crate::attribution::listener::ClientAddress;
use crate::attribution::outcome::{Outcome, Receipt};
use crate::attribution::redelivery::IdHash;
use crate::attribution::registry::Resolved;
use crate::attribution::session::{Change, Place};
use crate::attribution::user_agents::KnownAgent;
use crate::event::{Malformed, Request};
use crate::units::{EpisodeId, KeyId, ListenerKey};

/// Lines that are prepared together: enough for their waits to overlap, few enough to stay in the nearest cache.
const TOGETHER: usize = 32;

/// A line before it is counted. Holds until the rules or the catalogue change.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prepared {
    /// Of a line whose id counts as seen from here on, whatever becomes of it.
    pub(super) id: Option<IdHash>,
    /// Nothing, where the line repeats another by its nature or with its body.
    pub(super) known: Option<Known>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) address: ClientAddress,
    pub(super) resolved: Resolved,
    pub(super) client: Option<Client>,
}

/// Who asked for an episode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) agent: KnownAgent,
    pub(super) listener: ListenerKey,
    /// What the listener was hashed under.
    pub(super) key: KeyId,
    /// Address and episode, as the older way tells them apart.
    pub(super) address_hash: u64,
    /// Where the session was found, if there was one.
    pub(super) place: Option<Place>,
}

impl Engine {
    /// Counts lines that came in together, in their order, which is faster than one by one. Each goes to `each` with what
    /// it came with, its outcome, and what it changed in the sessions.
    pub fn observe_all<'l, T: Copy, L: Borrow<Result<Request<'l>, Malformed>>>(
        &mut self,
        lines: impl IntoIterator<Item = (T, L)>,
        receipt: Receipt,
        mut each: impl FnMut(T, &Result<Request<'l>, Malformed>, &Outcome, &[Change]),
    ) {
        let mut lines = lines.into_iter();
        let mut together = Vec::with_capacity(TOGETHER);
        let mut prepared = Vec::with_capacity(TOGETHER);
        loop {
            together.extend(lines.by_ref().take(TOGETHER));
            if together.is_empty() {
                return;
            }
            prepared.extend(together.iter().map(|(_, line)| self.prepare(line.borrow(), receipt)));
            for ((_, line), prepared) in together.iter().zip(&mut prepared) {
                self.look_ahead(line.borrow(), prepared);
            }
            for ((with, line), prepared) in together.iter().zip(&prepared) {
                let outcome = self.count_line(line.borrow(), *prepared, receipt);
                each(*with, line.borrow(), &outcome, &self.changes);
            }
            together.clear();
            prepared.clear();
        }
    }

    pub(super) fn prepare(&mut self, line: &Result<Request<'_>, Malformed>, receipt: Receipt) -> Prepared {
        let Some(request) = line.as_ref().ok().filter(|request| check_nature(request).is_none()) else {
            return Prepared::default();
        };
        let id = request.id.as_ref().map(|id| self.seen.hash(id));
        Prepared { id, known: (!receipt.redelivered).then(|| self.known(request)) }
    }

    fn known(&mut self, request: &Request<'_>) -> Known {
        let address = ClientAddress::new(request.address);
        let resolved = self.registry.resolve(&request.url, request.host.as_deref());
        let episode = resolved.episode.filter(|_| !resolved.feed);
        Known { address, resolved, client: episode.map(|episode| self.client(request, address, episode)) }
    }

    fn client(&mut self, request: &Request<'_>, address: ClientAddress, episode: EpisodeId) -> Client {
        let agent = self.look_up(request);
        Client {
            agent,
            listener: self.keys.listener(address, agent.digest, request.start.day()),
            key: self.keys.key_id(),
            address_hash: self.keys.address(address, episode),
            place: None,
        }
    }

    /// Reads what counting will read.
    fn look_ahead(&self, line: &Result<Request<'_>, Malformed>, prepared: &mut Prepared) {
        prepared.id.into_iter().for_each(|id| self.seen.touch(id));
        let (Ok(Request { start, .. }), Some(known)) = (line, &mut prepared.known) else { return };
        if let (Some(episode), Some(client)) = (known.resolved.episode, &mut known.client) {
            self.addresses.touch(start.hour(), client.address_hash);
            client.place = self.sessions.find(client.listener, episode, start.day());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
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
        let line = Ok(Request { id: Some(Cow::Borrowed(b"a")), ..request("/a.mp3") });
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
