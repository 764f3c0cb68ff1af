//! The registry API (OCI distribution-spec 1.1).
//!
//! One hand-written endpoint parses the path and dispatches: this is the hot path of the whole service, and
//! names with slashes fit no routing tree.

mod accept;
mod auth;
mod blobs;
mod catalog;
mod error;
mod manifests;
mod page;
mod pushes;
mod range;
mod route;
mod tags;
#[cfg(test)]
pub(crate) mod tests;
mod validators;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use poem::http::{HeaderName, HeaderValue, Method, header};
use poem::{Endpoint, Request, Response, Result};

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

    async fn answer(&self, request: &Request) -> Result<Response, V2Error> {
        let path = request.uri().path();
        let tail = path.strip_prefix("/v2/").unwrap_or_default();
        let tail = decode(tail).ok_or(V2Error::NoSuchEndpoint)?;
        let route = Route::parse(request.method(), &tail)?;
        let visit = Visit::new(&self.state, request);
        match route {
            Route::Base => visit.base().await,
            Route::Catalog => catalog::list(&visit).await,
            Route::ListTags(name) => tags::list(&visit, &name).await,
            Route::PullManifest(name, reference) => manifests::pull(&visit, &name, reference).await,
            Route::PullBlob(name, digest) => blobs::pull(&visit, &name, &digest).await,
            Route::ListReferrers(name) => {
                // Clients then look for the tag that the specification's fallback names, which mirrors hold.
                visit.authorise_pull(&name).await?;
                Err(V2Error::NoReferrers)
            }
            Route::Push(name) => pushes::refuse(&visit, &name, &["pull", "push"]).await,
            Route::Delete(name) => pushes::refuse(&visit, &name, &["delete"]).await,
        }
    }
}

impl Endpoint for V2 {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let may_have_body = !matches!(*request.method(), Method::GET | Method::HEAD);
        let mut response = match self.answer(&request).await {
            Ok(response) => response,
            Err(error) => error.into_response(&CorrelationId::of_request(&request)),
        };
        response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        if may_have_body {
            // The body of a refused push may still be on its way: nothing else can follow it on this connection.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// The percent-decoded path; `None` if that is not UTF-8.
fn decode(tail: &str) -> Option<Cow<'_, str>> {
    if tail.contains('%') { percent_decode_str(tail).decode_utf8().ok() } else { Some(Cow::Borrowed(tail)) }
}
