//! What syncs took from upstreams, counted by the upstream's host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

/// So many hosts are told apart; those that are met later count together, since each costs memory here and in the
/// monitoring for ever.
const MAX_HOSTS: usize = 100;
const OTHER_HOSTS: &str = "other";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HostLabel {
    upstream: String,
}

/// What syncs took from upstreams. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct SyncMetrics {
    bytes: Family<HostLabel, Counter>,
    requests: Family<HostLabel, Counter>,
    hosts: Arc<Mutex<HashMap<String, Traffic>>>,
}

/// The counters of one host, looked up once for each sync.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    pub(crate) bytes: Counter,
    pub(crate) requests: Counter,
}

impl SyncMetrics {
    /// Enters all of them into a registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("sync");
        registry.register_with_unit(
            "received",
            "Bytes of blobs and manifests that syncs received, by the host of the remote",
            Unit::Bytes,
            self.bytes.clone(),
        );
        registry.register(
            "requests",
            "Requests that syncs made, tokens, redirects and retries included, by the host of the remote",
            self.requests.clone(),
        );
    }

    /// The counters of a host.
    pub(crate) fn of(&self, host: &str) -> Traffic {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = hosts.get(host) {
            return known.clone();
        }
        let name = if hosts.len() < MAX_HOSTS { host } else { OTHER_HOSTS };
        let label = HostLabel { upstream: name.to_owned() };
        let traffic = Traffic {
            bytes: self.bytes.get_or_create_owned(&label),
            requests: self.requests.get_or_create_owned(&label),
        };
        if name == host {
            hosts.insert(host.to_owned(), traffic.clone());
        }
        traffic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_hosts_are_told_apart() {
        let metrics = SyncMetrics::default();
        for host in 0..MAX_HOSTS + 5 {
            metrics.of(&format!("host{host}")).bytes.inc_by(1);
        }
        metrics.of("host1").bytes.inc_by(2);
        let count = |host: &str| metrics.bytes.get_or_create(&HostLabel { upstream: host.into() }).get();
        assert_eq!((count("host0"), count("host1"), count("other")), (1, 3, 5));
    }
}
