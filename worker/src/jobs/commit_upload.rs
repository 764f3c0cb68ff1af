//! Makes an artifact of a file that has arrived in pieces.

use registry::Digest;
use storage::{Outcome, StorageError};
use uuid::Uuid;

use super::JobContext;
use crate::{JobError, resources};

pub(crate) async fn perform(context: &JobContext, upload: Uuid, digest: &Digest) -> Result<(), JobError> {
    let found = context.catalog.find_artifact_upload(upload).await?;
    let found = found.ok_or(StorageError::NotFound { kind: "Upload" })?;
    if let Some((from, to)) = found.first_gap() {
        let message = format!("the upload is not complete: the bytes {from}-{} are missing", to - 1);
        return Err(StorageError::Invalid { field: "upload", message }.into());
    }
    match context.blobs.copy_chunks(upload, digest, found.size_bytes).await {
        Err(StorageError::DigestMismatch { actual, .. }) => {
            let message = format!("the file's checksum is {}, not {}", actual.hex(), digest.hex());
            return Err(StorageError::Invalid { field: "sha256", message }.into());
        }
        other => other?,
    }
    let mut tx = context.catalog.begin().await?;
    let artifact = tx.record_artifact(&context.blobs, digest, found.size_bytes).await?;
    tx.delete_artifact_upload(upload).await?;
    let created_resources = vec![resources::artifact(artifact)];
    tx.finish_task(&context.fence, Outcome::Completed { created_resources, result: None }).await?;
    tx.commit().await?;
    // What is left behind is found by its age.
    if let Err(error) = context.blobs.remove_chunks(upload).await {
        tracing::warn!(error = registry::chain(&error), "the pieces of a file could not be removed");
    }
    Ok(())
}
