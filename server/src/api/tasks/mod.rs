//! `/tasks/`

mod cancel;
pub(crate) mod purge;
mod show;

use openapi::objects::{CancelTask, Page, Purge, TaskResponse};
use openapi::{Json, filters};
use poem::web::Data;
use poem_openapi::param::Path;
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
use show::show;

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
