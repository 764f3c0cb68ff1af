//! `POST /repair/`, and the same for one version.

use openapi::Json;
use openapi::objects::Repair;
use poem::web::Data;
use poem_openapi::OpenApi;
use registry::href::Kind;
use registry::task::{Reservation, Work};
use uuid::Uuid;

use super::Tag;
use super::auth::Caller;
use super::body::Body;
use super::error::ApiError;
use super::submit::{Accepted, Asker, submit};
use crate::AppState;
use crate::telemetry::CorrelationId;

pub(crate) struct Operations;

#[OpenApi(tag = "Tag::Repair")]
impl Operations {
    /// Repair all blobs
    #[oai(path = "/repair/", method = "post", operation_id = "repair_post")]
    async fn repair(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        body: Body<Repair>,
    ) -> Result<Accepted, ApiError> {
        repair(&state, Asker { user: &caller.0, cid: &cid }, None, body).await
    }
}

/// Starts the repair of a version (repository and number), or of everything.
pub(crate) async fn repair(
    state: &AppState,
    asker: Asker<'_>,
    version: Option<(Uuid, i64)>,
    body: Body<Repair>,
) -> Result<Accepted, ApiError> {
    let mut fields = body.fields;
    let verify_checksums = fields.boolean("verify_checksums").unwrap_or(true);
    fields.finish()?;
    let reservation = match version {
        Some((repository, _)) => Reservation::shared(Kind::Repository.prn(repository)),
        None => Reservation::exclusive("/api/v3/repair/"),
    };
    let failed = |error| ApiError::from_storage(error, asker.cid);
    let tx = state.catalog.begin().await.map_err(failed)?;
    let work = Work::Repair { version, verify_checksums };
    let accepted = submit(tx, asker, work, vec![reservation]).await.map_err(failed)?;
    Ok(Accepted::Accepted(Json(accepted)))
}
