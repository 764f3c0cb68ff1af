//! `/artifacts/`: the files of blobs, whether they were uploaded here or came with an image.

mod create;

use openapi::objects::{AnyJson, Artifact, ArtifactResponse, Page};
use openapi::{Json, Moment, filters};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::types::Any;
use poem_openapi::{ApiResponse, OpenApi};
use registry::Algorithm;
use registry::href::Kind;
use serde_json::json;
use storage::{BlobContent, StorageError};
use uuid::Uuid;

use super::Tag;
use super::auth::Caller;
use super::error::ApiError;
use super::filter::ListRequest;
use super::form::Form;
use super::page::page;
use crate::AppState;
use crate::telemetry::CorrelationId;

/// What became of an artifact that was to go.
#[derive(ApiResponse)]
pub(crate) enum Deleted {
    /// It is gone.
    #[oai(status = 204)]
    Deleted,
    /// Content needs it.
    #[oai(status = 409)]
    InUse(Json<AnyJson>),
}

pub(crate) struct Operations;

#[OpenApi(prefix_path = "/artifacts", tag = "Tag::Artifacts")]
impl Operations {
    /// List artifacts
    #[oai(path = "/", method = "get", operation_id = "artifacts_list")]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<ArtifactResponse>>, ApiError> {
        let query = request.query(&filters::artifacts())?;
        let found = state.catalog.list_artifacts(&query).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &request.cid))?;
        Ok(Json(page(&request, found, |artifact| show(&artifact))))
    }

    /// Store a file
    #[oai(path = "/", method = "post", operation_id = "artifacts_create")]
    async fn create(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        body: Form<Artifact>,
    ) -> Result<create::Created, ApiError> {
        create::create(&state, &cid, body).await
    }

    /// Inspect an artifact
    #[oai(path = "/:pulp_id/", method = "get", operation_id = "artifacts_read")]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<ArtifactResponse>, ApiError> {
        let found = state.catalog.find_blob_content(id(&pulp_id)?).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &cid))?;
        found.map(|artifact| Json(show(&artifact))).ok_or_else(|| ApiError::not_found(Kind::Artifact))
    }

    /// Delete an artifact that nothing needs
    #[oai(path = "/:pulp_id/", method = "delete", operation_id = "artifacts_delete")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Deleted, ApiError> {
        match state.catalog.delete_artifact(&state.blobs, id(&pulp_id)?).await {
            Ok(()) => Ok(Deleted::Deleted),
            Err(StorageError::InUse { message, .. }) => {
                Ok(Deleted::InUse(Json(Any(json!({"detail": message})))))
            }
            Err(error) => Err(ApiError::from_storage(error, &cid)),
        }
    }
}

fn id(pulp_id: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(pulp_id).map_err(|_| ApiError::not_found(Kind::Artifact))
}

/// An artifact as the API shows it.
pub(crate) fn show(artifact: &BlobContent) -> ArtifactResponse {
    let digest = &artifact.digest;
    let (algorithm, hex) = (digest.algorithm(), digest.hex());
    let by = |wanted| (algorithm == wanted).then(|| hex.to_owned());
    ArtifactResponse {
        pulp_href: Kind::Artifact.href(artifact.id),
        prn: Kind::Artifact.prn(artifact.id),
        pulp_created: Moment(artifact.created),
        pulp_last_updated: Moment(artifact.created),
        file: format!("{}/{}/{hex}", algorithm.as_str(), &hex[..2]),
        size: i64::try_from(artifact.size_bytes).unwrap_or(i64::MAX),
        md5: None,
        sha1: None,
        sha224: None,
        sha256: by(Algorithm::Sha256),
        sha384: None,
        sha512: by(Algorithm::Sha512),
    }
}
