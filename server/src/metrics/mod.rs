//! `/metrics`, for Prometheus: what this process counted, and what the database holds at the moment.
//!
//! The registry is made by whoever starts the process, so that every crate enters its own metrics. What is counted
//! for each request has its place looked up once; a request costs two additions.

mod endpoint;
mod http;
mod process;
mod queue;

use std::sync::Arc;

use prometheus_client::registry::Registry;

pub(crate) use endpoint::get;
pub(crate) use http::{HttpMetrics, OpenEventStream};
pub(crate) use queue::QueueGauges;

/// All metrics of this process.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    http: HttpMetrics,
    queue: QueueGauges,
}

impl Metrics {
    /// Adds the metrics of the HTTP surfaces, of the queue and of the process to what others have entered.
    pub(crate) fn new(mut registry: Registry) -> Self {
        let http = HttpMetrics::default();
        http.register(registry.sub_registry_with_prefix("entrepot"));
        let queue = QueueGauges::default();
        queue.register(registry.sub_registry_with_prefix("entrepot"));
        registry.register_collector(Box::new(process::ProcessCollector));
        Self(Arc::new(Inner { registry, http, queue }))
    }

    pub(crate) fn http(&self) -> &HttpMetrics {
        &self.0.http
    }
}
