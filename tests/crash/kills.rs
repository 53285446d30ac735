//! The service killed over and over; and that what goes wrong would be noticed.
//!
//! `CRASH_KILLS`, `CRASH_SEED` and `CRASH_STORE` (`sqlite`, `postgres` or `both`) say how often, on which traffic and with
//! which store.

use std::env;

use crate::attack::{Round, Sabotage, attack};
use crate::stage::Store;

/// As many as a few seconds allow.
const FEW: usize = 12;

#[test]
fn killed_over_and_over_with_sqlite() {
    if is_wanted("sqlite") {
        attack(Store::Sqlite, FEW);
    }
}

#[test]
fn killed_over_and_over_with_postgres() {
    if is_wanted("postgres") {
        attack(Store::Postgres, FEW);
    }
}

fn is_wanted(store: &str) -> bool {
    let wanted = env::var("CRASH_STORE").unwrap_or_else(|_| "both".to_owned());
    assert!(["sqlite", "postgres", "both"].contains(&&*wanted), "CRASH_STORE={wanted}");
    wanted == store || wanted == "both"
}

#[test]
fn lost_and_doubled_lines_would_be_noticed() {
    for sabotage in [Sabotage::JournalEnd, Sabotage::Position] {
        let report = Round::new(1, 2, 0).sabotaged(sabotage).run(Store::Sqlite);
        match sabotage {
            Sabotage::JournalEnd => assert!(report.lost > 0, "{report}"),
            Sabotage::Position => assert!(report.doubled > 0 && report.lost == 0, "{report}"),
        }
    }
}
