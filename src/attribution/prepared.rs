//! What counting needs of a line that hangs on no other line: its episode, its agent, and the keys it is looked up by.
//!
//! The tables of open days are many times larger than a processor's cache, so nearly every look-up waits for memory, and
//! lines counted one by one wait once for each. Lines are therefore prepared many at a time, and what counting will
//! read of the tables is read then: those waits overlap. Nothing but time depends on it.

use super::listener::ClientAddress;
use super::redelivery::IdHash;
use super::registry::Resolved;
use super::session::Place;
use super::user_agents::KnownAgent;
use crate::units::{KeyId, ListenerKey};

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
