//! Bodies that are received piece by piece, however large they are.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use poem::Body;
use registry::MAX_MANIFEST_BYTES;

use super::V2Error;

/// A body on its way. A client that stops sending is given up after a while.
pub(super) struct Incoming {
    pieces: Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>,
    patience: Duration,
}

impl Incoming {
    pub(super) fn new(body: Body, patience: Duration) -> Self {
        let pieces = body.into_bytes_stream().map(|piece| piece.map_err(std::io::Error::other));
        Self { pieces: Box::pin(pieces), patience }
    }

    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, V2Error> {
        match tokio::time::timeout(self.patience, self.pieces.next()).await {
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(Some(Err(error))) => {
                tracing::debug!(error = registry::chain(&error), "a body broke off");
                Err(V2Error::BodyBroken)
            }
            Ok(None) => Ok(None),
            Err(_) => Err(V2Error::BodyTooSlow),
        }
    }

    /// A whole manifest.
    pub(super) async fn manifest(mut self) -> Result<Bytes, V2Error> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await? {
            if whole.len() + piece.len() > MAX_MANIFEST_BYTES {
                return Err(V2Error::ManifestTooLarge);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }
}
