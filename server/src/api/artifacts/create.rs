//! `POST /artifacts/`

use openapi::Json;
use openapi::objects::{Artifact, ArtifactResponse};
use poem_openapi::ApiResponse;
use registry::Digest;
use registry::href::Kind;
use storage::{BlobContent, StorageError};

use super::show;
use crate::AppState;
use crate::api::error::ApiError;
use crate::api::form::Form;
use crate::telemetry::CorrelationId;

/// Pulp's field for what is wrong with the whole.
const WHOLE: &str = "non_field_errors";
/// Checksums that this server does not make.
const OTHERS: [&str; 5] = ["md5", "sha1", "sha224", "sha384", "sha512"];

/// A file was stored.
#[derive(ApiResponse)]
pub(crate) enum Created {
    /// The artifact.
    #[oai(status = 201)]
    Created(
        Json<ArtifactResponse>,
        /// Path of the artifact.
        #[oai(header = "Location")]
        String,
    ),
}

pub(super) async fn create(
    state: &AppState,
    cid: &CorrelationId,
    mut form: Form<Artifact>,
) -> Result<Created, ApiError> {
    let bytes = form.file();
    let digest = Digest::sha256_of(&bytes);
    let fields = &mut form.fields;
    for name in OTHERS {
        if fields.nullable_text(name).is_some() {
            let message = format!("Checksum algorithms ['{name}'] forbidden for this Pulp instance.");
            fields.refuse(WHOLE, message);
        }
    }
    if fields.size("size").is_some_and(|size| size != bytes.len() as u64) {
        fields.refuse(WHOLE, "The size did not match actual size of file.");
    }
    let expected = fields.nullable_text("sha256").flatten();
    if expected.is_some_and(|expected| !expected.eq_ignore_ascii_case(digest.hex())) {
        fields.refuse(WHOLE, "The sha256 checksum did not match.");
    }
    form.fields.finish()?;
    let failed = |error| ApiError::from_storage(error, cid);
    if state.catalog.find_artifact(&digest).await.map_err(failed)?.is_some() {
        let message = format!("Artifact with sha256 checksum of '{}' already exists.", digest.hex());
        return Err(ApiError::field(WHOLE, message));
    }
    let stored: Result<BlobContent, StorageError> = async {
        let mut staged = state.blobs.stage(&digest).await?;
        staged.write(bytes).await?;
        let size_bytes = staged.finish(None).await?;
        let tx = state.catalog.begin().await?;
        let id = tx.record_artifact(&state.blobs, &digest, size_bytes).await?;
        tx.commit().await?;
        let found = state.catalog.find_blob_content(id).await?;
        found.ok_or(StorageError::NotFound { kind: Kind::Artifact.model_name() })
    }
    .await;
    let artifact = show(&stored.map_err(failed)?);
    let location = artifact.pulp_href.clone();
    Ok(Created::Created(Json(artifact), location))
}
