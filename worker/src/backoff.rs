//! How long to wait before the next attempt.

use std::time::Duration;

const LONGEST: Duration = Duration::from_mins(10);

/// Doubles with each attempt (the first is 1) and varies by a quarter either way, so that many tasks that
/// failed together don't come back together.
pub(crate) fn delay(base: Duration, attempt: u32) -> Duration {
    let doubled = base.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST);
    doubled.mul_f64(rand::random_range(0.75..1.25))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let base = Duration::from_secs(4);
        for (attempt, seconds) in [(0, 4), (1, 4), (2, 8), (3, 16), (100, 600)] {
            let expected = Duration::from_secs(seconds);
            let delay = delay(base, attempt);
            assert!(
                delay >= expected.mul_f64(0.75) && delay <= expected.mul_f64(1.25),
                "{attempt}: {delay:?}"
            );
        }
    }
}
