//! Writing a blob: hashed on the way, nothing visible before it is whole.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use bytes::Bytes;
use registry::{Digest, DigestHasher};
use tokio::task::JoinHandle;

use super::BlobStore;
use crate::error::{Result, StorageError};
use crate::fail_point;

/// Bytes that are gathered before a blocking thread hashes and writes them: large enough that the hand-over costs
/// nothing, small enough that a hundred downloads fit into memory.
const BATCH_BYTES: usize = 512 * 1024;

/// A blob that is being written. Dropping it throws it away.
#[derive(Debug)]
pub struct StagedBlob {
    store: BlobStore,
    digest: Digest,
    written_bytes: u64,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    /// The file and the hash, here or on a blocking thread.
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Idle(Box<Target>),
    Busy(JoinHandle<Result<Box<Target>>>),
    /// An earlier write failed; the file is gone.
    Broken,
}

#[derive(Debug)]
struct Target {
    file: File,
    path: StagedPath,
    hasher: DigestHasher,
}

/// The file in the staging folder, removed when dropped unless it was renamed.
#[derive(Debug)]
struct StagedPath(PathBuf);

impl Drop for StagedPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl BlobStore {
    /// Begins to write a blob.
    pub async fn stage(&self, digest: &Digest) -> Result<StagedBlob> {
        let path = self.0.staging.new_path();
        let hasher = DigestHasher::new(digest.algorithm());
        let target = tokio::task::spawn_blocking(move || {
            let file = File::create_new(&path).map_err(|error| StorageError::io("create", &path, error))?;
            fail_point!("blob.created");
            Ok::<_, StorageError>(Box::new(Target { file, path: StagedPath(path), hasher }))
        })
        .await??;
        Ok(StagedBlob {
            store: self.clone(),
            digest: digest.clone(),
            written_bytes: 0,
            batch: Vec::new(),
            batch_bytes: 0,
            sink: Sink::Idle(target),
        })
    }
}

impl StagedBlob {
    /// Takes the next piece. Hashing and writing happen on a blocking thread while the caller waits for more.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.written_bytes += bytes.len() as u64;
        self.batch_bytes += bytes.len();
        self.batch.push(bytes);
        if self.batch_bytes >= BATCH_BYTES { self.flush().await } else { Ok(()) }
    }

    /// How many bytes were taken so far.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Verifies the blob and puts it in its place; gives its size. When it was there already, that's fine.
    pub async fn finish(mut self, size_bytes: Option<u64>) -> Result<u64> {
        if let Some(expected) = size_bytes.filter(|expected| *expected != self.written_bytes) {
            return Err(StorageError::SizeMismatch { expected, actual: self.written_bytes });
        }
        self.flush().await?;
        let target = self.idle_target().await?;
        let place = self.store.file_path(&self.digest);
        let (expected, written) = (self.digest, self.written_bytes);
        tokio::task::spawn_blocking(move || target.put(&expected, &place)).await??;
        Ok(written)
    }

    async fn flush(&mut self) -> Result<()> {
        let mut target = self.idle_target().await?;
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        self.sink = Sink::Busy(tokio::task::spawn_blocking(move || {
            for piece in &batch {
                target.hasher.update(piece);
                target
                    .file
                    .write_all(piece)
                    .map_err(|error| StorageError::io("write", &target.path.0, error))?;
            }
            Ok(target)
        }));
        Ok(())
    }

    async fn idle_target(&mut self) -> Result<Box<Target>> {
        match std::mem::replace(&mut self.sink, Sink::Broken) {
            Sink::Idle(target) => Ok(target),
            Sink::Busy(writing) => writing.await?,
            Sink::Broken => Err(StorageError::io(
                "write",
                &self.store.0.folder,
                std::io::Error::other("an earlier write to this blob failed"),
            )),
        }
    }
}

impl Target {
    fn put(self, expected: &Digest, place: &std::path::Path) -> Result<()> {
        let actual = self.hasher.finish();
        if actual != *expected {
            return Err(StorageError::DigestMismatch { expected: expected.clone(), actual });
        }
        let folder = place.parent().expect("a blob's path has a folder");
        fail_point!("blob.written");
        self.file.sync_all().map_err(|error| StorageError::io("sync", &self.path.0, error))?;
        fail_point!("blob.synced");
        if !folder.is_dir() {
            create_durably(folder)?;
        }
        std::fs::rename(&self.path.0, place).map_err(|error| StorageError::io("rename", place, error))?;
        fail_point!("blob.renamed");
        sync_folder(folder)?;
        fail_point!("blob.placed");
        Ok(())
    }
}

/// Makes a folder and those above it, each one synced into its parent.
fn create_durably(folder: &std::path::Path) -> Result<()> {
    let parent = folder.parent().expect("blobs lie two folders deep");
    if !parent.is_dir() {
        create_durably(parent)?;
    }
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(StorageError::io("create", folder, error))
        }
        _ => sync_folder(parent),
    }
}

fn sync_folder(folder: &std::path::Path) -> Result<()> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(|error| StorageError::io("sync", folder, error))
}
