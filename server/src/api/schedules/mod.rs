//! `/task-schedules/`

mod create;
mod read;
mod run_now;
mod show;
mod update;

use openapi::objects::{Page, PatchedTaskSchedule, TaskSchedule, TaskScheduleResponse};
use openapi::{Json, filters};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};
use registry::href::Kind;
use serde_json::json;
use storage::{ScheduleChanges, StorageError};
use uuid::Uuid;

use super::Tag;
use super::auth::Caller;
use super::body::Body;
use super::error::ApiError;
use super::filter::ListRequest;
use super::page::page;
use super::submit::{Accepted, Asker};
use crate::AppState;
use crate::telemetry::CorrelationId;
use show::show;

pub(crate) struct Operations;

/// The schedule is gone.
#[derive(ApiResponse)]
pub(crate) enum Deleted {
    /// It is.
    #[oai(status = 204)]
    Deleted,
}

#[OpenApi(prefix_path = "/task-schedules", tag = "Tag::TaskSchedules")]
impl Operations {
    /// List schedules
    #[oai(path = "/", method = "get", operation_id = "task_schedules_list")]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<TaskScheduleResponse>>, ApiError> {
        let query = request.query(&filters::task_schedules())?;
        let found = state.catalog.list_schedules(&query).await;
        Ok(Json(page(&request, found.map_err(|error| ApiError::from_storage(error, &request.cid))?, show)))
    }

    /// Create a schedule
    #[oai(path = "/", method = "post", operation_id = "task_schedules_create")]
    async fn create(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        body: Body<TaskSchedule>,
    ) -> Result<create::Created, ApiError> {
        create::create(&state, Asker { user: &caller.0, cid: &cid }, body).await
    }

    /// Inspect a schedule
    #[oai(path = "/:pulp_id/", method = "get", operation_id = "task_schedules_read")]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<TaskScheduleResponse>, ApiError> {
        let found = state.catalog.find_schedule(schedule_id(&pulp_id)?).await;
        let found = found.map_err(|error| failed(error, &cid))?;
        found.map(show).map(Json).ok_or_else(|| ApiError::not_found(Kind::TaskSchedule))
    }

    /// Update a schedule
    #[oai(path = "/:pulp_id/", method = "put", operation_id = "task_schedules_update")]
    async fn update(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        body: Body<TaskSchedule>,
    ) -> Result<Json<TaskScheduleResponse>, ApiError> {
        let mut fields = body.fields;
        fields.require(&create::REQUIRED);
        update::update(&state, &cid, schedule_id(&pulp_id)?, read::read(fields, &state.config)?).await
    }

    /// Update a schedule in part
    #[oai(path = "/:pulp_id/", method = "patch", operation_id = "task_schedules_partial_update")]
    async fn partial_update(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        body: Body<PatchedTaskSchedule>,
    ) -> Result<Json<TaskScheduleResponse>, ApiError> {
        update::update(&state, &cid, schedule_id(&pulp_id)?, read::read(body.fields, &state.config)?).await
    }

    /// Delete a schedule
    #[oai(path = "/:pulp_id/", method = "delete", operation_id = "task_schedules_delete")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Deleted, ApiError> {
        let id = schedule_id(&pulp_id)?;
        let deleted = async {
            let tx = state.catalog.begin().await?;
            tx.delete_schedule(id).await?;
            tx.commit().await
        };
        deleted.await.map_err(|error| failed(error, &cid))?;
        Ok(Deleted::Deleted)
    }

    /// Start the task of a schedule now
    ///
    /// Whatever the time and the policies are, and also while the schedule is disabled.
    #[oai(path = "/:pulp_id/run_now/", method = "post", operation_id = "task_schedules_run_now")]
    async fn run_now(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Accepted, ApiError> {
        run_now::run_now(&state, Asker { user: &caller.0, cid: &cid }, schedule_id(&pulp_id)?).await
    }

    /// Let a schedule fire
    #[oai(path = "/:pulp_id/enable/", method = "post", operation_id = "task_schedules_enable")]
    async fn enable(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<TaskScheduleResponse>, ApiError> {
        update::update(&state, &cid, schedule_id(&pulp_id)?, switch(true)).await
    }

    /// Let a schedule no longer fire
    #[oai(path = "/:pulp_id/disable/", method = "post", operation_id = "task_schedules_disable")]
    async fn disable(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<TaskScheduleResponse>, ApiError> {
        update::update(&state, &cid, schedule_id(&pulp_id)?, switch(false)).await
    }
}

fn switch(enabled: bool) -> ScheduleChanges {
    ScheduleChanges { enabled: Some(enabled), ..ScheduleChanges::default() }
}

fn schedule_id(pulp_id: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(pulp_id).map_err(|_| ApiError::not_found(Kind::TaskSchedule))
}

/// What is wrong with what a schedule runs is told below its field.
fn failed(error: StorageError, cid: &CorrelationId) -> ApiError {
    match error {
        StorageError::Invalid { field: field @ ("repository" | "remote"), message } => {
            ApiError::bad_request(json!({"task": {field: [message]}}))
        }
        error => ApiError::from_storage(error, cid),
    }
}
