//! `/content/container/blobs/`

use openapi::objects::{BlobResponse, Page, SetLabel, UnsetLabel};
use openapi::{Json, Moment, filters};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use registry::href::Kind;
use storage::BlobContent;
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

#[OpenApi(prefix_path = "/content/container/blobs", tag = "Tag::Content")]
impl Operations {
    /// List blobs
    #[oai(path = "/", method = "get", operation_id = "content_container_blobs_list")]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<BlobResponse>>, ApiError> {
        let query = request.query(&filters::blobs())?;
        let found = state.catalog.list_blob_contents(&query).await;
        Ok(Json(page(&request, found.map_err(|error| ApiError::from_storage(error, &request.cid))?, show)))
    }

    /// Inspect a blob
    #[oai(path = "/:pulp_id/", method = "get", operation_id = "content_container_blobs_read")]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<BlobResponse>, ApiError> {
        find(&state, &cid, &pulp_id).await.map(show).map(Json)
    }

    /// Set a label
    #[oai(path = "/:pulp_id/set_label/", method = "post", operation_id = "content_container_blobs_set_label")]
    async fn set_label(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        body: Body<SetLabel>,
    ) -> Result<LabelSet, ApiError> {
        let id = find(&state, &cid, &pulp_id).await?.id;
        labels::set(&state, &cid, Kind::Blob, id, body).await
    }

    /// Unset a label
    #[oai(
        path = "/:pulp_id/unset_label/",
        method = "post",
        operation_id = "content_container_blobs_unset_label"
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
        labels::unset(&state, &cid, Kind::Blob, id, body).await
    }
}

async fn find(state: &AppState, cid: &CorrelationId, pulp_id: &str) -> Result<BlobContent, ApiError> {
    let absent = || ApiError::not_found(Kind::Blob);
    let id = Uuid::try_parse(pulp_id).map_err(|_| absent())?;
    let found = state.catalog.find_blob_content(id).await;
    found.map_err(|error| ApiError::from_storage(error, cid))?.ok_or_else(absent)
}

fn show(blob: BlobContent) -> BlobResponse {
    BlobResponse {
        pulp_href: Kind::Blob.href(blob.id),
        prn: Kind::Blob.prn(blob.id),
        pulp_created: Moment(blob.created),
        pulp_last_updated: Moment(blob.created),
        pulp_labels: blob.pulp_labels,
        vuln_report: None,
        artifact: Some(Kind::Artifact.href(blob.id)),
        digest: blob.digest.into(),
    }
}
