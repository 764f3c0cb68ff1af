//! The registry API (OCI distribution-spec 1.1).
//!
//! One hand-written endpoint parses the path and dispatches: this is the hot path of the whole service, and
//! names with slashes fit no routing tree.

mod accept;
mod auth;
mod blobs;
mod catalog;
mod commit;
mod deletions;
mod error;
mod incoming;
mod manifest_push;
mod manifests;
mod page;
mod push_target;
mod range;
mod referrers;
mod route;
mod tags;
#[cfg(test)]
pub(crate) mod tests;
mod uploads;
mod validators;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use poem::http::{HeaderName, HeaderValue, header};
use poem::{Body, Endpoint, Request, Response, Result};

pub(crate) use error::V2Error;

use crate::AppState;
use crate::telemetry::CorrelationId;
use auth::Visit;
use route::Route;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Everything under `/v2`.
pub(crate) struct V2 {
    state: AppState,
}

impl V2 {
    pub(crate) fn new(state: AppState) -> Self {
        Self { state }
    }

    async fn answer(&self, request: &Request, body: Body) -> Result<Response, V2Error> {
        let path = request.uri().path();
        let tail = path.strip_prefix("/v2/").unwrap_or_default();
        let tail = decode(tail)?;
        let route = Route::parse(request.method(), &tail)?;
        let visit = Visit::new(&self.state, request);
        match route {
            Route::Base => visit.base().await,
            Route::Catalog => catalog::list(&visit).await,
            Route::ListTags(name) => tags::list(&visit, &name).await,
            Route::PullManifest(name, reference) => manifests::pull(&visit, &name, reference).await,
            Route::PullBlob(name, digest) => blobs::pull(&visit, &name, &digest).await,
            Route::ListReferrers(name, digest) => referrers::list(&visit, &name, &digest).await,
            Route::StartUpload(name) => uploads::start(&visit, &name, body).await,
            Route::Upload(name, step, id) => uploads::step(&visit, &name, step, id, body).await,
            Route::PushManifest(name, reference) => manifest_push::push(&visit, &name, reference, body).await,
            Route::DeleteManifest(name, reference) => deletions::manifest(&visit, &name, reference).await,
            Route::DeleteBlob(name, digest) => deletions::blob(&visit, &name, digest).await,
        }
    }
}

impl Endpoint for V2 {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let body = request.take_body();
        let mut response = match self.answer(&request, body).await {
            Ok(response) => response,
            Err(error) => error.into_response(&CorrelationId::of_request(&request)),
        };
        response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        if !response.status().is_success() && has_body(&request) {
            // The body of a refused push may still be on its way: nothing else can follow it on this connection.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// Whether the client sends a body.
fn has_body(request: &Request) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length != "0") || request.headers().contains_key(header::TRANSFER_ENCODING)
}

/// The percent-decoded path. A slash that is hidden in it is refused: a proxy in front of us has read another name.
fn decode(tail: &str) -> Result<Cow<'_, str>, V2Error> {
    if !tail.contains('%') {
        return Ok(Cow::Borrowed(tail));
    }
    let hides = |code: &[u8]| tail.as_bytes().windows(3).any(|part| part.eq_ignore_ascii_case(code));
    if hides(b"%2f") || hides(b"%5c") {
        return Err(V2Error::HiddenSlash);
    }
    percent_decode_str(tail).decode_utf8().map_err(|_| V2Error::NoSuchEndpoint)
}
