//! The whole service under attack: the real binary, real databases, generated traffic, and whatever goes wrong.
//!
//! Each test ends with the same question: is all that was acknowledged counted, and once? What was seen is written down in
//! `docs/reliability.md`. A longer run: `make crash`.

#[path = "../support/mod.rs"]
mod support;

mod attack;
mod clock_steps;
mod damage;
mod disk_full;
mod judge;
mod kills;
mod load;
mod numbers;
mod postgres_fails;
mod shutdown;
mod small_disk;
mod stage;
mod traffic;

use support::{counted, postgres, proxy, service, tables};
