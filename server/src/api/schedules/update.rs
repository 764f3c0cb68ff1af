//! `PUT` and `PATCH /task-schedules/<id>/`, and the `POST`s that enable and disable one

use openapi::Json;
use openapi::objects::TaskScheduleResponse;
use storage::ScheduleChanges;
use uuid::Uuid;

use super::{failed, show};
use crate::AppState;
use crate::api::error::ApiError;
use crate::telemetry::CorrelationId;

pub(super) async fn update(
    state: &AppState,
    cid: &CorrelationId,
    id: Uuid,
    changes: ScheduleChanges,
) -> Result<Json<TaskScheduleResponse>, ApiError> {
    let updated = async {
        let tx = state.catalog.begin().await?;
        let schedule = tx.update_schedule(id, changes).await?;
        tx.commit().await?;
        Ok(schedule)
    };
    Ok(Json(show(updated.await.map_err(|error| failed(error, cid))?)))
}
