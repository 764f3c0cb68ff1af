//! The least throughput of a blob. Without it, an upstream that sends a byte a minute keeps a worker for ever.

use std::time::Duration;

use crate::{Limits, SafeUrl, UpstreamError};

/// Counts the bytes that came in each window of waiting. The time that the caller takes is not the
/// upstream's fault and is not counted.
pub(crate) struct Floor {
    bytes_per_second: u64,
    window: Duration,
    waited: Duration,
    received_bytes: u64,
}

impl Floor {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            bytes_per_second: limits.floor_bytes_per_second,
            window: limits.floor_window,
            waited: Duration::ZERO,
            received_bytes: 0,
        }
    }

    /// Counts bytes and the time that was spent waiting for them.
    pub(crate) fn count(&mut self, url: &SafeUrl, bytes: u64, waited: Duration) -> Result<(), UpstreamError> {
        self.received_bytes += bytes;
        self.waited += waited;
        if self.waited < self.window {
            return Ok(());
        }
        let (received_bytes, waited) = (self.received_bytes, self.waited);
        (self.received_bytes, self.waited) = (0, Duration::ZERO);
        if u128::from(received_bytes) * 1000 < u128::from(self.bytes_per_second) * waited.as_millis() {
            return Err(UpstreamError::TooSlow { url: url.clone(), received_bytes, waited });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_window_below_the_floor_is_too_slow() {
        let home: url::Url = "http://h/".parse().unwrap();
        let url = SafeUrl::of(&home, &home);
        let half = Duration::from_secs(30);
        let mut floor = Floor::new(&Limits::default());
        floor.count(&url, 1, half).unwrap();
        floor.count(&url, 1024 * 60 - 1, half).unwrap();
        floor.count(&url, 1, half).unwrap();
        let error = floor.count(&url, 1024 * 60 - 2, half).unwrap_err();
        assert!(matches!(error, UpstreamError::TooSlow { received_bytes: 61_439, .. }), "{error}");
    }
}
