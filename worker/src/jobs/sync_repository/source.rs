//! What the transfers of one sync share.

use std::fmt::Display;

use registry::{Digest, Reference};
use storage::{BlobStore, Catalog};
use upstream::{Client, FetchedManifest, ManifestHead, UpstreamError};

use super::progress::Progress;
use super::traffic::TrafficMeter;
use crate::JobError;
use crate::jobs::download::{download, repository_url};

/// The upstream, and where what it sends goes.
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) catalog: Catalog,
    pub(super) blobs: BlobStore,
    pub(super) progress: Progress,
    pub(super) traffic: TrafficMeter,
}

/// What the upstream says of a reference without sending the manifest.
pub(super) enum Head {
    /// There is no such manifest.
    Missing,
    /// It is there; only reading it tells its digest.
    Untold,
    /// It has this digest.
    Is(Digest),
}

impl Source {
    /// How many blobs may be on their way at a time.
    pub(super) fn concurrency(&self) -> usize {
        self.client.config().download_concurrency.unwrap_or(1).max(1)
    }

    /// The upstream repository's URL, without anything secret, for error texts.
    pub(super) fn repository_url(&self) -> String {
        repository_url(&self.client)
    }

    pub(super) fn manifest_url(&self, reference: &impl Display) -> String {
        format!("{}/manifests/{reference}", self.repository_url())
    }

    /// What a reference names upstream.
    pub(super) async fn head(&self, reference: &Reference) -> Result<Head, JobError> {
        Ok(match self.client.head_manifest(reference).await? {
            None => Head::Missing,
            Some(ManifestHead { digest: None, .. }) => Head::Untold,
            Some(ManifestHead { digest: Some(digest), .. }) => Head::Is(digest),
        })
    }

    /// A manifest. `None` for a tag that isn't there; a digest that isn't there is an error, since something that
    /// is there names it, unless that may be wrong.
    pub(super) async fn get_manifest(
        &self,
        reference: &Reference,
        may_be_missing: bool,
    ) -> Result<Option<FetchedManifest>, JobError> {
        match self.client.get_manifest(reference).await {
            Ok(fetched) => {
                self.progress.manifest_fetched();
                self.traffic.add_bytes(fetched.bytes.len());
                tracing::debug!(%reference, manifest.digest = %fetched.digest, "manifest fetched");
                Ok(Some(fetched))
            }
            Err(UpstreamError::NotFound { .. })
                if may_be_missing || matches!(reference, Reference::Tag(_)) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Streams a blob into the store, unless another sync brings it meanwhile. Gives its size in bytes.
    pub(super) async fn fetch_blob(&self, digest: &Digest, size_bytes: Option<u64>) -> Result<u64, JobError> {
        let _turn = self.blobs.take_fetch_turn(digest).await;
        if let Some(held) = self.blobs.find_size(digest).await?
            && size_bytes.is_none_or(|size_bytes| size_bytes == held)
        {
            self.progress.add_bytes(usize::try_from(held).unwrap_or(usize::MAX));
            return Ok(held);
        }
        let count = |bytes| {
            self.progress.add_bytes(bytes);
            self.traffic.add_bytes(bytes);
        };
        let size_bytes = download(&self.client, &self.blobs, digest, size_bytes, count).await?;
        tracing::debug!(blob.digest = %digest, size_bytes, "blob fetched");
        Ok(size_bytes)
    }
}
