//! `POST /repositories/container/container/<id>/…`: what changes a repository's content. Each starts a task.

mod copy;
mod tag;
mod units;

use openapi::Json;
use openapi::objects::{
    CopyManifests, CopyTags, ManageContent, SignRepository, SignaturesToRemove, TagImage, UntagImage,
};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use registry::ContentChange;
use registry::href::Kind;
use registry::task::{Reservation, Work};
use uuid::Uuid;

use super::find;
use crate::AppState;
use crate::api::Tag;
use crate::api::auth::Caller;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::not_available::NotAvailable;
use crate::api::submit::{Accepted, Asker, submit};
use crate::telemetry::CorrelationId;

const NO_SIGNING: &str = "Signing images is not available yet.";
const NO_SIGNATURES: &str = "Signatures are not available yet: there are none to remove.";
const NO_BUILDS: &str = "Building images is not available: build elsewhere, and push the image.";

pub(crate) struct Operations;

#[OpenApi(prefix_path = "/repositories/container/container", tag = "Tag::Repositories")]
impl Operations {
    /// Add content, with everything that it needs
    #[oai(path = "/:pulp_id/add/", method = "post", operation_id = "repositories_container_container_add")]
    async fn add(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
        body: Body<ManageContent>,
    ) -> Result<Accepted, ApiError> {
        let repository = find(&state, &cid, &pulp_id).await?;
        let change = units::added(&state, &cid, body.fields).await?;
        start(&state, Asker { user: &caller.0, cid: &cid }, repository.id, change).await
    }

    /// Remove content, with everything that only it needs
    #[oai(
        path = "/:pulp_id/remove/",
        method = "post",
        operation_id = "repositories_container_container_remove"
    )]
    async fn remove(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
        body: Body<ManageContent>,
    ) -> Result<Accepted, ApiError> {
        let repository = find(&state, &cid, &pulp_id).await?;
        let change = units::removed(&state, &cid, body.fields).await?;
        start(&state, Asker { user: &caller.0, cid: &cid }, repository.id, change).await
    }

    /// Copy tags of another repository, with everything that they need
    #[oai(
        path = "/:pulp_id/copy_tags/",
        method = "post",
        operation_id = "repositories_container_container_copy_tags"
    )]
    async fn copy_tags(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
        body: Body<CopyTags>,
    ) -> Result<Accepted, ApiError> {
        let repository = find(&state, &cid, &pulp_id).await?;
        let change = copy::tags(&state, &cid, body.fields).await?;
        start(&state, Asker { user: &caller.0, cid: &cid }, repository.id, change).await
    }

    /// Copy manifests of another repository, with everything that they need
    #[oai(
        path = "/:pulp_id/copy_manifests/",
        method = "post",
        operation_id = "repositories_container_container_copy_manifests"
    )]
    async fn copy_manifests(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
        body: Body<CopyManifests>,
    ) -> Result<Accepted, ApiError> {
        let repository = find(&state, &cid, &pulp_id).await?;
        let change = copy::manifests(&state, &cid, body.fields).await?;
        start(&state, Asker { user: &caller.0, cid: &cid }, repository.id, change).await
    }

    /// Tag a manifest of the latest version
    #[oai(path = "/:pulp_id/tag/", method = "post", operation_id = "repositories_container_container_tag")]
    async fn tag(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
        body: Body<TagImage>,
    ) -> Result<Accepted, ApiError> {
        let repository = find(&state, &cid, &pulp_id).await?;
        let change = tag::tagged(&state, &cid, &repository, body.fields).await?;
        start(&state, Asker { user: &caller.0, cid: &cid }, repository.id, change).await
    }

    /// Take a tag off in the latest version
    #[oai(
        path = "/:pulp_id/untag/",
        method = "post",
        operation_id = "repositories_container_container_untag"
    )]
    async fn untag(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
        body: Body<UntagImage>,
    ) -> Result<Accepted, ApiError> {
        let repository = find(&state, &cid, &pulp_id).await?;
        let change = tag::untagged(&state, &cid, &repository, body.fields).await?;
        start(&state, Asker { user: &caller.0, cid: &cid }, repository.id, change).await
    }

    /// Sign images: not available yet
    #[oai(path = "/:pulp_id/sign/", method = "post", operation_id = "repositories_container_container_sign")]
    async fn sign(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        _body: Body<SignRepository>,
    ) -> Result<NotAvailable, ApiError> {
        find(&state, &cid, &pulp_id).await?;
        Ok(NotAvailable::new(NO_SIGNING))
    }

    /// Remove signatures: not available yet
    #[oai(
        path = "/:pulp_id/remove_signatures/",
        method = "post",
        operation_id = "repositories_container_container_remove_signatures"
    )]
    async fn remove_signatures(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        _body: Body<SignaturesToRemove>,
    ) -> Result<NotAvailable, ApiError> {
        find(&state, &cid, &pulp_id).await?;
        Ok(NotAvailable::new(NO_SIGNATURES))
    }

    /// Build an image: not available
    #[oai(
        path = "/:pulp_id/build_image/",
        method = "post",
        operation_id = "repositories_container_container_build_image"
    )]
    async fn build_image(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<NotAvailable, ApiError> {
        find(&state, &cid, &pulp_id).await?;
        Ok(NotAvailable::new(NO_BUILDS))
    }
}

/// Starts the task that changes the content of a repository's latest version.
async fn start(
    state: &AppState,
    asker: Asker<'_>,
    repository: Uuid,
    change: ContentChange,
) -> Result<Accepted, ApiError> {
    let mut reservations = vec![Reservation::exclusive(Kind::Repository.prn(repository))];
    if let ContentChange::CopyTags { source, .. } | ContentChange::CopyManifests { source, .. } = &change {
        reservations.push(Reservation::shared(Kind::Repository.prn(*source)));
    }
    let work = Work::ModifyContent { repository, base_version: None, change };
    let started = async { submit(state.catalog.begin().await?, asker, work, reservations).await };
    let task = started.await.map_err(|error| ApiError::from_storage(error, asker.cid))?;
    Ok(Accepted::Accepted(Json(task)))
}
