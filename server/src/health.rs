//! `/livez` and `/readyz`, for whoever supervises the process.

use std::time::Duration;

use poem::Response;
use poem::http::{StatusCode, header};

use crate::AppState;

/// How long the database may take to answer before this server counts as not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process answers.
pub(crate) fn livez() -> Response {
    plain(StatusCode::OK, "ok\n")
}

/// The process can do its work: the database answers.
pub(crate) async fn readyz(state: AppState) -> Response {
    match tokio::time::timeout(PATIENCE, state.catalog.ping()).await {
        Ok(Ok(())) => plain(StatusCode::OK, "ok\n"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready: the database cannot be reached");
            plain(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be reached\n")
        }
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    Response::builder()
        .status(status)
        .content_type("text/plain; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .body(text)
}
