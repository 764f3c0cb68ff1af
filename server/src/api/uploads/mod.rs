//! `/uploads/`: files that arrive in pieces, and become artifacts.

mod commit;
mod update;

use openapi::objects::{
    NewUpload, Page, UploadChunk, UploadChunkResponse, UploadCommit, UploadDetailResponse, UploadResponse,
};
use openapi::{Json, Moment, filters};
use poem::web::Data;
use poem_openapi::param::{Header, Path};
use poem_openapi::{ApiResponse, OpenApi};
use registry::href::Kind;
use storage::ArtifactUpload;
use uuid::Uuid;

use super::Tag;
use super::auth::Caller;
use super::body::Body;
use super::error::ApiError;
use super::filter::ListRequest;
use super::form::Form;
use super::page::page;
use super::submit::{Accepted, Asker};
use crate::AppState;
use crate::telemetry::CorrelationId;

/// An upload was begun.
#[derive(ApiResponse)]
pub(crate) enum Created {
    /// The upload.
    #[oai(status = 201)]
    Created(
        Json<UploadResponse>,
        /// Path of the upload.
        #[oai(header = "Location")]
        String,
    ),
}

/// The upload is gone.
#[derive(ApiResponse)]
pub(crate) enum Deleted {
    /// It is.
    #[oai(status = 204)]
    Deleted,
}

pub(crate) struct Operations;

#[OpenApi(prefix_path = "/uploads", tag = "Tag::Uploads")]
impl Operations {
    /// List uploads
    #[oai(path = "/", method = "get", operation_id = "uploads_list")]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<UploadResponse>>, ApiError> {
        let query = request.query(&filters::uploads())?;
        let found = state.catalog.list_artifact_uploads(&query).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &request.cid))?;
        Ok(Json(page(&request, found, |upload| show(&upload))))
    }

    /// Begin an upload
    #[oai(path = "/", method = "post", operation_id = "uploads_create")]
    async fn create(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        body: Body<NewUpload>,
    ) -> Result<Created, ApiError> {
        let mut fields = body.fields;
        fields.require(&["size"]);
        let size_bytes = fields.size("size").unwrap_or_default();
        let failed = |error| ApiError::from_storage(error, &cid);
        let free = state.blobs.usage().map_err(failed)?.free;
        if size_bytes > free {
            fields.refuse("size", format!("The store has room for {free} bytes: free some, then try again."));
        }
        fields.finish()?;
        let made = state.catalog.create_artifact_upload(size_bytes).await.map_err(failed)?;
        let upload = show(&made);
        let location = upload.pulp_href.clone();
        Ok(Created::Created(Json(upload), location))
    }

    /// Inspect an upload
    #[oai(path = "/:pulp_id/", method = "get", operation_id = "uploads_read")]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<UploadDetailResponse>, ApiError> {
        find(&state, &cid, &pulp_id).await.map(|upload| Json(show_whole(&upload)))
    }

    /// Upload a piece of the file
    #[oai(path = "/:pulp_id/", method = "put", operation_id = "uploads_update")]
    async fn update(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        /// Which bytes these are: `bytes <first>-<last>/<size of the file>`.
        #[oai(name = "Content-Range")]
        content_range: Header<String>,
        body: Form<UploadChunk>,
    ) -> Result<Json<UploadResponse>, ApiError> {
        let upload = find(&state, &cid, &pulp_id).await?;
        update::update(&state, &cid, &upload, &content_range, body).await?;
        find(&state, &cid, &pulp_id).await.map(|upload| Json(show(&upload)))
    }

    /// Make an artifact of the file
    #[oai(path = "/:pulp_id/commit/", method = "post", operation_id = "uploads_commit")]
    async fn commit(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        pulp_id: Path<String>,
        body: Body<UploadCommit>,
    ) -> Result<Accepted, ApiError> {
        let upload = find(&state, &cid, &pulp_id).await?;
        commit::commit(&state, Asker { user: &caller.0, cid: &cid }, &upload, body.fields).await
    }

    /// Throw an upload away
    #[oai(path = "/:pulp_id/", method = "delete", operation_id = "uploads_delete")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Deleted, ApiError> {
        let id = find(&state, &cid, &pulp_id).await?.id;
        let deleted = async {
            let tx = state.catalog.begin().await?;
            tx.delete_artifact_upload(id).await?;
            tx.commit().await?;
            state.blobs.remove_chunks(id).await
        };
        deleted.await.map_err(|error| ApiError::from_storage(error, &cid))?;
        Ok(Deleted::Deleted)
    }
}

async fn find(state: &AppState, cid: &CorrelationId, pulp_id: &str) -> Result<ArtifactUpload, ApiError> {
    let absent = || ApiError::not_found(Kind::Upload);
    let id = Uuid::try_parse(pulp_id).map_err(|_| absent())?;
    let found = state.catalog.find_artifact_upload(id).await;
    found.map_err(|error| ApiError::from_storage(error, cid))?.ok_or_else(absent)
}

fn show(upload: &ArtifactUpload) -> UploadResponse {
    UploadResponse {
        pulp_href: Kind::Upload.href(upload.id),
        prn: Kind::Upload.prn(upload.id),
        pulp_created: Moment(upload.created),
        pulp_last_updated: Moment(upload.updated),
        size: bytes(upload.size_bytes),
        completed: None,
    }
}

fn show_whole(upload: &ArtifactUpload) -> UploadDetailResponse {
    let UploadResponse { pulp_href, prn, pulp_created, pulp_last_updated, size, completed } = show(upload);
    let chunks = upload.chunks.iter().map(|chunk| UploadChunkResponse {
        offset: bytes(chunk.offset_bytes),
        size: bytes(chunk.size_bytes),
    });
    UploadDetailResponse {
        pulp_href,
        prn,
        pulp_created,
        pulp_last_updated,
        size,
        completed,
        chunks: chunks.collect(),
    }
}

fn bytes(size_bytes: u64) -> i64 {
    i64::try_from(size_bytes).unwrap_or(i64::MAX)
}
