//! `/content/container/blobs/`

use openapi::objects::{BlobResponse, Labels, Page};
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
use crate::api::error::ApiError;
use crate::api::filter::ListRequest;
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
        let absent = || ApiError::not_found(Kind::Blob);
        let id = Uuid::try_parse(&pulp_id).map_err(|_| absent())?;
        let found = state.catalog.find_blob_content(id).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &cid))?;
        found.map(show).map(Json).ok_or_else(absent)
    }
}

fn show(blob: BlobContent) -> BlobResponse {
    BlobResponse {
        pulp_href: Kind::Blob.href(blob.id),
        prn: Kind::Blob.prn(blob.id),
        pulp_created: Moment(blob.created),
        pulp_last_updated: Moment(blob.created),
        pulp_labels: Labels::new(),
        vuln_report: None,
        artifact: None,
        digest: blob.digest.into(),
    }
}
