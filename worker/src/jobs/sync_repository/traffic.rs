//! Counts what one sync takes from its upstream, while it runs and whatever its end is.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use upstream::Client;

use crate::SyncMetrics;
use crate::metrics::Traffic;

pub(super) struct TrafficMeter {
    counters: Traffic,
    client: Client,
    /// How many of the client's requests were counted so far.
    counted: AtomicU64,
}

impl TrafficMeter {
    pub(super) fn new(metrics: &SyncMetrics, client: Client) -> Self {
        let url = &client.config().url;
        let host = url.host_str().unwrap_or_default();
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Self { counters: metrics.of(&host), client, counted: AtomicU64::new(0) }
    }

    pub(super) fn add_bytes(&self, count: usize) {
        self.counters.bytes.inc_by(count as u64);
    }

    pub(super) fn count_requests(&self) {
        let all = self.client.request_count();
        self.counters.requests.inc_by(all.saturating_sub(self.counted.swap(all, Relaxed)));
    }
}

/// The last requests count also when the sync is stopped in the middle.
impl Drop for TrafficMeter {
    fn drop(&mut self) {
        self.count_requests();
    }
}
