//! Requests and their answers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use poem::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// From a cached manifest to a listing that has to think, in seconds.
const BUCKETS: [f64; 11] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// The parts of the server, by the first part of the path.
const SURFACES: [&str; 6] = ["registry", "management", "token", "health", "ui", "other"];
/// Methods that clients use. Any other is one: names that clients make up must not become series.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    surface: &'static str,
    method: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SurfaceLabel {
    surface: &'static str,
}

/// Requests and their answers. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct HttpMetrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    requests: Family<RequestLabels, Counter>,
    durations: Family<SurfaceLabel, Histogram, fn() -> Histogram>,
    sent: Counter,
    event_streams: Gauge,
    /// The same counters by place: filled when first needed, so that only what happens is a series.
    counters: [[[OnceLock<Counter>; CLASSES.len()]; METHODS.len()]; SURFACES.len()],
    histograms: [OnceLock<Histogram>; SURFACES.len()],
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self(Arc::new(Inner {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            sent: Counter::default(),
            event_streams: Gauge::default(),
            counters: Default::default(),
            histograms: Default::default(),
        }))
    }
}

impl HttpMetrics {
    /// Enters all of them into a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("http");
        registry.register(
            "requests",
            "Requests that were answered, by surface, method and class of status",
            self.0.requests.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "From a request to the head of its answer; the body is on its way after that",
            Unit::Seconds,
            self.0.durations.clone(),
        );
        registry.register_with_unit(
            "sent",
            "Bytes that were sent to clients, heads included",
            Unit::Bytes,
            self.0.sent.clone(),
        );
        registry.register(
            "event_streams",
            "Streams of a task's events that are open",
            self.0.event_streams.clone(),
        );
    }

    pub(crate) fn count(&self, path: &str, method: &Method, status: StatusCode, took: Duration) {
        let surface = surface_of(path);
        let method = METHODS.iter().position(|known| *known == method.as_str());
        let method = method.unwrap_or(METHODS.len() - 1);
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        let labels =
            || RequestLabels { surface: SURFACES[surface], method: METHODS[method], status: CLASSES[class] };
        let counter = &self.0.counters[surface][method][class];
        counter.get_or_init(|| self.0.requests.get_or_create_owned(&labels())).inc();
        let label = || SurfaceLabel { surface: SURFACES[surface] };
        let histogram = &self.0.histograms[surface];
        histogram.get_or_init(|| self.0.durations.get_or_create_owned(&label())).observe(took.as_secs_f64());
    }

    /// Counts bytes that are sent.
    pub(crate) fn sent(&self) -> Counter {
        self.0.sent.clone()
    }

    /// Counts a stream of events as open until the guard is dropped.
    pub(crate) fn enter_event_stream(&self) -> OpenEventStream {
        self.0.event_streams.inc();
        OpenEventStream(self.clone())
    }
}

/// A stream of events that is open.
#[derive(Debug)]
pub(crate) struct OpenEventStream(HttpMetrics);

impl Drop for OpenEventStream {
    fn drop(&mut self) {
        self.0.0.event_streams.dec();
    }
}

fn surface_of(path: &str) -> usize {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    match first {
        "v2" => 0,
        "pulp" => 1,
        "token" => 2,
        "livez" | "readyz" | "metrics" => 3,
        "" | "ui" => 4,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_what_is_known_beforehand() {
        let metrics = HttpMetrics::default();
        let (took, ok) = (Duration::from_millis(2), StatusCode::OK);
        metrics.count("/v2/app/manifests/latest", &Method::GET, ok, took);
        metrics.count("/v2/app/manifests/latest", &Method::GET, StatusCode::NOT_MODIFIED, took);
        metrics.count("/pulp/api/v3/tasks/", &Method::from_bytes(b"MADE-UP").unwrap(), ok, took);
        metrics.count("/made/up", &Method::GET, StatusCode::from_u16(999).unwrap(), took);
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let mut lines: Vec<_> = text.lines().filter(|line| line.starts_with("http_requests_total")).collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "http_requests_total{surface=\"management\",method=\"other\",status=\"2xx\"} 1",
                "http_requests_total{surface=\"other\",method=\"GET\",status=\"5xx\"} 1",
                "http_requests_total{surface=\"registry\",method=\"GET\",status=\"2xx\"} 1",
                "http_requests_total{surface=\"registry\",method=\"GET\",status=\"3xx\"} 1",
            ]
        );
        let at =
            |le: &str| format!("http_request_duration_seconds_bucket{{le=\"{le}\",surface=\"registry\"}}");
        assert!(text.contains(&format!("{} 0\n", at("0.001"))), "{text}");
        assert!(text.contains(&format!("{} 2\n", at("0.005"))), "{text}");
    }
}
