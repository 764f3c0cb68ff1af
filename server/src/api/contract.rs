//! What every answer of this API keeps to, whoever made it: errors are JSON of the contract's shapes, and `fields` and
//! `exclude_fields` choose what is shown, and paths tell which methods they take.

use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Body, Endpoint, Error, IntoResponse, Request, Response, Result};
use poem_openapi::error::AuthorizationError;
use serde_json::{Map, Value, json};

use super::allow::Allowed;
use super::error::ApiError;
use crate::telemetry::CorrelationId;

/// Wraps the routes of the API.
pub(crate) struct Contract<E> {
    pub(crate) inner: E,
    pub(crate) allowed: Allowed,
}

impl<E: Endpoint> Endpoint for Contract<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let method = request.method().clone();
        let methods = self.allowed.find(request.uri().path());
        if method == Method::OPTIONS
            && let Some(methods) = methods
        {
            return Ok(with_allow(StatusCode::NO_CONTENT.into_response(), Some(methods)));
        }
        let has_credentials = request.header("authorization").is_some();
        let cid = CorrelationId::of_request(&request);
        let wanted = Wanted::of(request.uri().query().unwrap_or_default());
        let response = match self.inner.call(request).await {
            Ok(answer) => answer.into_response(),
            Err(error) => contract_error(error, method.as_str(), has_credentials, &cid),
        };
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Ok(with_allow(response, methods));
        }
        if wanted.is_everything() || !response.is_success() || !is_json(&response) {
            Ok(response)
        } else {
            prune(response, &wanted).await
        }
    }
}

fn with_allow(mut response: Response, methods: Option<&HeaderValue>) -> Response {
    if let Some(methods) = methods {
        response.headers_mut().insert(header::ALLOW, methods.clone());
    }
    response
}

fn contract_error(error: Error, method: &str, has_credentials: bool, cid: &CorrelationId) -> Response {
    if error.is_from_response() {
        return error.into_response();
    }
    let status = error.status();
    if error.is::<AuthorizationError>() {
        let detail = if has_credentials {
            "Invalid username/password."
        } else {
            "Authentication credentials were not provided."
        };
        return ApiError::unauthorized(detail).into_response();
    }
    let detail = if error.is::<NotFoundError>() {
        "Not found.".to_owned()
    } else if error.is::<MethodNotAllowedError>() {
        format!("Method \"{method}\" not allowed.")
    } else if status.is_server_error() {
        tracing::error!(%error, correlation_id = cid.0, "a request failed");
        format!("Internal error; request id {}.", cid.0)
    } else {
        error.to_string()
    };
    json_response(status, &json!({"detail": detail}))
}

/// Anything else has no fields, and may never end.
fn is_json(response: &Response) -> bool {
    response.content_type().is_some_and(|kind| kind.starts_with("application/json"))
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    Response::builder().status(status).content_type("application/json").body(body.to_string())
}

/// The fields that a client wants to see.
#[derive(Debug, Default)]
struct Wanted {
    only: Vec<String>,
    without: Vec<String>,
}

impl Wanted {
    fn of(query: &str) -> Self {
        let mut wanted = Self::default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let names =
                || value.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            match key.as_ref() {
                "fields" => wanted.only.extend(names()),
                "exclude_fields" => wanted.without.extend(names()),
                _ => {}
            }
        }
        wanted
    }

    fn is_everything(&self) -> bool {
        self.only.is_empty() && self.without.is_empty()
    }

    fn keep(&self, object: &mut Map<String, Value>) {
        object.retain(|name, _| {
            (self.only.is_empty() || self.only.contains(name)) && !self.without.contains(name)
        });
    }
}

/// Of a list, the entries are pruned; of anything else, the object itself.
async fn prune(response: Response, wanted: &Wanted) -> Result<Response> {
    let (parts, body) = response.into_parts();
    let bytes = body.into_bytes().await?;
    let Ok(mut value) = serde_json::from_slice::<Value>(&bytes) else {
        return Ok(Response::from_parts(parts, Body::from_bytes(bytes)));
    };
    if let Some(results) = value.get_mut("results").and_then(Value::as_array_mut) {
        results.iter_mut().filter_map(Value::as_object_mut).for_each(|entry| wanted.keep(entry));
    } else if let Some(object) = value.as_object_mut() {
        wanted.keep(object);
    }
    Ok(Response::from_parts(parts, Body::from_string(value.to_string())))
}
