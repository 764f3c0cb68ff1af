//! Files that arrive in pieces, in any order and perhaps at several servers: one file for each, in a folder that all
//! processes share, so that nothing is lost when one of them ends. Which pieces are there, the catalog knows.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;
use registry::{Digest, Timestamp};
use uuid::Uuid;

use super::BlobStore;
use super::partial::{idle_files, remove_file};
use crate::error::{Result, StorageError};

/// The folder of these files, beside the blobs.
const FOLDER: &str = ".uploads";
/// What is read at once when a file becomes a blob.
const BLOCK_BYTES: usize = 512 * 1024;

impl BlobStore {
    /// Writes a piece of a file where it belongs. It is on the disk when this returns.
    pub async fn write_chunk(&self, upload: Uuid, offset: u64, bytes: Bytes) -> Result<()> {
        let (folder, path) = (self.0.folder.join(FOLDER), self.chunks_path(upload));
        tokio::task::spawn_blocking(move || {
            let written = || {
                std::fs::create_dir_all(&folder)?;
                let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
                file.write_all_at(&bytes, offset)?;
                file.sync_data()
            };
            written().map_err(|error| StorageError::io("write", &path, error))
        })
        .await?
    }

    /// Copies a whole file of `size_bytes` to the blobs, if it has this digest.
    pub async fn copy_chunks(&self, upload: Uuid, digest: &Digest, size_bytes: u64) -> Result<()> {
        let mut staged = self.stage(digest).await?;
        let path = self.chunks_path(upload);
        let mut file = match tokio::fs::File::open(&path).await {
            Ok(file) => Some(file.into_std().await),
            // A file of no bytes has no pieces.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(StorageError::io("open", &path, error)),
        };
        while let Some(mut open) = file.take() {
            let read = tokio::task::spawn_blocking(move || {
                let mut block = Vec::with_capacity(BLOCK_BYTES);
                let read = (&mut open).take(BLOCK_BYTES as u64).read_to_end(&mut block);
                read.map(|_| (open, block))
            });
            let (open, block) = read.await?.map_err(|error| StorageError::io("read", &path, error))?;
            if !block.is_empty() {
                staged.write(block.into()).await?;
                file = Some(open);
            }
        }
        staged.finish(Some(size_bytes)).await.map(drop)
    }

    /// Throws a file away; one that isn't there is fine.
    pub async fn remove_chunks(&self, upload: Uuid) -> Result<()> {
        remove_file(&self.chunks_path(upload)).await
    }

    /// The files that nobody has written to since `moment`.
    pub async fn idle_chunks(&self, moment: Timestamp) -> Result<HashSet<Uuid>> {
        let folder = self.0.folder.join(FOLDER);
        tokio::task::spawn_blocking(move || idle_files(&folder, moment)).await?
    }

    fn chunks_path(&self, upload: Uuid) -> PathBuf {
        self.0.folder.join(FOLDER).join(upload.to_string())
    }
}
