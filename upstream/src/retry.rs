//! When to try again, and after how long.

use std::time::Duration;

use registry::Timestamp;

use crate::{Limits, UpstreamError};

/// How often a host that has never answered is tried again. A refused connection or an unknown name is rarely a passing
/// failure then, and people wait for the word.
const RETRIES_BEFORE_CONTACT: u32 = 1;

/// How often to try again and how long to wait before.
#[derive(Debug, Clone)]
pub(crate) struct RetryPolicy {
    max_retries: u32,
    backoff_base: Duration,
    backoff_max: Duration,
    retry_after_max: Duration,
}

impl RetryPolicy {
    pub(crate) fn new(max_retries: u32, limits: &Limits) -> Self {
        Self {
            max_retries,
            backoff_base: limits.backoff_base,
            backoff_max: limits.backoff_max,
            retry_after_max: limits.retry_after_max,
        }
    }

    /// Exponential backoff with full jitter: anything from nothing to a bound that doubles each time, so
    /// that many clients that failed together do not come back together.
    fn backoff(&self, failures: u32, random: f64) -> Duration {
        let doubled = self.backoff_base.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        doubled.min(self.backoff_max).mul_f64(random.clamp(0.0, 1.0))
    }

    fn pause(&self, error: &UpstreamError, failures: u32) -> Duration {
        match error.retry_after() {
            Some(asked) => asked.min(self.retry_after_max),
            None => self.backoff(failures, rand::random()),
        }
    }
}

/// The failures of one piece of work since it last made progress.
#[derive(Debug)]
pub(crate) struct Retries {
    policy: RetryPolicy,
    failures: u32,
}

impl Retries {
    pub(crate) fn new(policy: &RetryPolicy) -> Self {
        Self { policy: policy.clone(), failures: 0 }
    }

    /// Bytes arrived: the budget is whole again.
    pub(crate) fn made_progress(&mut self) {
        self.failures = 0;
    }

    /// Waits until the work may be tried again, or gives the error back when it may not.
    pub(crate) async fn wait_after(&mut self, error: UpstreamError) -> Result<(), UpstreamError> {
        let most = if error.is_unreachable() {
            self.policy.max_retries.min(RETRIES_BEFORE_CONTACT)
        } else {
            self.policy.max_retries
        };
        if !error.is_worth_retrying() || self.failures >= most {
            return Err(error);
        }
        self.failures += 1;
        let pause = self.policy.pause(&error, self.failures);
        tracing::info!(
            %error,
            attempt = self.failures,
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            "a request to an upstream failed and will be tried again"
        );
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds, or the date that RFC prefers (`IMF-fixdate`).
pub(crate) fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean a pause longer than any limit.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some(Timestamp::from(date.to_utc()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy::new(3, &Limits::default())
    }

    #[test]
    fn backoff_doubles_up_to_a_bound() {
        let bounds: Vec<u128> = (1..=9).map(|failures| policy().backoff(failures, 1.0).as_millis()).collect();
        assert_eq!(bounds, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(policy().backoff(u32::MAX, 1.0), Duration::from_secs(30));
    }

    #[test]
    fn jitter_reaches_from_nothing_to_the_bound() {
        assert_eq!(policy().backoff(2, 0.0), Duration::ZERO);
        assert_eq!(policy().backoff(2, 0.5), Duration::from_millis(250));
        let url: url::Url = "http://h/".parse().unwrap();
        let url = crate::SafeUrl::of(&url, &url);
        let error = UpstreamError::Timeout { url, waiting: crate::Waiting::Answer, limit: Duration::ZERO };
        for _ in 0..1000 {
            assert!(policy().pause(&error, 1) <= Duration::from_millis(250));
        }
    }

    #[test]
    fn retry_after_is_obeyed_up_to_a_bound() {
        let url: url::Url = "http://h/".parse().unwrap();
        let url = crate::SafeUrl::of(&url, &url);
        let asks = |seconds| UpstreamError::RateLimited {
            url: url.clone(),
            retry_after: Some(Duration::from_secs(seconds)),
            message: String::new(),
        };
        assert_eq!(policy().pause(&asks(7), 1), Duration::from_secs(7));
        assert_eq!(policy().pause(&asks(0), 3), Duration::ZERO);
        assert_eq!(policy().pause(&asks(3600), 1), Duration::from_mins(5));
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = Timestamp::from_micros(784_111_777_000_000); // Sun, 06 Nov 1994 08:49:37 GMT
        let read = |text| parse_retry_after(text, now);
        assert_eq!(read(" 120 "), Some(Duration::from_mins(2)));
        assert_eq!(read("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_mins(1)));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        for bad in ["", "-1", "1.5", "soon", "Mon, 06 Nov 1994 08:50:37 GMT"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
