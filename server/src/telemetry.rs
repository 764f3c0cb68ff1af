//! Correlation ids, one span and one event for each request, and the last net for panics.
//!
//! Nothing is logged that a client sent beside method and path: no query, no header, no body.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures::FutureExt as _;
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use poem::{Endpoint, FromRequest, Request, RequestBody, Response, Result};
use tracing::Instrument as _;

const HEADER: HeaderName = HeaderName::from_static("correlation-id");

/// Names one request in logs, tasks and answers. Handlers find it in the request's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationId(pub String);

impl CorrelationId {
    /// The client's id when it is a UUID (32 hexadecimal digits, or with dashes), else a fresh one: the
    /// `pulp` command relies on a bad one being replaced.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(&HEADER).and_then(|value| value.to_str().ok());
        Self(sent.filter(|text| is_uuid(text)).map_or_else(Self::fresh_text, str::to_owned))
    }

    /// The id of `request`, or a fresh one where no middleware set it.
    pub(crate) fn of_request(request: &Request) -> Self {
        request.data::<Self>().cloned().unwrap_or_else(|| Self(Self::fresh_text()))
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
pub(crate) struct Traced<E>(pub(crate) E);

impl<E: Endpoint<Output = Response>> Endpoint for Traced<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let started = Instant::now();
        let id = CorrelationId::of(request.headers());
        let method = request.method().clone();
        let uri = request.original_uri().clone();
        let quiet = is_routine(&method, uri.path());
        let span = if quiet {
            tracing::debug_span!("request", %method, path = uri.path(), correlation_id = id.0)
        } else {
            tracing::info_span!("request", %method, path = uri.path(), correlation_id = id.0)
        };
        request.set_data(id.clone());
        let answer = AssertUnwindSafe(self.0.get_response(request).instrument(span)).catch_unwind().await;
        let mut response = answer.unwrap_or_else(|_| {
            tracing::error!(%method, path = uri.path(), correlation_id = id.0, "a handler panicked");
            internal_error(&id)
        });
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(HEADER, value);
        }
        log_answer(&method, &uri, &id, response.status(), started, quiet);
        Ok(response)
    }
}

/// Pulls and probes come by the thousand: they are logged at the level debug unless they go wrong.
fn is_routine(method: &Method, path: &str) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
        && (path.starts_with("/v2/") || path == "/livez" || path == "/readyz")
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
    let status_code = status.as_u16();
    // A challenge is how every pull with a token begins.
    let went_well = status_code < 400 || status == StatusCode::UNAUTHORIZED;
    if quiet && went_well {
        let duration_ms = milliseconds_since(started);
        tracing::debug!(%method, path, status = status_code, duration_ms, correlation_id = id.0, "answered");
    } else {
        let duration_ms = milliseconds_since(started);
        tracing::info!(%method, path, status = status_code, duration_ms, correlation_id = id.0, "answered");
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
        let client = TestClient::new(Traced(seen));
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
        let client = TestClient::new(Traced(panics));
        let id = "0123456789abcdef0123456789abcdef";
        let answer = client.get("/").header("Correlation-ID", id).send().await;
        answer.assert_status(StatusCode::INTERNAL_SERVER_ERROR);
        answer.assert_text(format!("{{\"detail\":\"Internal error; request id {id}.\"}}")).await;
    }
}
