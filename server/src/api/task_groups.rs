//! `/task-groups/`

use openapi::objects::{CancelTask, MinimalTaskResponse, Page, TaskGroupResponse};
use openapi::{Json, Moment, filters};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};
use registry::href::Kind;
use registry::task::TaskState;
use storage::{GroupedTask, TaskGroup};
use uuid::Uuid;

use super::Tag;
use super::auth::Caller;
use super::body::Body;
use super::error::ApiError;
use super::filter::ListRequest;
use super::page::page;
use super::tasks::want_canceled;
use crate::AppState;
use crate::telemetry::CorrelationId;

pub(crate) struct Operations;

/// The tasks were asked to end, or had ended.
#[derive(ApiResponse)]
pub(crate) enum Canceled {
    /// They are canceled, or their workers will end them.
    #[oai(status = 200)]
    Asked(Json<TaskGroupResponse>),
    /// All had ended before.
    #[oai(status = 409)]
    TooLate(Json<TaskGroupResponse>),
}

#[OpenApi(prefix_path = "/task-groups", tag = "Tag::TaskGroups")]
impl Operations {
    /// List task groups
    #[oai(path = "/", method = "get", operation_id = "task_groups_list")]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<TaskGroupResponse>>, ApiError> {
        let query = request.query(&filters::task_groups())?;
        let found = state.catalog.list_task_groups(&query).await;
        Ok(Json(page(&request, found.map_err(|error| ApiError::from_storage(error, &request.cid))?, show)))
    }

    /// Inspect a task group
    #[oai(path = "/:pulp_id/", method = "get", operation_id = "task_groups_read")]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<TaskGroupResponse>, ApiError> {
        find(&state, &cid, group_id(&pulp_id)?).await.map(Json)
    }

    /// Cancel the tasks of a group
    #[oai(path = "/:pulp_id/", method = "patch", operation_id = "task_groups_cancel")]
    async fn cancel(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        body: Body<CancelTask>,
    ) -> Result<Canceled, ApiError> {
        want_canceled(body)?;
        let id = group_id(&pulp_id)?;
        let canceled = async {
            let mut tx = state.catalog.begin().await?;
            let canceled = tx.cancel_task_group(id).await?;
            tx.commit().await?;
            Ok(canceled)
        };
        let canceled = canceled.await.map_err(|error| ApiError::from_storage(error, &cid))?;
        let group = Json(find(&state, &cid, id).await?);
        Ok(if canceled { Canceled::Asked(group) } else { Canceled::TooLate(group) })
    }
}

fn group_id(pulp_id: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(pulp_id).map_err(|_| ApiError::not_found(Kind::TaskGroup))
}

async fn find(state: &AppState, cid: &CorrelationId, id: Uuid) -> Result<TaskGroupResponse, ApiError> {
    let found = state.catalog.find_task_group(id).await;
    let found = found.map_err(|error| ApiError::from_storage(error, cid))?;
    found.map(show).ok_or_else(|| ApiError::not_found(Kind::TaskGroup))
}

fn show(group: TaskGroup) -> TaskGroupResponse {
    let count = |state| group.tasks.iter().filter(|task| task.state == state).count() as u64;
    TaskGroupResponse {
        pulp_href: Kind::TaskGroup.href(group.id),
        prn: Kind::TaskGroup.prn(group.id),
        description: group.description,
        all_tasks_dispatched: group.all_dispatched,
        waiting: count(TaskState::Waiting),
        skipped: 0,
        running: count(TaskState::Running),
        completed: count(TaskState::Completed),
        canceled: count(TaskState::Canceled),
        failed: count(TaskState::Failed),
        canceling: count(TaskState::Canceling),
        group_progress_reports: Vec::new(),
        tasks: group.tasks.into_iter().map(show_task).collect(),
    }
}

fn show_task(task: GroupedTask) -> MinimalTaskResponse {
    MinimalTaskResponse {
        pulp_href: Kind::Task.href(task.id),
        prn: Kind::Task.prn(task.id),
        pulp_created: Moment(task.created),
        pulp_last_updated: Moment(task.updated),
        pulp_api_version: "v3".to_owned(),
        name: task.name,
        state: task.state.to_string(),
        unblocked_at: task.unblocked_at.map(Moment),
        started_at: task.started_at.map(Moment),
        finished_at: task.finished_at.map(Moment),
        worker: task.worker.map(|id| Kind::Worker.href(id)),
    }
}
