//! `GET /metrics`: for administrators, or for anybody where the operator says so.

use std::time::Duration;

use poem::http::{StatusCode, header};
use poem::{Request, Response};
use prometheus_client::encoding::{prometheus_text, text};

use crate::AppState;
use crate::credentials::{self, Admission};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long the database may take. Prometheus itself gives up after ten seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The metrics, in the form that the client asks for. A database that doesn't answer costs only what it holds.
pub(crate) async fn get(state: AppState, request: Request) -> Response {
    if !state.config.anonymous_metrics
        && let Admission::Refused(refusal) = credentials::admit(&state, &request).await
    {
        return refusal;
    }
    let metrics = &state.metrics.0;
    let held = match tokio::time::timeout(PATIENCE, metrics.queue.refresh(&state.catalog)).await {
        Ok(Ok(held)) => Some(held),
        Ok(Err(error)) => {
            tracing::warn!(error = registry::chain(&error), "the queue could not be counted");
            None
        }
        Err(_) => {
            tracing::warn!("the queue could not be counted: the database does not answer");
            None
        }
    };
    let wants_open = request.header(header::ACCEPT).is_some_and(|accept| accept.contains("openmetrics"));
    let mut body = String::new();
    let (kind, written) = if wants_open {
        (OPEN_METRICS, text::encode(&mut body, &metrics.registry))
    } else {
        (PROMETHEUS, prometheus_text::encode(&mut body, &metrics.registry))
    };
    drop(held);
    let answer = Response::builder().header(header::CACHE_CONTROL, "no-store");
    match written {
        Ok(()) => answer.content_type(kind).body(body),
        // Writing to a text cannot fail.
        Err(_) => answer.status(StatusCode::INTERNAL_SERVER_ERROR).finish(),
    }
}
