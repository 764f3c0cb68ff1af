//! Writes down what has arrived, many things at a time.

use std::time::{Duration, Instant};

use registry::Digest;
use storage::{BlobStore, Catalog, NewManifest};

use crate::JobError;

/// Most things that wait to be written.
const BATCH: usize = 64;
/// Longest time that a thing waits to be written.
const PATIENCE: Duration = Duration::from_millis(200);

/// Gathers what has arrived, and writes it down when there is enough or it has waited long enough.
pub(super) struct Recorder {
    catalog: Catalog,
    store: BlobStore,
    blobs: Vec<(Digest, u64)>,
    manifests: Vec<NewManifest>,
    oldest: Option<Instant>,
}

impl Recorder {
    pub(super) fn new(catalog: Catalog, store: BlobStore) -> Self {
        Self { catalog, store, blobs: Vec::new(), manifests: Vec::new(), oldest: None }
    }

    pub(super) fn add_blob(&mut self, digest: Digest, size_bytes: u64) {
        self.blobs.push((digest, size_bytes));
        self.oldest.get_or_insert_with(Instant::now);
    }

    pub(super) fn add_manifest(&mut self, manifest: NewManifest) {
        self.manifests.push(manifest);
        self.oldest.get_or_insert_with(Instant::now);
    }

    pub(super) async fn flush_if_due(&mut self) -> Result<(), JobError> {
        let is_full = self.blobs.len() + self.manifests.len() >= BATCH;
        if is_full || self.oldest.is_some_and(|oldest| oldest.elapsed() >= PATIENCE) {
            self.flush().await?;
        }
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), JobError> {
        self.oldest = None;
        let blobs = std::mem::take(&mut self.blobs);
        if !blobs.is_empty() {
            self.catalog.record_blobs(&self.store, blobs).await?;
        }
        let manifests = std::mem::take(&mut self.manifests);
        if !manifests.is_empty() {
            self.catalog.record_manifests(manifests).await?;
        }
        Ok(())
    }
}
