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
#[derive(Clone, Copy, Debug)]
pub(super) struct Prepared(pub(super) Option<Known>);

/// Of a line that is a request and repeats no other by its nature.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) address: ClientAddress,
    pub(super) id: Option<IdHash>,
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
        let Ok(request) = line else { return Prepared(None) };
        if check_nature(request).is_some() || receipt.redelivered {
            return Prepared(None);
        }
        let address = ClientAddress::new(request.address);
        let resolved = self.registry.resolve(&request.url, request.host.as_deref());
        let episode = resolved.episode.filter(|_| !resolved.feed);
        Prepared(Some(Known {
            address,
            id: request.id.as_ref().map(|id| self.seen.hash(id)),
            resolved,
            client: episode.map(|episode| self.client(request, address, episode)),
        }))
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
        let (Ok(Request { start, .. }), Prepared(Some(known))) = (line, prepared) else { return };
        known.id.into_iter().for_each(|id| self.seen.touch(id));
        if let (Some(episode), Some(client)) = (known.resolved.episode, &mut known.client) {
            self.addresses.touch(start.hour(), client.address_hash);
            client.place = self.sessions.find(client.listener, episode, start.day());
        }
    }
}
