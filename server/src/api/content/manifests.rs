//! `/content/container/manifests/`

use openapi::objects::{ManifestResponse, Page, SetLabel, UnsetLabel};
use openapi::{Json, Moment, filters};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use registry::href::Kind;
use storage::ManifestContent;
use uuid::Uuid;

use crate::AppState;
use crate::api::Tag;
use crate::api::auth::Caller;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::filter::ListRequest;
use crate::api::labels::{self, LabelSet, LabelUnset};
use crate::api::page::page;
use crate::telemetry::CorrelationId;

pub(crate) struct Operations;

#[OpenApi(prefix_path = "/content/container/manifests", tag = "Tag::Content")]
impl Operations {
    /// List manifests
    #[oai(path = "/", method = "get", operation_id = "content_container_manifests_list")]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<ManifestResponse>>, ApiError> {
        let query = request.query(&filters::manifests())?;
        let found = state.catalog.list_manifest_contents(&query).await;
        Ok(Json(page(&request, found.map_err(|error| ApiError::from_storage(error, &request.cid))?, show)))
    }

    /// Inspect a manifest
    #[oai(path = "/:pulp_id/", method = "get", operation_id = "content_container_manifests_read")]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<ManifestResponse>, ApiError> {
        find(&state, &cid, &pulp_id).await.map(show).map(Json)
    }

    /// Set a label
    #[oai(
        path = "/:pulp_id/set_label/",
        method = "post",
        operation_id = "content_container_manifests_set_label"
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
        labels::set(&state, &cid, Kind::Manifest, id, body).await
    }

    /// Unset a label
    #[oai(
        path = "/:pulp_id/unset_label/",
        method = "post",
        operation_id = "content_container_manifests_unset_label"
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
        labels::unset(&state, &cid, Kind::Manifest, id, body).await
    }
}

async fn find(state: &AppState, cid: &CorrelationId, pulp_id: &str) -> Result<ManifestContent, ApiError> {
    let absent = || ApiError::not_found(Kind::Manifest);
    let id = Uuid::try_parse(pulp_id).map_err(|_| absent())?;
    let found = state.catalog.find_manifest_content(id).await;
    found.map_err(|error| ApiError::from_storage(error, cid))?.ok_or_else(absent)
}

fn show(manifest: ManifestContent) -> ManifestResponse {
    ManifestResponse {
        pulp_href: Kind::Manifest.href(manifest.id),
        prn: Kind::Manifest.prn(manifest.id),
        pulp_created: Moment(manifest.created),
        pulp_last_updated: Moment(manifest.created),
        pulp_labels: manifest.pulp_labels,
        vuln_report: None,
        digest: manifest.digest.into(),
        schema_version: manifest.schema_version,
        media_type: manifest.media_type,
        listed_manifests: manifest.listed_manifests.into_iter().map(|id| Kind::Manifest.href(id)).collect(),
        config_blob: manifest.config_blob.map(|id| Kind::Blob.href(id)),
        blobs: manifest.blobs.into_iter().map(|id| Kind::Blob.href(id)).collect(),
        annotations: manifest.annotations,
        labels: manifest.labels,
        is_bootable: manifest.is_bootable,
        is_flatpak: manifest.is_flatpak,
        r#type: manifest.artifact_kind,
        architecture: manifest.architecture,
        os: manifest.os,
        compressed_image_size: manifest.compressed_image_size,
    }
}
