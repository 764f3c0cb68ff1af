//! Fetching one blob from an upstream into the store.

use registry::Digest;
use storage::{BlobStore, StorageError};
use upstream::Client;

use crate::JobError;

/// Streams a blob into the store. Gives its size in bytes; `count` is told the size of each piece.
pub(crate) async fn download(
    client: &Client,
    blobs: &BlobStore,
    digest: &Digest,
    size_bytes: Option<u64>,
    count: impl Fn(usize),
) -> Result<u64, JobError> {
    let mut reader = client.open_blob(digest, 0, size_bytes).await?;
    let mut staged = blobs.stage(digest).await?;
    while let Some(chunk) = reader.chunk().await? {
        count(chunk.len());
        staged.write(chunk).await?;
    }
    staged.finish(size_bytes).await.map_err(|error| match error {
        StorageError::DigestMismatch { .. } | StorageError::SizeMismatch { .. } => {
            JobError::Received { url: format!("{}/blobs/{digest}", repository_url(client)), source: error }
        }
        other => other.into(),
    })
}

/// The upstream repository's URL, without anything secret, for error texts.
pub(crate) fn repository_url(client: &Client) -> String {
    let config = client.config();
    let mut url = config.url.clone();
    // Both fail only for URLs that cannot have userinfo.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    format!("{}/v2/{}", url.as_str().trim_end_matches('/'), config.repository)
}
