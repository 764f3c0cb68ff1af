//! Forgetting pushes that were begun and never ended.

use std::time::Duration;

use registry::chain;
use storage::{BlobStore, Catalog, StorageError};

/// How often they are looked for.
const PERIOD: Duration = Duration::from_mins(1);
/// A file without a session is left alone for so long: its session may be about to end.
const STRAY_SECONDS: i64 = 3600;

/// Removes upload sessions that nobody has used for `expiry`, until it is dropped.
pub(crate) async fn remove(catalog: Catalog, blobs: BlobStore, expiry: Duration) {
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        ticks.tick().await;
        if let Err(error) = look(&catalog, &blobs, expiry).await {
            tracing::warn!(error = chain(&error), "old uploads could not be removed");
        }
    }
}

async fn look(catalog: &Catalog, blobs: &BlobStore, expiry: Duration) -> Result<(), StorageError> {
    let seconds = i64::try_from(expiry.as_secs()).unwrap_or(i64::MAX);
    let ended = catalog.forget_old_pushes(catalog.now().plus_seconds(-seconds)).await?;
    for id in &ended {
        blobs.remove_upload(*id).await?;
    }
    if !ended.is_empty() {
        tracing::info!(uploads = ended.len(), "removed uploads that nobody went on with");
    }
    // Files whose session ended while their process died.
    let idle = blobs.idle_uploads(catalog.now().plus_seconds(-STRAY_SECONDS)).await?;
    let known = catalog.known_uploads(&idle).await?;
    for stray in idle.difference(&known) {
        blobs.remove_upload(*stray).await?;
    }
    Ok(())
}
