//! `PATCH /tasks/<id>/` with `{"state": "canceled"}`

use openapi::Json;
use openapi::objects::{CancelTask, TaskResponse};
use poem_openapi::ApiResponse;
use storage::CancelOutcome;
use uuid::Uuid;

use super::show;
use crate::AppState;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::telemetry::CorrelationId;

/// The task was asked to end, or had ended.
#[derive(ApiResponse)]
pub(crate) enum Canceled {
    /// It is canceled, or its worker will end it.
    #[oai(status = 200)]
    Asked(Json<TaskResponse>),
    /// It had ended before.
    #[oai(status = 409)]
    TooLate(Json<TaskResponse>),
}

/// The body may ask for nothing else.
pub(crate) fn want_canceled(body: Body<CancelTask>) -> Result<(), ApiError> {
    let mut fields = body.fields;
    fields.require(&["state"]);
    if fields.text("state").is_some_and(|wanted| wanted != "canceled") {
        fields.refuse("state", "The only acceptable value for 'state' is 'canceled'.");
    }
    fields.finish()
}

pub(super) async fn cancel(
    state: &AppState,
    cid: &CorrelationId,
    id: Uuid,
    body: Body<CancelTask>,
) -> Result<Canceled, ApiError> {
    want_canceled(body)?;
    let outcome = async {
        let mut tx = state.catalog.begin().await?;
        let outcome = tx.cancel_task(id).await?;
        tx.commit().await?;
        Ok(outcome)
    };
    Ok(match outcome.await.map_err(|error| ApiError::from_storage(error, cid))? {
        CancelOutcome::Canceled(task) | CancelOutcome::Canceling(task) => Canceled::Asked(Json(show(task))),
        CancelOutcome::AlreadyFinal(task) => Canceled::TooLate(Json(show(task))),
    })
}
