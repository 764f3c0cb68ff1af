//! `/repositories/container/container/`

pub(crate) mod changes;
mod create;
mod show;
mod sync;
mod sync_many;
mod update;
pub(crate) mod versions;

use openapi::Json;
use openapi::filters;
use openapi::objects::{
    Page, PatchedRepository, Repository, RepositoryResponse, SetLabel, SyncRepositories, SyncRepository,
    UnsetLabel,
};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use registry::href::Kind;
use registry::task::ResourceKind;
use uuid::Uuid;

use super::Tag;
use super::auth::Caller;
use super::body::Body;
use super::error::ApiError;
use super::filter::ListRequest;
use super::labels::{self, LabelSet, LabelUnset};
use super::page::page;
use super::submit::{Accepted, Asker};
use super::update::{self as updates, Updated};
use crate::AppState;
use crate::telemetry::CorrelationId;
pub(crate) use show::show;
pub(crate) use sync::NO_SIGNED_ONLY;
use sync_many::GroupAccepted;

pub(crate) struct Operations;

#[OpenApi(prefix_path = "/repositories/container/container", tag = "Tag::Repositories")]
impl Operations {
    /// List container repositories
    #[oai(path = "/", method = "get", operation_id = "repositories_container_container_list")]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<RepositoryResponse>>, ApiError> {
        let query = request.query(&filters::repositories("repositories_container_container_list"))?;
        let found = state.catalog.list_repositories(&query).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &request.cid))?;
        Ok(Json(page(&request, found, show)))
    }

    /// Create a container repository
    #[oai(path = "/", method = "post", operation_id = "repositories_container_container_create")]
    async fn create(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        body: Body<Repository>,
    ) -> Result<create::Created, ApiError> {
        create::create(&state, &cid, body).await
    }

    /// Inspect a container repository
    #[oai(path = "/:pulp_id/", method = "get", operation_id = "repositories_container_container_read")]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<RepositoryResponse>, ApiError> {
        find(&state, &cid, &pulp_id).await.map(show).map(Json)
    }

    /// Update a container repository
    #[oai(path = "/:pulp_id/", method = "put", operation_id = "repositories_container_container_update")]
    async fn update(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
        body: Body<Repository>,
    ) -> Result<Updated<RepositoryResponse>, ApiError> {
        let mut fields = body.fields;
        fields.require(&["name"]);
        update::update(&state, Asker { user: &caller.0, cid: &cid }, &pulp_id, fields).await
    }

    /// Update a container repository in part
    #[oai(
        path = "/:pulp_id/",
        method = "patch",
        operation_id = "repositories_container_container_partial_update"
    )]
    async fn partial_update(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
        body: Body<PatchedRepository>,
    ) -> Result<Updated<RepositoryResponse>, ApiError> {
        update::update(&state, Asker { user: &caller.0, cid: &cid }, &pulp_id, body.fields).await
    }

    /// Delete a container repository
    #[oai(path = "/:pulp_id/", method = "delete", operation_id = "repositories_container_container_delete")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Accepted, ApiError> {
        let repository = find(&state, &cid, &pulp_id).await?;
        let asker = Asker { user: &caller.0, cid: &cid };
        updates::delete(&state, asker, ResourceKind::Repository, repository.id).await
    }

    /// Sync many repositories, each from its own remote
    #[oai(path = "/sync/", method = "post", operation_id = "repositories_container_container_sync_many")]
    async fn sync_many(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        body: Body<SyncRepositories>,
    ) -> Result<GroupAccepted, ApiError> {
        sync_many::sync_many(&state, Asker { user: &caller.0, cid: &cid }, body).await
    }

    /// Sync from a remote
    #[oai(path = "/:pulp_id/sync/", method = "post", operation_id = "repositories_container_container_sync")]
    async fn sync(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
        body: Body<SyncRepository>,
    ) -> Result<Accepted, ApiError> {
        sync::sync(&state, Asker { user: &caller.0, cid: &cid }, &pulp_id, body).await
    }

    /// Set a label
    #[oai(
        path = "/:pulp_id/set_label/",
        method = "post",
        operation_id = "repositories_container_container_set_label"
    )]
    async fn set_label(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        body: Body<SetLabel>,
    ) -> Result<LabelSet, ApiError> {
        let id = find(&state, &cid, &pulp_id).await?.id;
        labels::set(&state, &cid, Kind::Repository, id, body).await
    }

    /// Unset a label
    #[oai(
        path = "/:pulp_id/unset_label/",
        method = "post",
        operation_id = "repositories_container_container_unset_label"
    )]
    async fn unset_label(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        body: Body<UnsetLabel>,
    ) -> Result<LabelUnset, ApiError> {
        let id = find(&state, &cid, &pulp_id).await?.id;
        labels::unset(&state, &cid, Kind::Repository, id, body).await
    }
}

/// The repository in a path.
async fn find(state: &AppState, cid: &CorrelationId, pulp_id: &str) -> Result<storage::Repository, ApiError> {
    let absent = || ApiError::not_found(Kind::Repository);
    let id = Uuid::try_parse(pulp_id).map_err(|_| absent())?;
    let found =
        state.catalog.find_repository(id).await.map_err(|error| ApiError::from_storage(error, cid))?;
    found.ok_or_else(absent)
}
