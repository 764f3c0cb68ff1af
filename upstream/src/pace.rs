//! The rate limit: requests start at even distances.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Hands out moments at which a request may start.
pub(crate) struct Pace {
    distance: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most `per_second` requests start in a second; `None` and 0 mean that there is no limit.
    pub(crate) fn new(per_second: Option<u32>) -> Self {
        let distance =
            per_second.filter(|rate| *rate > 0).map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate);
        Self { distance, next: Mutex::new(None) }
    }

    /// Waits for this request's moment.
    pub(crate) async fn wait(&self) {
        if !self.distance.is_zero() {
            tokio::time::sleep_until(self.reserve(Instant::now())).await;
        }
    }

    fn reserve(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = next.map_or(now, |next| next.max(now));
        *next = Some(moment + self.distance);
        moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_keep_their_distance() {
        let (pace, now) = (Pace::new(Some(4)), Instant::now());
        let quarter = Duration::from_millis(250);
        assert_eq!(
            [pace.reserve(now), pace.reserve(now), pace.reserve(now)],
            [now, now + quarter, now + 2 * quarter]
        );
        let later = now + Duration::from_secs(9);
        assert_eq!([pace.reserve(later), pace.reserve(later)], [later, later + quarter]);
    }
}
