//! Receiving the bytes of blobs.
//!
//! Each request is driven to its end by a task of its own, so that a client that goes away leaves nothing half done: what
//! arrived of a chunk stays, and what has been verified is recorded.

use std::time::Duration;

use registry::{Algorithm, Digest, RepositoryName};
use storage::{BlobUpload, StorageError, UploadSession};
use tracing::Instrument as _;
use uuid::Uuid;

use super::content_range::ChunkRange;
use super::{expired, say_progress};
use crate::AppState;
use crate::v2::V2Error;
use crate::v2::auth::Visit;
use crate::v2::incoming::Incoming;

/// How long to wait for another request of the same session, whose client may have gone away.
const BUSY_PATIENCE: Duration = Duration::from_secs(5);
/// How old the note of a session's last use may get while it is in use.
const TOUCH_SECONDS: i64 = 60;

/// One request of a session.
struct Receiver {
    state: AppState,
    session: UploadSession,
    range: Option<ChunkRange>,
    incoming: Incoming,
}

/// A blob in the body of one request, without a session.
pub(super) async fn at_once(
    visit: &Visit<'_>,
    repository: Uuid,
    digest: &Digest,
    mut incoming: Incoming,
) -> Result<(), V2Error> {
    let (state, digest) = (visit.state.clone(), digest.clone());
    apart(async move {
        let mut staged = state.blobs.stage(&digest).await?;
        while let Some(piece) = incoming.next().await? {
            check_size(&state, staged.written_bytes() + piece.len() as u64)?;
            staged.write(piece).await?;
        }
        let size_bytes = staged.finish(None).await.map_err(wrong_digest)?;
        Ok(state.catalog.record_pushed_blob(&state.blobs, repository, None, &digest, size_bytes).await?)
    })
    .await
}

/// A chunk, or a stream without an end in sight; gives how much has arrived by now.
pub(super) async fn more(
    visit: &Visit<'_>,
    name: &RepositoryName,
    session: UploadSession,
    incoming: Incoming,
) -> Result<u64, V2Error> {
    let receiver = Receiver::new(visit, session, incoming)?;
    let name = name.clone();
    apart(async move { receiver.more(&name).await }).await
}

/// The last chunk, or the whole blob, or nothing; then the blob is verified.
pub(super) async fn rest(
    visit: &Visit<'_>,
    name: &RepositoryName,
    session: UploadSession,
    digest: &Digest,
    incoming: Incoming,
) -> Result<(), V2Error> {
    let receiver = Receiver::new(visit, session, incoming)?;
    let (name, digest) = (name.clone(), digest.clone());
    apart(async move { receiver.rest(&name, &digest).await }).await
}

async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, V2Error>> + Send + 'static,
) -> Result<T, V2Error> {
    tokio::spawn(work.in_current_span()).await.map_err(StorageError::Interrupted)?
}

impl Receiver {
    /// What the head of the request already shows to be wrong is refused before a byte is read.
    fn new(visit: &Visit<'_>, session: UploadSession, incoming: Incoming) -> Result<Self, V2Error> {
        let headers = visit.request.headers();
        let range = ChunkRange::of(headers)?;
        let stated = headers.get(poem::http::header::CONTENT_LENGTH);
        let stated = stated.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if let (Some(range), Some(actual)) = (range, stated)
            && range.length != actual
        {
            return Err(V2Error::WrongLength { stated: range.length, actual });
        }
        Ok(Self { state: visit.state.clone(), session, range, incoming })
    }

    async fn more(mut self, name: &RepositoryName) -> Result<u64, V2Error> {
        let mut upload = self.open(name, Algorithm::Sha256).await?;
        match self.receive(&mut upload).await {
            Ok(()) => {}
            Err(broken @ (V2Error::BodyBroken | V2Error::BodyTooSlow)) => {
                // The client asks how much has arrived, and goes on from there.
                upload.pause().await?;
                return Err(broken);
            }
            Err(error) => return Err(undone(upload, error).await),
        }
        let size_bytes = upload.pause().await?;
        let now = self.state.catalog.now();
        if self.session.updated <= now.plus_seconds(-TOUCH_SECONDS) {
            self.state.catalog.touch_upload(self.session.id).await?;
        }
        Ok(size_bytes)
    }

    async fn rest(mut self, name: &RepositoryName, digest: &Digest) -> Result<(), V2Error> {
        let mut upload = self.open(name, digest.algorithm()).await?;
        if let Err(error) = self.receive(&mut upload).await {
            // Whoever sends a last request again sends all of it again.
            return Err(undone(upload, error).await);
        }
        let size_bytes = upload.finish(digest).await.map_err(wrong_digest)?;
        let UploadSession { id, repository, .. } = self.session;
        Ok(self
            .state
            .catalog
            .record_pushed_blob(&self.state.blobs, repository, Some(id), digest, size_bytes)
            .await?)
    }

    /// The session's file, to which nobody else writes meanwhile.
    async fn open(&mut self, name: &RepositoryName, algorithm: Algorithm) -> Result<BlobUpload, V2Error> {
        let id = self.session.id;
        let upload = self.state.blobs.open_upload(id, algorithm, BUSY_PATIENCE).await?;
        let upload = upload.ok_or(V2Error::UploadBusy)?;
        let expired = expired(&self.state, self.state.catalog.now());
        if upload.start_bytes() == 0 && self.state.catalog.find_upload(id, expired).await?.is_none() {
            // Another request has finished it while this one waited.
            self.state.blobs.remove_upload(id).await?;
            return Err(V2Error::UploadUnknown);
        }
        match self.range {
            Some(range) if range.start != upload.start_bytes() => {
                let mut headers = poem::http::HeaderMap::new();
                say_progress(&mut headers, name, id, upload.pause().await?);
                Err(V2Error::OutOfOrder { headers: Box::new(headers) })
            }
            _ => Ok(upload),
        }
    }

    async fn receive(&mut self, upload: &mut BlobUpload) -> Result<(), V2Error> {
        let start = upload.start_bytes();
        let stated = self.range.map(|range| range.length);
        while let Some(piece) = self.incoming.next().await? {
            check_size(&self.state, upload.size_bytes() + piece.len() as u64)?;
            let actual = upload.size_bytes() - start + piece.len() as u64;
            if let Some(stated) = stated.filter(|stated| actual > *stated) {
                return Err(V2Error::WrongLength { stated, actual });
            }
            upload.write(piece).await?;
        }
        let actual = upload.size_bytes() - start;
        match stated.filter(|stated| *stated != actual) {
            Some(stated) => Err(V2Error::WrongLength { stated, actual }),
            None => Ok(()),
        }
    }
}

/// Forgets what a request brought that is refused for `error`.
async fn undone(upload: BlobUpload, error: V2Error) -> V2Error {
    if let Err(failed) = upload.undo().await {
        tracing::warn!(error = registry::chain(&failed), "what a refused request had written is still there");
    }
    error
}

fn check_size(state: &AppState, size_bytes: u64) -> Result<(), V2Error> {
    let limit_bytes = state.config.max_blob_bytes;
    if size_bytes > limit_bytes { Err(V2Error::BlobTooLarge { limit_bytes }) } else { Ok(()) }
}

fn wrong_digest(error: StorageError) -> V2Error {
    match error {
        StorageError::DigestMismatch { expected, actual } => V2Error::WrongDigest { expected, actual },
        other => other.into(),
    }
}
