//! Blobs: a folder of files named by digest.
//!
//! ```text
//! blobs/
//!   .staging/<process>/<uuid>    being written, by a process that holds .staging/<process>.lock
//!   .uploads/<uuid>             artifacts that arrive in pieces
//!   .pushes/<uuid>               being pushed: what has arrived in an upload session
//!   sha256/9f/9f86d081…          whole and verified
//! ```
//!
//! A blob is hashed while it is written to the staging folder, then synced to disk, renamed to its digest, and the
//! folder synced too. So a file under a digest is always whole, whatever happened to the process or the machine.

mod blocks;
mod check;
mod chunks;
mod partial;
mod read;
mod stage;
mod staging;
mod turn;
mod upload;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use registry::digest::Algorithm;
use registry::{Digest, Timestamp};

use crate::error::{Result, StorageError};
pub use check::Verdict;
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

/// A file in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobFile {
    /// What it is named by.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written to.
    pub modified: Timestamp,
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

    /// The files whose digest begins with the byte `part`. Other files, which nobody but an operator can have put there,
    /// are left out.
    pub async fn list(&self, part: u8) -> Result<Vec<BlobFile>> {
        let mut files = Vec::new();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let folder = ObjectPath::from_iter([algorithm.as_str(), &format!("{part:02x}")]);
            let mut found = self.0.objects.list(Some(&folder));
            while let Some(meta) = found.try_next().await? {
                let digest = meta.location.filename().map(|hex| format!("{}:{hex}", algorithm.as_str()));
                let Some(digest) = digest.and_then(|text| text.parse().ok()) else { continue };
                let modified = Timestamp::from_micros(meta.last_modified.timestamp_micros());
                files.push(BlobFile { digest, size: meta.size, modified });
            }
        }
        Ok(files)
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
