//! `/tasks/`

mod cancel;
mod events;
mod logs;
pub(crate) mod purge;
mod show;

use openapi::objects::{CancelTask, Page, Purge, TaskLogLine, TaskResponse};
use openapi::{Json, filters};
use poem::web::Data;
use poem_openapi::param::{Header, Path};
use poem_openapi::{ApiResponse, OpenApi};
use registry::href::Kind;
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
pub(crate) use cancel::want_canceled;
pub(crate) use show::show;

pub(crate) struct Operations;

/// The task is gone.
#[derive(ApiResponse)]
pub(crate) enum Deleted {
    /// It is.
    #[oai(status = 204)]
    Deleted,
}

#[OpenApi(prefix_path = "/tasks", tag = "Tag::Tasks")]
impl Operations {
    /// List tasks
    #[oai(path = "/", method = "get", operation_id = "tasks_list")]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<TaskResponse>>, ApiError> {
        let query = request.query(&filters::tasks())?;
        let found = state.catalog.list_tasks(&query).await;
        Ok(Json(page(&request, found.map_err(|error| ApiError::from_storage(error, &request.cid))?, show)))
    }

    /// Delete tasks that have ended
    #[oai(path = "/purge/", method = "post", operation_id = "tasks_purge")]
    async fn purge(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        body: Body<Purge>,
    ) -> Result<Accepted, ApiError> {
        purge::purge(&state, Asker { user: &caller.0, cid: &cid }, body).await
    }

    /// Inspect a task
    #[oai(path = "/:pulp_id/", method = "get", operation_id = "tasks_read")]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<TaskResponse>, ApiError> {
        let found = state.catalog.find_task(task_id(&pulp_id)?).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &cid))?;
        found.map(show).map(Json).ok_or_else(|| ApiError::not_found(Kind::Task))
    }

    /// Cancel a task
    #[oai(path = "/:pulp_id/", method = "patch", operation_id = "tasks_cancel")]
    async fn cancel(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        body: Body<CancelTask>,
    ) -> Result<cancel::Canceled, ApiError> {
        cancel::cancel(&state, &cid, task_id(&pulp_id)?, body).await
    }

    /// Follow a task
    ///
    /// An addition to Pulp's API. Server-sent events: `task` with the task as it is shown elsewhere, at once and when
    /// it changes; `log` with a line of its log; `end` after its final state.
    #[oai(path = "/:pulp_id/events/", method = "get", operation_id = "tasks_events")]
    async fn events(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        /// The id of the last event that the client has seen.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<String>>,
    ) -> Result<events::TaskEvents, ApiError> {
        events::watch(&state, &cid, task_id(&pulp_id)?, last_event_id.as_deref()).await
    }

    /// Read the log of a task
    ///
    /// An addition to Pulp's API.
    #[oai(path = "/:pulp_id/logs/", method = "get", operation_id = "tasks_logs")]
    async fn logs(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<Page<TaskLogLine>>, ApiError> {
        logs::list(&state, &request, task_id(&pulp_id)?).await
    }

    /// Delete a task that has ended
    #[oai(path = "/:pulp_id/", method = "delete", operation_id = "tasks_delete")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Deleted, ApiError> {
        let id = task_id(&pulp_id)?;
        let deleted = async {
            let tx = state.catalog.begin().await?;
            tx.delete_task(id).await?;
            tx.commit().await
        };
        deleted.await.map_err(|error| ApiError::from_storage(error, &cid))?;
        Ok(Deleted::Deleted)
    }
}

fn task_id(pulp_id: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(pulp_id).map_err(|_| ApiError::not_found(Kind::Task))
}
