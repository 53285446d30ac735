//! Wiring: what runs, in which order it starts and stops.
//!
//! Start: configuration and rules are read, the journal is opened and the rules are noted in it, sockets are taken over or
//! bound; then receivers serve, while the store is migrated, the newest state snapshot is loaded, and what is not in it is
//! counted from the journal. Stop: receivers take nothing new and answer what they have, the journal closes, counting ends
//! behind its last record, the last sums are committed, the state is saved. What there is no time for stays in the journal
//! for the next start.

mod begin;
mod bodies;
mod committing;
mod counter;
mod counting;
mod episodes;
pub mod file_limit;
mod health;
mod intake;
mod methodology;
mod pipeline;
pub mod rules;
mod samples;
pub mod secret;
pub mod snapshot;
mod sockets;
mod start;
mod stored;
mod supervisor;

pub use begin::Beginning;
pub use committing::Committing;
pub use counter::{CountError, Counter, Handoff, State, Sums};
pub use counting::{Counting, Pending, Replay};
pub use episodes::{Chapters, note_rules, open_offline};
pub use health::Health;
pub use intake::{JournalIntake, Unit};
pub use start::{Running, ServiceError, start};
