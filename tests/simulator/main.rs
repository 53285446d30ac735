//! The simulator: one seed makes a small world in which everything goes wrong, and in the end the tables must be
//! those of a naive reference, to the last number.
//!
//! The components are the real ones, in process: journal, intake, counter, committing, SQLite. What runs by itself in
//! the service (threads, timers) is stepped here, so that a seed gives the same run each time. Not simulated:
//! sockets, and Postgres; the tests of the receivers, of the store and of the binary are for those.
//!
//! `SIMULATE_SEEDS=10000` runs so many seeds, `SIMULATE_SEED=7` only that one, and tells it step by step.

mod canary;
mod clock;
mod database;
mod dice;
mod disk;
mod dump;
mod figures;
mod ledger;
mod life;
mod lines;
#[path = "../support/model.rs"]
mod plain;
mod process;
mod reference;
mod seeds;
mod sender;
mod steps;
mod twin;
mod world;

use canary::Canary;
use figures::Figures;
use seeds::{Run, quarter, run};

#[test]
fn simulate_0() {
    quarter(0);
}

#[test]
fn simulate_1() {
    quarter(1);
}

#[test]
fn simulate_2() {
    quarter(2);
}

#[test]
fn simulate_3() {
    quarter(3);
}

/// Else a seed that fails could not be looked at again.
#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 1_000..1_005 {
        let (one, other) = (run(seed, None), run(seed, None));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert!(one.trace.len() > 25);
    }
}

/// A table without rows would be compared for nothing.
#[test]
fn all_tables_are_compared() {
    let mut figures = Figures::default();
    (2_000..2_040).for_each(|seed| figures += run(seed, None).figures);
    let empty: Vec<_> = figures.rows.iter().filter(|(_, rows)| **rows == 0).collect();
    assert!(empty.is_empty(), "{empty:?}");
    assert!(figures.rows.len() > 10, "{:?}", figures.rows);
}

/// A simulator that misses what was broken on purpose would miss the rest as well.
#[test]
fn every_canary_is_caught() {
    const MOST_SEEDS: u64 = 40;
    for canary in Canary::ALL {
        let caught = (0..MOST_SEEDS).find(|seed| run(*seed, Some(canary)).failure.is_some());
        let seed = caught.unwrap_or_else(|| panic!("{canary:?} is not caught by {MOST_SEEDS} seeds"));
        let Run { failure, .. } = run(seed, Some(canary));
        println!("{canary:?}: seed {seed}: {}", failure.unwrap_or_default());
        assert_eq!(run(seed, None).failure, None, "seed {seed} without {canary:?}");
    }
}
