//! All that an engine's future depends on besides policy, table of agents and secret: what a restart brings back.
//!
//! The fields derive their own form, so a field added anywhere below is saved with the rest. Left out is what can be made again
//! (memory of user agents, indexes), and the secret. Ids are saved as they are: sessions refer to
//! episodes, agents and sources by them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::distinct::Distinct;
use super::redelivery::SeenIds;
use super::registry::Registry;
use super::session::Sessions;
use super::user_agents::Classified;
use super::watermark::Watermark;

/// A state: borrowed from an engine to be written, or owned as it was read. See [`Engine::state`](super::Engine::state).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State<'e> {
    pub(super) registry: Cow<'e, Registry>,
    pub(super) agents: Cow<'e, [Classified]>,
    pub(super) seen: Cow<'e, SeenIds>,
    pub(super) sessions: Cow<'e, Sessions>,
    pub(super) addresses: Cow<'e, Distinct>,
    pub(super) listeners: Cow<'e, Distinct>,
    pub(super) watermark: Cow<'e, Option<Watermark>>,
}
