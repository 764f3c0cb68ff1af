//! Reading blobs (OCI distribution-spec 1.1, "Pulling blobs").
use bytes::Bytes;
use registry::Digest;

use crate::{Client, UpstreamError};

/// A blob on its way.
pub struct BlobReader {
    client: Client,
}

impl Client {
    /// Starts to read a blob from `offset`.
    #[expect(clippy::unused_async, reason = "skeleton")]
    pub async fn open_blob(
        &self,
        _digest: &Digest,
        _offset: u64,
        _size_bytes: Option<u64>,
    ) -> Result<BlobReader, UpstreamError> {
        Ok(BlobReader { client: self.clone() })
    }
}

impl BlobReader {
    /// The next piece; `None` at the end.
    #[expect(clippy::unused_async, reason = "skeleton")]
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        Err(self.client.unfinished())
    }

    /// The blob's whole size, once it is known.
    pub fn size_bytes(&self) -> Option<u64> {
        None
    }
}
