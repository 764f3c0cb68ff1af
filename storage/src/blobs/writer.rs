//! Writing a file in large batches on blocking threads, hashed on the way.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use registry::{Algorithm, Digest, DigestHasher};
use tokio::task::JoinHandle;

use super::blocks::BLOCK_BYTES;
use crate::error::{Result, StorageError};
use crate::fail_point;

/// Bytes that are gathered before a blocking thread hashes and writes them: large enough that the hand-over costs
/// nothing, small enough that a hundred downloads fit into memory.
const BATCH_BYTES: usize = 512 * 1024;

/// A file that is being written from its present end.
#[derive(Debug)]
pub(super) struct BatchWriter {
    path: PathBuf,
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
    /// An earlier write failed.
    Broken,
}

/// A file, and the hash of all that is in it where that is known.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) file: File,
    pub(super) hasher: Option<DigestHasher>,
}

impl BatchWriter {
    pub(super) fn new(path: PathBuf, target: Target) -> Self {
        let sink = Sink::Idle(Box::new(target));
        Self { path, written_bytes: 0, batch: Vec::new(), batch_bytes: 0, sink }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes were taken.
    pub(super) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Takes the next piece. Hashing and writing happen on a blocking thread while the caller waits for more.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.written_bytes += bytes.len() as u64;
        self.batch_bytes += bytes.len();
        self.batch.push(bytes);
        if self.batch_bytes >= BATCH_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Writes what is left, and gives the file back.
    pub(super) async fn end(&mut self) -> Result<Target> {
        self.flush().await?;
        Ok(*self.idle_target().await?)
    }

    async fn flush(&mut self) -> Result<()> {
        let mut target = self.idle_target().await?;
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let path = self.path.clone();
        self.sink = Sink::Busy(tokio::task::spawn_blocking(move || {
            for piece in &batch {
                if let Some(hasher) = &mut target.hasher {
                    hasher.update(piece);
                }
                target.file.write_all(piece).map_err(|error| StorageError::io("write", &path, error))?;
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
                &self.path,
                std::io::Error::other("an earlier write to this blob failed"),
            )),
        }
    }
}

impl Target {
    /// Puts the whole file into the place of `expected` if it has that digest, so that neither a crash of the process nor
    /// one of the machine can leave half of it there.
    pub(super) fn put(&mut self, path: &Path, place: &Path, expected: &Digest) -> Result<()> {
        let hasher = match self.hasher.take().filter(|hasher| hasher.algorithm() == expected.algorithm()) {
            Some(hasher) => hasher,
            None => hash_all(&mut self.file, expected.algorithm())
                .map_err(|error| StorageError::io("read", path, error))?,
        };
        let actual = hasher.finish();
        if actual != *expected {
            return Err(StorageError::DigestMismatch { expected: expected.clone(), actual });
        }
        let folder = place.parent().expect("a blob's path has a folder");
        fail_point!("blob.written");
        self.file.sync_all().map_err(|error| StorageError::io("sync", path, error))?;
        fail_point!("blob.synced");
        if !folder.is_dir() {
            create_durably(folder)?;
        }
        std::fs::rename(path, place).map_err(|error| StorageError::io("rename", place, error))?;
        fail_point!("blob.renamed");
        sync_folder(folder)?;
        fail_point!("blob.placed");
        Ok(())
    }
}

/// Hashes a file from its beginning.
pub(super) fn hash_all(file: &mut File, algorithm: Algorithm) -> std::io::Result<DigestHasher> {
    let mut hasher = DigestHasher::new(algorithm);
    let mut block = vec![0; BLOCK_BYTES];
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hasher),
            count => hasher.update(&block[..count]),
        }
    }
}

/// Makes a folder and those above it, each one synced into its parent.
fn create_durably(folder: &Path) -> Result<()> {
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

fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(|error| StorageError::io("sync", folder, error))
}
