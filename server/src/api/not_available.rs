//! What clients know to ask for and this server doesn't do.

use openapi::Json;
use openapi::objects::AnyJson;
use poem_openapi::{ApiResponse, types::Any};
use serde_json::json;

/// The server doesn't do that.
#[derive(ApiResponse)]
pub(crate) enum NotAvailable {
    /// This server doesn't do that, or not yet.
    #[oai(status = 501)]
    NotImplemented(Json<AnyJson>),
}

impl NotAvailable {
    pub(crate) fn new(detail: &str) -> Self {
        Self::NotImplemented(Json(Any(json!({"detail": detail}))))
    }
}
