//! Wiring: what runs, in which order it starts and stops.
//!
//! Start: configuration and rules are read, the journal is opened, sockets are bound; then receivers serve, while the
//! store is migrated and what it does not hold yet is counted from the journal. Stop: receivers take nothing new
//! and answer what they have, the journal closes, counting ends behind its last record, the last sums are
//! committed. What there is no time for stays in the journal for the next start.

mod bodies;
mod committing;
mod counter;
mod counting;
mod episodes;
mod health;
mod intake;
mod methodology;
pub mod rules;
mod samples;
pub mod secret;
mod start;

pub use committing::Committing;
pub use counter::{Counter, Handoff, Sums};
pub use counting::{Counting, Pending};
pub use episodes::{note_rules, open_offline};
pub use intake::{JournalIntake, Unit};
pub use start::{Running, ServiceError, start};
