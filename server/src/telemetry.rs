//! Correlation ids and traces, one span and one event for each request, its metrics, and the last net for panics.
//!
//! Nothing is logged that a client sent beside method and path: no query, no header, no body.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures::FutureExt as _;
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use poem::{Endpoint, FromRequest, Request, RequestBody, Response, Result};
use registry::TraceParent;
use tracing::Instrument as _;

use crate::metrics::HttpMetrics;

const HEADER: HeaderName = HeaderName::from_static("correlation-id");
/// W3C Trace Context. It is not sent on: upstreams learn nothing of what runs here.
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// Names one request in logs, tasks and answers. Handlers find it in the request's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationId(
    /// The id.
    pub String,
    /// The distributed trace that the request is a part of, if its client named one.
    pub(crate) Option<TraceParent>,
);

impl CorrelationId {
    /// The client's id when it is a UUID (32 hexadecimal digits, or with dashes), else a fresh one: the
    /// `pulp` command relies on a bad one being replaced.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let sent = text(HEADER).filter(|text| is_uuid(text));
        let trace_parent = text(TRACE_PARENT).and_then(|text| text.parse().ok());
        Self(sent.map_or_else(Self::fresh_text, str::to_owned), trace_parent)
    }

    /// The id of `request`, or a fresh one where no middleware set it.
    pub(crate) fn of_request(request: &Request) -> Self {
        request.data::<Self>().cloned().unwrap_or_else(|| Self(Self::fresh_text(), None))
    }

    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.1.as_ref().map(TraceParent::trace_id)
    }

    fn fresh_text() -> String {
        uuid::Builder::from_random_bytes(rand::random()).into_uuid().simple().to_string()
    }
}

impl<'a> FromRequest<'a> for CorrelationId {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(Self::of_request(request))
    }
}

fn is_uuid(text: &str) -> bool {
    matches!(text.len(), 32 | 36) && uuid::Uuid::try_parse(text).is_ok()
}

/// Wraps the whole application.
pub(crate) struct Traced<E> {
    inner: E,
    metrics: HttpMetrics,
}

impl<E> Traced<E> {
    pub(crate) fn new(inner: E, metrics: HttpMetrics) -> Self {
        Self { inner, metrics }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Traced<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let started = Instant::now();
        let id = CorrelationId::of(request.headers());
        let method = request.method().clone();
        let uri = request.original_uri().clone();
        let quiet = is_routine(&method, uri.path());
        let span = if quiet {
            let path = uri.path();
            tracing::debug_span!("request", %method, path, correlation_id = id.0, trace_id = id.trace_id())
        } else {
            let path = uri.path();
            tracing::info_span!("request", %method, path, correlation_id = id.0, trace_id = id.trace_id())
        };
        request.set_data(id.clone());
        let answer = AssertUnwindSafe(self.inner.get_response(request).instrument(span)).catch_unwind().await;
        let mut response = answer.unwrap_or_else(|_| {
            tracing::error!(%method, path = uri.path(), correlation_id = id.0, "a handler panicked");
            internal_error(&id)
        });
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(HEADER, value);
        }
        self.metrics.count(uri.path(), &method, response.status(), started.elapsed());
        log_answer(&method, &uri, &id, response.status(), started, quiet);
        Ok(response)
    }
}

/// Pulls and probes come by the thousand: they are logged at the level debug unless they go wrong.
fn is_routine(method: &Method, path: &str) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
        && (path.starts_with("/v2/") || matches!(path, "/livez" | "/readyz" | "/metrics"))
}

fn log_answer(
    method: &Method,
    uri: &Uri,
    id: &CorrelationId,
    status: StatusCode,
    started: Instant,
    quiet: bool,
) {
    let path = uri.path();
    let (status_code, trace_id) = (status.as_u16(), id.trace_id());
    // A challenge is how every pull with a token begins.
    let went_well = status_code < 400 || status == StatusCode::UNAUTHORIZED;
    if quiet && went_well {
        let duration_ms = milliseconds_since(started);
        tracing::debug!(%method, path, status = status_code, duration_ms, correlation_id = id.0, trace_id, "answered");
    } else {
        let duration_ms = milliseconds_since(started);
        tracing::info!(%method, path, status = status_code, duration_ms, correlation_id = id.0, trace_id, "answered");
    }
}

fn milliseconds_since(started: Instant) -> f64 {
    (started.elapsed().as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// The body of a failure whose cause only the log tells.
fn internal_error(id: &CorrelationId) -> Response {
    Response::builder()
        .status(StatusCode::INTERNAL_SERVER_ERROR)
        .content_type("application/json")
        .body(format!("{{\"detail\":\"Internal error; request id {}.\"}}", id.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem::endpoint::make_sync;
    use poem::test::TestClient;

    fn of(value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, value.parse().unwrap());
        CorrelationId::of(&headers).0
    }

    #[test]
    fn good_ids_are_kept_and_bad_ones_replaced() {
        for good in ["0123456789abcdef0123456789ABCDEF", "0189d7a0-5b1f-7000-8000-000000000000"] {
            assert_eq!(of(good), good);
        }
        for bad in ["", "x", "0123456789abcdef", "{0189d7a0-5b1f-7000-8000-00000000000}", &"g".repeat(32)] {
            let fresh = of(bad);
            assert_ne!(fresh, bad);
            assert!(is_uuid(&fresh) && fresh.len() == 32, "{fresh}");
        }
        assert_ne!(CorrelationId::of(&HeaderMap::new()), CorrelationId::of(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn the_id_reaches_handler_and_answer() {
        let seen = make_sync(|request: Request| Response::from(CorrelationId::of_request(&request).0));
        let client = TestClient::new(Traced::new(seen, HttpMetrics::default()));
        let id = "0123456789abcdef0123456789abcdef";
        let answer = client.get("/").header("Correlation-ID", id).send().await;
        answer.assert_header("correlation-id", id);
        answer.assert_text(id).await;
    }

    #[tokio::test]
    #[expect(unreachable_code, reason = "the handler's type comes after its panic")]
    async fn a_panic_becomes_a_fixed_text() {
        let panics = make_sync(|_: Request| {
            panic!("on purpose");
            Response::from("never")
        });
        let client = TestClient::new(Traced::new(panics, HttpMetrics::default()));
        let id = "0123456789abcdef0123456789abcdef";
        let answer = client.get("/").header("Correlation-ID", id).send().await;
        answer.assert_status(StatusCode::INTERNAL_SERVER_ERROR);
        answer.assert_text(format!("{{\"detail\":\"Internal error; request id {id}.\"}}")).await;
    }
}
