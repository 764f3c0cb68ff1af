//! `GET /tasks/<id>/logs/`: what a task logged, while it runs and after it has ended.

use openapi::objects::{Page, TaskLogLine};
use openapi::{Json, Moment, filters};
use registry::href::Kind;
use storage::KeptLogLine;
use uuid::Uuid;

use crate::AppState;
use crate::api::error::ApiError;
use crate::api::filter::ListRequest;
use crate::api::page::page;

pub(super) async fn list(
    state: &AppState,
    request: &ListRequest,
    id: Uuid,
) -> Result<Json<Page<TaskLogLine>>, ApiError> {
    let query = request.query(&filters::task_logs())?;
    let found = state.catalog.list_task_log(id, &query).await;
    let found = found.map_err(|error| ApiError::from_storage(error, &request.cid))?;
    Ok(Json(page(request, found.ok_or_else(|| ApiError::not_found(Kind::Task))?, show)))
}

pub(super) fn show(kept: KeptLogLine) -> TaskLogLine {
    TaskLogLine {
        at: Moment(kept.line.at),
        level: kept.line.level.to_owned(),
        target: kept.line.target,
        message: kept.line.message,
    }
}
