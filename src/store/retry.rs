//! Asking again, for ever, with pauses that grow and are never the same for two processes.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::StoreError;

/// Pauses between attempts: doubling from 100 ms to 10 s, each shortened at random by up to a half.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(10);

    pub const fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// Sleeps if the error is transient, after `on_failure` has seen it and the pause; else hands it back.
    pub async fn pause_after(
        &mut self,
        error: StoreError,
        mut on_failure: impl FnMut(&StoreError, Duration),
    ) -> Result<(), StoreError> {
        if !error.is_transient() {
            return Err(error);
        }
        let pause = self.next_pause();
        on_failure(&error, pause);
        tokio::time::sleep(pause).await;
        Ok(())
    }

    fn next_pause(&mut self) -> Duration {
        let longest = self.next;
        self.next = (longest * 2).min(Self::LONGEST);
        // Without randomness the pause is merely not spread.
        let spread = getrandom::u32().unwrap_or(0);
        longest - longest.mul_f64(0.5 * f64::from(spread) / f64::from(u32::MAX))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs `attempt` until it succeeds, fails for good, or is cancelled ([`StoreError::Stopped`]; an attempt under
/// way is dropped then). `on_failure` sees each transient error and the pause that follows it.
pub async fn retry<T, F: Future<Output = Result<T, StoreError>>>(
    cancelled: &CancellationToken,
    mut on_failure: impl FnMut(&StoreError, Duration),
    mut attempt: impl FnMut() -> F,
) -> Result<T, StoreError> {
    let mut backoff = Backoff::new();
    let attempts = async {
        loop {
            match attempt().await {
                Ok(answer) => return Ok(answer),
                Err(error) => backoff.pause_after(error, &mut on_failure).await?,
            }
        }
    };
    cancelled.run_until_cancelled(attempts).await.unwrap_or(Err(StoreError::Stopped))
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    const TRANSIENT: StoreError = StoreError::Timeout { after: Duration::ZERO };

    #[test]
    fn pauses_grow_to_a_limit_and_are_spread() {
        let mut backoff = Backoff::new();
        for limit_ms in [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            let limit = Duration::from_millis(limit_ms);
            let pause = backoff.next_pause();
            assert!(pause <= limit && pause >= limit / 2, "{pause:?} of {limit:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn transient_errors_are_tried_again_and_seen() {
        let (mut left, mut seen) = (5, 0);
        let answer = retry(
            &CancellationToken::new(),
            |_, _| seen += 1,
            || {
                left -= 1;
                ready(if left == 0 { Ok(7) } else { Err(TRANSIENT) })
            },
        )
        .await;
        assert_eq!((answer.unwrap(), seen), (7, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn permanent_errors_are_not() {
        let mut attempts = 0;
        let answer: Result<(), _> = retry(
            &CancellationToken::new(),
            |_, _| (),
            || {
                attempts += 1;
                ready(Err(StoreError::InstanceGone))
            },
        )
        .await;
        assert!(matches!(answer, Err(StoreError::InstanceGone)));
        assert_eq!(attempts, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn cancelling_ends_the_wait() {
        let cancelled = CancellationToken::new();
        let mut failures = 0;
        let stop = |_: &StoreError, _| {
            failures += 1;
            if failures == 3 {
                cancelled.cancel();
            }
        };
        let answer: Result<(), _> = retry(&cancelled, stop, || ready(Err(TRANSIENT))).await;
        assert!(matches!(answer, Err(StoreError::Stopped)));
        assert_eq!(failures, 3);
    }
}
