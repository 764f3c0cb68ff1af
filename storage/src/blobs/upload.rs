//! Pushed blobs while they arrive, over several requests and perhaps several servers.
//!
//! A session's bytes are one file in a folder that all processes share: its length is how much has arrived, whatever
//! became of the process that wrote it. Whoever writes holds the file's lock, which the system gives back when its holder
//! dies. The hash of what is there is remembered from one request to the next; where it is not (another server, a
//! restart), the file is read once more in the end.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use registry::{Algorithm, Digest, DigestHasher, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use super::BlobStore;
use super::partial::{idle_files, remove_file};
use super::writer::{BatchWriter, Target};
use crate::error::{Result, StorageError};
use crate::fail_point;

/// The folder of the sessions' files, beside the blobs, so that a file can be renamed to its digest.
pub(super) const FOLDER: &str = ".pushes";
/// How often a lock that somebody else has is tried.
const TRY_AGAIN: Duration = Duration::from_millis(25);
/// Sessions whose hash is remembered, and for how long.
const REMEMBERED: u64 = 4096;
const REMEMBERED_FOR: Duration = Duration::from_hours(1);

/// Hashes of sessions that pause, with how many bytes they are of.
#[derive(Debug)]
pub(super) struct Hashes(moka::sync::Cache<Uuid, (u64, DigestHasher)>);

impl Default for Hashes {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_idle(REMEMBERED_FOR).build())
    }
}

/// A session's file, open for this request alone.
#[derive(Debug)]
pub struct BlobUpload {
    store: BlobStore,
    id: Uuid,
    /// How many bytes were there before.
    start_bytes: u64,
    /// The same open file as the writer's, and its lock: it outlasts a write that fails.
    file: File,
    writer: BatchWriter,
}

impl BlobStore {
    /// How many bytes of a session have arrived.
    pub async fn upload_size(&self, id: Uuid) -> Result<u64> {
        let path = self.upload_path(id);
        match tokio::fs::metadata(&path).await {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(StorageError::io("measure", &path, error)),
        }
    }

    /// Opens a session's file at its end. Waits so long for another request that has it; then gives `None`. The hash is
    /// made by `algorithm`.
    pub async fn open_upload(
        &self,
        id: Uuid,
        algorithm: Algorithm,
        patience: Duration,
    ) -> Result<Option<BlobUpload>> {
        let path = self.upload_path(id);
        let give_up = Instant::now() + patience;
        let (file, start_bytes) = loop {
            let tried = path.clone();
            if let Some(opened) = tokio::task::spawn_blocking(move || try_open(&tried)).await?? {
                break opened;
            }
            if Instant::now() >= give_up {
                return Ok(None);
            }
            tokio::time::sleep(TRY_AGAIN).await;
        };
        // Whatever happens to this request: what it adds is not in the hash that was remembered.
        let remembered = self.0.hashes.0.remove(&id);
        let fresh = DigestHasher::new(algorithm);
        let hasher = match remembered {
            _ if start_bytes == 0 => Some(fresh),
            Some((at, hasher)) if at == start_bytes && hasher.algorithm() == algorithm => Some(hasher),
            _ => None,
        };
        let held = file.try_clone().map_err(|error| StorageError::io("open", &path, error))?;
        let writer = BatchWriter::new(path, Target { file, hasher });
        Ok(Some(BlobUpload { store: self.clone(), id, start_bytes, file: held, writer }))
    }

    /// Throws a session's bytes away.
    pub async fn remove_upload(&self, id: Uuid) -> Result<()> {
        self.0.hashes.0.invalidate(&id);
        remove_file(&self.upload_path(id)).await
    }

    /// The sessions that have a file which nobody has written to since `before`.
    pub async fn idle_uploads(&self, before: Timestamp) -> Result<HashSet<Uuid>> {
        let folder = self.0.folder.join(FOLDER);
        tokio::task::spawn_blocking(move || idle_files(&folder, before)).await?
    }

    fn upload_path(&self, id: Uuid) -> PathBuf {
        self.0.folder.join(FOLDER).join(id.to_string())
    }
}

/// Opens a file and locks it. `None` while somebody else has it.
fn try_open(path: &Path) -> Result<Option<(File, u64)>> {
    let opened = || {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever had the lock may have renamed the file: it is a blob by now, and must not be written to.
        let here = file.metadata()?;
        match std::fs::metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (here.dev(), here.ino()) => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let end = file.seek(SeekFrom::End(0))?;
        Ok(Some((file, end)))
    };
    opened().map_err(|error: std::io::Error| StorageError::io("open", path, error))
}

impl BlobUpload {
    /// How many bytes have arrived, those of this request included.
    pub fn size_bytes(&self) -> u64 {
        self.start_bytes + self.writer.written_bytes()
    }

    /// How many bytes had arrived before this request.
    pub fn start_bytes(&self) -> u64 {
        self.start_bytes
    }

    /// Takes the next piece.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.writer.write(bytes).await
    }

    /// Keeps what has arrived for the next request; gives how much that is.
    pub async fn pause(mut self) -> Result<u64> {
        let size_bytes = self.size_bytes();
        let target = self.writer.end().await?;
        fail_point!("upload.paused");
        // Remembered before the lock goes: whoever has it next finds both.
        if let Some(hasher) = target.hasher {
            self.store.0.hashes.0.insert(self.id, (size_bytes, hasher));
        }
        Ok(size_bytes)
    }

    /// Forgets what this request brought, also after a write of it has failed.
    pub async fn undo(mut self) -> Result<()> {
        // Nothing is being written any more when this has ended, however it did.
        let _ = self.writer.end().await;
        let (file, path, start) = (self.file, self.writer.path().to_owned(), self.start_bytes);
        let cut = move || file.set_len(start).map_err(|error| StorageError::io("cut", &path, error));
        tokio::task::spawn_blocking(cut).await?
    }

    /// Verifies the blob and puts it in its place; gives its size. If the digest is wrong, what this request brought is
    /// forgotten.
    pub async fn finish(mut self, digest: &Digest) -> Result<u64> {
        let size_bytes = self.size_bytes();
        let mut target = self.writer.end().await?;
        let (place, path) = (self.store.file_path(digest), self.writer.path().to_owned());
        let (wanted, start) = (digest.clone(), self.start_bytes);
        tokio::task::spawn_blocking(move || {
            let put = target.put(&path, &place, &wanted);
            if let Err(StorageError::DigestMismatch { .. }) = put {
                target.file.set_len(start).map_err(|error| StorageError::io("cut", &path, error))?;
            }
            put
        })
        .await??;
        Ok(size_bytes)
    }
}
