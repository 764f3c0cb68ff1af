//! The one place where errors become answers of this API.

use openapi::Json;
use openapi::objects::AnyJson;
use poem_openapi::{ApiResponse, types::Any};
use registry::href::Kind;
use serde_json::{Value, json};
use storage::StorageError;

use crate::telemetry::CorrelationId;

/// Errors as Pulp's clients know them.
#[derive(Debug, ApiResponse)]
pub(crate) enum ApiError {
    /// The request is wrong: the body names the fields and what is wrong with each.
    #[oai(status = 400)]
    BadRequest(Json<AnyJson>),
    /// Nobody said who, or the password is wrong.
    #[oai(status = 401)]
    Unauthorized(
        Json<AnyJson>,
        /// The scheme to use.
        #[oai(header = "WWW-Authenticate")]
        String,
    ),
    /// The caller may not do that.
    #[oai(status = 403)]
    Forbidden(Json<AnyJson>),
    /// There is no such thing.
    #[oai(status = 404)]
    NotFound(Json<AnyJson>),
    /// Something failed that the caller cannot mend.
    #[oai(status = 500)]
    Internal(Json<AnyJson>),
}

impl ApiError {
    /// `{"field": ["message"]}`
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::bad_request(json!({field: [message.into()]}))
    }

    pub(crate) fn bad_request(body: Value) -> Self {
        Self::BadRequest(Json(Any(body)))
    }

    pub(crate) fn unauthorized(detail: &str) -> Self {
        Self::Unauthorized(Json(Any(json!({"detail": detail}))), "Basic realm=\"api\"".to_owned())
    }

    pub(crate) fn forbidden() -> Self {
        Self::Forbidden(Json(Any(json!({"detail": "You do not have permission to perform this action."}))))
    }

    pub(crate) fn not_found(kind: Kind) -> Self {
        Self::no_match(kind.model_name())
    }

    fn no_match(model: &str) -> Self {
        Self::NotFound(Json(Any(json!({"detail": format!("No {model} matches the given query.")}))))
    }

    /// What the caller can mend is told; anything else is logged, once, and only its request id is told.
    pub(crate) fn from_storage(error: StorageError, cid: &CorrelationId) -> Self {
        match error {
            StorageError::Invalid { field, message } | StorageError::InUse { field, message } => {
                Self::field(field, message)
            }
            StorageError::NotFound { kind } => Self::no_match(kind),
            error => {
                tracing::error!(error = registry::chain(&error), correlation_id = cid.0, "a request failed");
                Self::Internal(Json(Any(json!({"detail": format!("Internal error; request id {}.", cid.0)}))))
            }
        }
    }
}
