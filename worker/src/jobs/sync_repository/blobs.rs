//! Blobs: which are held, which have to be fetched.

use std::collections::hash_map::Entry;

use futures::{StreamExt, TryStreamExt};
use registry::Digest;
use storage::OrphanKind;

use super::walk::{Walk, WantedBlob};
use crate::JobError;

/// How many files are looked for at a time.
const LOOKS: usize = 16;

impl Walk {
    /// Takes a blob that a manifest needs. Each one is looked up and fetched once, however many manifests need it.
    pub(super) fn want_blob(&mut self, wanted: WantedBlob) -> Result<(), JobError> {
        match self.blobs.entry(wanted.digest.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(wanted.size_bytes);
                self.source.progress.blob_seen();
                self.unknown_blobs.push(wanted);
                Ok(())
            }
            Entry::Occupied(entry) => match entry.get() {
                Some(actual) => check_size(&wanted, *actual),
                None => Ok(()),
            },
        }
    }

    /// Asks the store about all blobs that were met since the last time. A blob is held when its file is there:
    /// if the process died before the catalog had it, the catalog gets it now.
    pub(super) async fn look_up_blobs(&mut self) -> Result<(), JobError> {
        let wanted = std::mem::take(&mut self.unknown_blobs);
        if wanted.is_empty() {
            return Ok(());
        }
        let digests: Vec<_> = wanted.iter().map(|wanted| wanted.digest.clone()).collect();
        self.source.catalog.touch_orphans(OrphanKind::Blob, &digests).await?;
        let recorded = self.source.catalog.find_blobs(&digests).await?;
        let blobs = self.source.blobs.clone();
        let sizes: Vec<Option<u64>> = futures::stream::iter(digests)
            .map(|digest| {
                let blobs = blobs.clone();
                async move { blobs.find_size(&digest).await }
            })
            .buffered(LOOKS)
            .try_collect()
            .await?;
        for (wanted, size_bytes) in wanted.into_iter().zip(sizes) {
            let Some(size_bytes) = size_bytes else {
                self.source.progress.want_blob(wanted.size_bytes);
                self.fetches.push_back(wanted);
                continue;
            };
            check_size(&wanted, size_bytes)?;
            if !recorded.contains_key(&wanted.digest) {
                self.recorder.add_blob(wanted.digest.clone(), size_bytes);
            }
            self.blob_is_there(wanted.digest);
        }
        Ok(())
    }

    /// A blob is in the store: manifests that need it to be recorded can be.
    pub(super) fn blob_is_there(&mut self, digest: Digest) {
        if self.configs.is_there(&digest) {
            self.read_config(digest);
        }
    }
}

fn check_size(wanted: &WantedBlob, actual: u64) -> Result<(), JobError> {
    match wanted.size_bytes {
        Some(stated) if stated != actual => {
            Err(JobError::BlobSize { digest: wanted.digest.clone(), stated, actual })
        }
        _ => Ok(()),
    }
}
