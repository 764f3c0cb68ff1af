//! `/workers/`

use openapi::objects::{Page, WorkerResponse};
use openapi::{Json, Moment, filters};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use registry::href::Kind;
use storage::WorkerNode;
use uuid::Uuid;

use super::Tag;
use super::auth::Caller;
use super::error::ApiError;
use super::filter::ListRequest;
use super::page::page;
use super::status::versions;
use crate::AppState;
use crate::telemetry::CorrelationId;

pub(crate) struct Operations;

#[OpenApi(prefix_path = "/workers", tag = "Tag::Workers")]
impl Operations {
    /// List workers
    #[oai(path = "/", method = "get", operation_id = "workers_list")]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<WorkerResponse>>, ApiError> {
        let query = request.query(&filters::workers())?;
        let found = state.catalog.list_workers(&query).await;
        Ok(Json(page(&request, found.map_err(|error| ApiError::from_storage(error, &request.cid))?, show)))
    }

    /// Inspect a worker
    #[oai(path = "/:pulp_id/", method = "get", operation_id = "workers_read")]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<WorkerResponse>, ApiError> {
        let absent = || ApiError::not_found(Kind::Worker);
        let found = state.catalog.find_worker(Uuid::try_parse(&pulp_id).map_err(|_| absent())?).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &cid))?;
        found.map(show).map(Json).ok_or_else(absent)
    }
}

fn show(worker: WorkerNode) -> WorkerResponse {
    WorkerResponse {
        pulp_href: Kind::Worker.href(worker.id),
        prn: Kind::Worker.prn(worker.id),
        pulp_created: Moment(worker.started),
        pulp_last_updated: Moment(worker.last_heartbeat),
        name: worker.name,
        last_heartbeat: Moment(worker.last_heartbeat),
        versions: versions().into_iter().chain([("entrepot".to_owned(), worker.version)]).collect(),
        current_task: worker.current_tasks.first().map(|id| Kind::Task.href(*id)),
        current_tasks: worker.current_tasks.iter().map(|id| Kind::Task.href(*id)).collect(),
    }
}
