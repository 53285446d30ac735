//! The counting rules: which requests count, for whom, and when a session is a download.
//!
//! Pure: bytes, time and configuration in, an outcome out. No tokio, no sockets, no clock, no randomness,
//! no metrics. The base is the IAB Tech Lab *Podcast Measurement Guidelines* v2.3; `docs/methodology.md`
//! states each rule with its clause.
//!
//! [`Engine`] takes parsed lines. The other files hold one question each: `registry` (which
//! episode?), `checks` and `policy` (does it count?), `listener` (who?), `delivery` and `coverage` (which bytes?),
//! `session` (with what else?), `verdict` (is it a download?), `watermark` (is the day still open?).

pub mod agent;
mod chapter;
mod checks;
mod compact;
mod coverage;
mod delivery;
mod distinct;
mod division;
mod engine;
mod episode;
mod exclusion;
mod fate;
mod labels;
mod listener;
mod listening;
mod networks;
mod open;
mod origin;
mod outcome;
mod path;
mod policy;
mod redelivery;
mod referrer;
mod registry;
mod saved;
mod session;
pub(crate) mod slots;
mod state;
pub mod steps;
mod subscribers;
#[cfg(test)]
pub mod testing;
mod user_agents;
mod verdict;
mod watermark;

pub use chapter::Chapter;
pub use delivery::Delivery;
pub use distinct::Granularity;
pub use division::{Chunk, Division, Share, Step};
pub use engine::Engine;
pub use episode::Episode;
pub use fate::{Fate, Reason};
pub use labels::{LabelSet, Labels};
pub use listener::Secret;
pub use listening::{BINS, Listening, Progress};
pub use networks::{BadNetwork, NetworkList};
pub use origin::Origin;
pub use outcome::{Counted, Exclusion, FeedVisit, OlderWay, Outcome, Reader, Receipt, Traffic};
pub use policy::{Closing, Filters, Lists, Policy, Redelivery};
pub use redelivery::Memory;
pub use referrer::Referrer;
pub use registry::{Mode, Registry};
pub use session::{Change, Contribution, Joined, LAUNCH_HOURS, SessionState, Window};
pub use state::State;
pub use user_agents::AgentNames;
pub use verdict::Thresholds;
