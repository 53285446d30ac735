//! What time it is. The only place that asks the operating system, so that everything else can be run at
//! any time a test or a simulation chooses.
//!
//! Waiting (sleeps, timeouts) is tokio's business, whose time can be paused; it is not covered here.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::units::Timestamp;

/// A source of time. `Arc<dyn Clock>` is handed to whoever needs one.
pub trait Clock: Send + Sync + 'static {
    /// The time of day, which an operator or NTP may set back.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment of this process; never goes backwards. For measuring spans.
    fn monotonic(&self) -> Duration;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().plus(since_epoch)
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    origin: Timestamp,
    elapsed_micros: AtomicI64,
}

impl ManualClock {
    pub const fn new(origin: Timestamp) -> Self {
        Self { origin, elapsed_micros: AtomicI64::new(0) }
    }

    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.elapsed_micros.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.origin.plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        let micros = self.elapsed_micros.load(Ordering::SeqCst);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(Timestamp::from_seconds(100).unwrap());
        assert_eq!(clock.now().seconds(), 100);
        clock.advance(Duration::from_millis(2_500));
        assert_eq!(clock.now().micros(), 102_500_000);
        assert_eq!(clock.monotonic(), Duration::from_millis(2_500));
    }

    #[test]
    fn the_system_clock_is_past_the_day_this_was_written() {
        let clock = SystemClock::new();
        assert!(clock.now() > Timestamp::from_seconds(1_762_000_000).unwrap());
        let before = clock.monotonic();
        assert!(clock.monotonic() >= before);
    }
}
