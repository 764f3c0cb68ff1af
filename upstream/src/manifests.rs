//! Reading manifests (OCI distribution-spec 1.1, "Pulling manifests").
use bytes::Bytes;
use registry::{Digest, MediaType, Reference};

use crate::{Client, UpstreamError};

/// What the registry says of a manifest without sending it. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestHead {
    /// `Docker-Content-Digest`.
    pub digest: Option<Digest>,
    /// `Content-Type`.
    pub media_type: Option<MediaType>,
    /// `Content-Length`.
    pub size_bytes: Option<u64>,
}

/// A manifest as it was received, its digest verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedManifest {
    /// Computed from the bytes.
    pub digest: Digest,
    /// `Content-Type`; `application/octet-stream` where there was none.
    pub media_type: MediaType,
    /// The bytes as received.
    pub bytes: Bytes,
}

impl Client {
    /// Asks what a tag or digest is. `None` if there is no such manifest.
    #[expect(clippy::unused_async, reason = "skeleton")]
    pub async fn head_manifest(&self, _reference: &Reference) -> Result<Option<ManifestHead>, UpstreamError> {
        Err(self.unfinished())
    }

    /// Reads a manifest and verifies its digest.
    #[expect(clippy::unused_async, reason = "skeleton")]
    pub async fn get_manifest(&self, _reference: &Reference) -> Result<FetchedManifest, UpstreamError> {
        Err(self.unfinished())
    }
}
