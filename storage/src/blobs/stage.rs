//! Writing a blob whose digest is known: hashed on the way, nothing visible before it is whole.

use std::fs::File;
use std::path::PathBuf;

use bytes::Bytes;
use registry::{Digest, DigestHasher};

use super::BlobStore;
use super::writer::{BatchWriter, Target};
use crate::error::{Result, StorageError};
use crate::fail_point;

/// A blob that is being written. Dropping it throws it away.
#[derive(Debug)]
pub struct StagedBlob {
    store: BlobStore,
    digest: Digest,
    writer: BatchWriter,
    path: StagedPath,
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
        let hasher = Some(DigestHasher::new(digest.algorithm()));
        let (writer, path) = tokio::task::spawn_blocking(move || {
            let file = File::create_new(&path).map_err(|error| StorageError::io("create", &path, error))?;
            fail_point!("blob.created");
            let writer = BatchWriter::new(path.clone(), Target { file, hasher });
            Ok::<_, StorageError>((writer, StagedPath(path)))
        })
        .await??;
        Ok(StagedBlob { store: self.clone(), digest: digest.clone(), writer, path })
    }
}

impl StagedBlob {
    /// Takes the next piece. Hashing and writing happen on a blocking thread while the caller waits for more.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.writer.write(bytes).await
    }

    /// How many bytes were taken so far.
    pub fn written_bytes(&self) -> u64 {
        self.writer.written_bytes()
    }

    /// Verifies the blob and puts it in its place; gives its size. When it was there already, that's fine.
    pub async fn finish(self, size_bytes: Option<u64>) -> Result<u64> {
        let Self { store, digest, mut writer, path } = self;
        let written = writer.written_bytes();
        if let Some(expected) = size_bytes.filter(|expected| *expected != written) {
            return Err(StorageError::SizeMismatch { expected, actual: written });
        }
        let mut target = writer.end().await?;
        let place = store.file_path(&digest);
        tokio::task::spawn_blocking(move || target.put(&path.0, &place, &digest)).await??;
        Ok(written)
    }
}
