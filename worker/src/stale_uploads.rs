//! Throwing uploads away that nobody goes on with, and the files that uploads have left behind.

use std::time::Duration;

use registry::chain;
use storage::{BlobStore, Catalog, StorageError};

/// How often it is looked for.
const PERIOD: Duration = Duration::from_mins(10);

/// Throws away what has not changed for `kept`, until it is dropped.
pub(crate) async fn remove(catalog: Catalog, blobs: BlobStore, kept: Duration) {
    let mut ticks = tokio::time::interval(PERIOD.min(kept).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        if let Err(error) = remove_once(&catalog, &blobs, kept).await {
            tracing::warn!(error = chain(&error), "stale uploads could not be removed");
        }
    }
}

async fn remove_once(catalog: &Catalog, blobs: &BlobStore, kept: Duration) -> Result<(), StorageError> {
    let seconds = i64::try_from(kept.as_secs()).unwrap_or(i64::MAX);
    let moment = catalog.now().plus_seconds(-seconds);
    let mut removed = 0;
    loop {
        let stale = catalog.delete_artifact_uploads(moment).await?;
        if stale.is_empty() {
            break;
        }
        removed += stale.len();
    }
    let idle: Vec<_> = blobs.idle_chunks(moment).await?.into_iter().collect();
    for upload in catalog.unknown_artifact_uploads(&idle).await? {
        blobs.remove_chunks(upload).await?;
    }
    if removed > 0 {
        tracing::info!(removed, "uploads that nobody went on with were removed");
    }
    Ok(())
}
