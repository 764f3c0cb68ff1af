//! `/content/container/manifests/`

use openapi::objects::{Labels, ManifestResponse, Page};
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
use crate::api::error::ApiError;
use crate::api::filter::ListRequest;
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
        let absent = || ApiError::not_found(Kind::Manifest);
        let id = Uuid::try_parse(&pulp_id).map_err(|_| absent())?;
        let found = state.catalog.find_manifest_content(id).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &cid))?;
        found.map(show).map(Json).ok_or_else(absent)
    }
}

fn show(manifest: ManifestContent) -> ManifestResponse {
    ManifestResponse {
        pulp_href: Kind::Manifest.href(manifest.id),
        prn: Kind::Manifest.prn(manifest.id),
        pulp_created: Moment(manifest.created),
        pulp_last_updated: Moment(manifest.created),
        pulp_labels: Labels::new(),
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
