//! Whether a blob's file is what its digest says.

use std::fs::File;

use registry::Digest;

use super::BlobStore;
use super::writer::hash_all;
use crate::error::{Result, StorageError};

/// How a blob's file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Whole,
    /// There is none.
    Missing,
    /// It holds something else.
    Corrupted,
}

impl BlobStore {
    /// Looks at a blob's file: at its size, and, with `hash`, at every byte.
    pub async fn check(&self, digest: &Digest, size_bytes: u64, hash: bool) -> Result<Verdict> {
        match self.find_size(digest).await? {
            None => return Ok(Verdict::Missing),
            Some(found) if found != size_bytes => return Ok(Verdict::Corrupted),
            Some(_) if !hash => return Ok(Verdict::Whole),
            Some(_) => {}
        }
        let (path, expected) = (self.file_path(digest), digest.clone());
        tokio::task::spawn_blocking(move || {
            let failed = |error| StorageError::io("read", &path, error);
            let mut file = match File::open(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Verdict::Missing),
                other => other.map_err(failed)?,
            };
            let hasher = hash_all(&mut file, expected.algorithm()).map_err(failed)?;
            Ok(if hasher.finish() == expected { Verdict::Whole } else { Verdict::Corrupted })
        })
        .await?
    }
}
