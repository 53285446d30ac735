//! The time of a simulated world: it steps forward, now and then a little back, and stands still in between.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use castmeter::clock::Clock;
use castmeter::units::Timestamp;

/// How far below the latest time it has shown a step back may take it.
const FURTHEST_BACK_MICROS: i64 = 120_000_000;

#[derive(Debug)]
pub struct WorldClock {
    now_micros: AtomicI64,
    latest_micros: AtomicI64,
    receipts: Mutex<HashSet<i64>>,
}

impl WorldClock {
    pub fn starting_at(seconds: i64) -> Self {
        let micros = AtomicI64::new(seconds * 1_000_000);
        let latest = AtomicI64::new(seconds * 1_000_000);
        Self { now_micros: micros, latest_micros: latest, receipts: Mutex::default() }
    }

    pub fn forward(&self, seconds: u64) {
        let now = self.now_micros.fetch_add(seconds as i64 * 1_000_000, Ordering::SeqCst);
        self.latest_micros.fetch_max(now + seconds as i64 * 1_000_000, Ordering::SeqCst);
    }

    pub fn back(&self, seconds: u64) {
        let latest = self.latest_micros.load(Ordering::SeqCst);
        let now = self.now_micros.load(Ordering::SeqCst) - seconds as i64 * 1_000_000;
        self.now_micros.store(now.max(latest - FURTHEST_BACK_MICROS), Ordering::SeqCst);
    }

    /// A moment at which nothing else is received: by it a record is known again.
    pub fn receipt(&self) -> Timestamp {
        let mut receipts = self.receipts.lock().expect("no panic while held");
        while !receipts.insert(self.now_micros.fetch_add(1, Ordering::SeqCst) + 1) {}
        self.now()
    }
}

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now_micros.load(Ordering::SeqCst)).expect("in this millennium")
    }

    /// The time of day: nothing is measured here.
    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.latest_micros.load(Ordering::SeqCst) as u64)
    }
}
