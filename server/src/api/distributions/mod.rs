//! `/distributions/container/container/`

mod create;
mod read;
mod show;
mod update;

use openapi::Json;
use openapi::filters;
use openapi::objects::{Distribution, DistributionResponse, Page, PatchedDistribution, SetLabel, UnsetLabel};
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
use crate::origin::PullHost;
use crate::telemetry::CorrelationId;
pub(crate) use show::show;

pub(crate) struct Operations;

#[OpenApi(prefix_path = "/distributions/container/container", tag = "Tag::Distributions")]
impl Operations {
    /// List container distributions
    #[oai(path = "/", method = "get", operation_id = "distributions_container_container_list")]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<DistributionResponse>>, ApiError> {
        let query = request.query(&filters::distributions("distributions_container_container_list"))?;
        let found = state.catalog.list_distributions(&query).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &request.cid))?;
        Ok(Json(page(&request, found, |distribution| show(distribution, &request.host))))
    }

    /// Create a container distribution
    #[oai(path = "/", method = "post", operation_id = "distributions_container_container_create")]
    async fn create(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        body: Body<Distribution>,
    ) -> Result<Accepted, ApiError> {
        create::create(&state, Asker { user: &caller.0, cid: &cid }, body).await
    }

    /// Inspect a container distribution
    #[oai(path = "/:pulp_id/", method = "get", operation_id = "distributions_container_container_read")]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        host: PullHost,
        pulp_id: Path<String>,
    ) -> Result<Json<DistributionResponse>, ApiError> {
        find(&state, &cid, &pulp_id).await.map(|distribution| Json(show(distribution, &host.0)))
    }

    /// Update a container distribution
    #[oai(path = "/:pulp_id/", method = "put", operation_id = "distributions_container_container_update")]
    async fn update(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        host: PullHost,
        pulp_id: Path<String>,
        body: Body<Distribution>,
    ) -> Result<Updated<DistributionResponse>, ApiError> {
        let mut fields = body.fields;
        fields.require(&["name", "base_path"]);
        update::update(&state, Asker { user: &caller.0, cid: &cid }, &pulp_id, fields, &host.0).await
    }

    /// Update a container distribution in part
    #[oai(
        path = "/:pulp_id/",
        method = "patch",
        operation_id = "distributions_container_container_partial_update"
    )]
    async fn partial_update(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        host: PullHost,
        pulp_id: Path<String>,
        body: Body<PatchedDistribution>,
    ) -> Result<Updated<DistributionResponse>, ApiError> {
        update::update(&state, Asker { user: &caller.0, cid: &cid }, &pulp_id, body.fields, &host.0).await
    }

    /// Delete a container distribution
    #[oai(path = "/:pulp_id/", method = "delete", operation_id = "distributions_container_container_delete")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Accepted, ApiError> {
        let distribution = find(&state, &cid, &pulp_id).await?;
        let asker = Asker { user: &caller.0, cid: &cid };
        updates::delete(&state, asker, ResourceKind::Distribution, distribution.id).await
    }

    /// Set a label
    #[oai(
        path = "/:pulp_id/set_label/",
        method = "post",
        operation_id = "distributions_container_container_set_label"
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
        labels::set(&state, &cid, Kind::Distribution, id, body).await
    }

    /// Unset a label
    #[oai(
        path = "/:pulp_id/unset_label/",
        method = "post",
        operation_id = "distributions_container_container_unset_label"
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
        labels::unset(&state, &cid, Kind::Distribution, id, body).await
    }
}

/// The distribution in a path.
async fn find(
    state: &AppState,
    cid: &CorrelationId,
    pulp_id: &str,
) -> Result<storage::Distribution, ApiError> {
    let absent = || ApiError::not_found(Kind::Distribution);
    let id = Uuid::try_parse(pulp_id).map_err(|_| absent())?;
    let found =
        state.catalog.find_distribution(id).await.map_err(|error| ApiError::from_storage(error, cid))?;
    found.ok_or_else(absent)
}
