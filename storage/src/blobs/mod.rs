//! Blobs: a folder of files named by digest.
//!
//! ```text
//! blobs/
//!   .staging/<process>/<uuid>    being written, by a process that holds .staging/<process>.lock
//!   .pushes/<uuid>               being pushed: what has arrived in an upload session
//!   sha256/9f/9f86d081…          whole and verified
//! ```
//!
//! A blob is hashed while it is written to the staging folder, then synced to disk, renamed to its digest, and the
//! folder synced too. So a file under a digest is always whole, whatever happened to the process or the machine.

mod blocks;
mod read;
mod stage;
mod staging;
mod turn;
mod upload;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use registry::Digest;

use crate::error::{Result, StorageError};
pub use read::BlobBody;
pub use stage::StagedBlob;
pub use turn::FetchTurn;
pub use upload::BlobUpload;

/// The blobs of an installation. Clones share everything.
#[derive(Debug, Clone)]
pub struct BlobStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    staging: staging::StagingFolder,
    objects: LocalFileSystem,
    blocks: blocks::Blocks,
    turns: turn::Turns,
    hashes: upload::Hashes,
}

/// The room on the store's disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// All there is.
    pub total: u64,
    /// Taken, by whatever.
    pub used: u64,
    /// Free for us.
    pub free: u64,
}

impl BlobStore {
    /// Opens the store in `folder`, which is made if it is missing. Other processes may have it open too; what those
    /// were writing that have ended is thrown away.
    pub async fn open(folder: &Path) -> Result<Self> {
        let folder = folder.to_owned();
        tokio::task::spawn_blocking(move || {
            let staging = staging::StagingFolder::open(&folder)?;
            let pushes = folder.join(upload::FOLDER);
            std::fs::create_dir_all(&pushes).map_err(|error| StorageError::io("create", &pushes, error))?;
            let objects = LocalFileSystem::new_with_prefix(&folder)?;
            Ok(Self(Arc::new(Inner {
                folder,
                staging,
                objects,
                blocks: blocks::Blocks::default(),
                turns: turn::Turns::default(),
                hashes: upload::Hashes::default(),
            })))
        })
        .await?
    }

    /// The size in bytes of a blob; `None` when it isn't there.
    pub async fn find_size(&self, digest: &Digest) -> Result<Option<u64>> {
        match self.0.objects.head(&object_path(digest)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a blob; one that isn't there is fine.
    pub async fn delete(&self, digest: &Digest) -> Result<()> {
        match self.0.objects.delete(&object_path(digest)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A whole blob of at most `limit_bytes`.
    pub async fn read_small(&self, digest: &Digest, limit_bytes: u64) -> Result<Bytes> {
        let path = object_path(digest);
        let found = match self.0.objects.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => {
                return Err(StorageError::BlobMissing(digest.clone()));
            }
            other => other?,
        };
        if found.meta.size > limit_bytes {
            return Err(StorageError::SizeMismatch { expected: limit_bytes, actual: found.meta.size });
        }
        Ok(found.bytes().await?)
    }

    /// The room on the store's disk.
    pub fn usage(&self) -> Result<Usage> {
        let stat = rustix::fs::statvfs(&self.0.folder)
            .map_err(|error| StorageError::io("measure", &self.0.folder, error.into()))?;
        let total = stat.f_blocks * stat.f_frsize;
        Ok(Usage { total, used: total - stat.f_bfree * stat.f_frsize, free: stat.f_bavail * stat.f_frsize })
    }

    /// Where a blob's file is.
    fn file_path(&self, digest: &Digest) -> PathBuf {
        self.0.folder.join(object_path(digest).as_ref())
    }
}

/// `<algorithm>/<two digits>/<all digits>`, made from a validated digest only.
fn object_path(digest: &Digest) -> ObjectPath {
    ObjectPath::from_iter([digest.algorithm().as_str(), &digest.hex()[..2], digest.hex()])
}
