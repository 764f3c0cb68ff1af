//! Reading a blob in large blocks on blocking threads, which costs a fraction of what small asynchronous reads do.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;
use object_store::{GetOptions, GetResultPayload, ObjectStore};
use registry::Digest;
use tokio::task::JoinHandle;

use super::blocks::{BLOCK_BYTES, Blocks};
use super::{BlobStore, object_path};
use crate::error::{Result, StorageError};

/// A blob's bytes, or a range of them, block by block. The next block is read while the last one is sent.
#[derive(Debug)]
pub struct BlobBody {
    reading: Option<JoinHandle<std::io::Result<(File, Bytes)>>>,
    left_bytes: u64,
    blocks: Blocks,
}

impl BlobStore {
    /// Opens a blob for reading the bytes in `range`, which must lie within it.
    pub async fn read(&self, digest: &Digest, range: Range<u64>) -> Result<BlobBody> {
        let found = match self.0.objects.get_opts(&object_path(digest), GetOptions::default()).await {
            Err(object_store::Error::NotFound { .. }) => {
                return Err(StorageError::BlobMissing(digest.clone()));
            }
            other => other?,
        };
        if range.end > found.meta.size {
            return Err(StorageError::SizeMismatch { expected: range.end, actual: found.meta.size });
        }
        let GetResultPayload::File(mut file, path) = found.payload else {
            return Err(StorageError::BlobMissing(digest.clone()));
        };
        let left_bytes = range.end.saturating_sub(range.start);
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start))
                .map_err(|error| StorageError::io("seek", &path, error))?;
        }
        let blocks = self.0.blocks.clone();
        let reading = (left_bytes > 0).then(|| read_block(file, blocks.clone(), left_bytes));
        Ok(BlobBody { reading, left_bytes, blocks })
    }
}

fn read_block(mut file: File, blocks: Blocks, left_bytes: u64) -> JoinHandle<std::io::Result<(File, Bytes)>> {
    tokio::task::spawn_blocking(move || {
        let size = usize::try_from(left_bytes).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let mut block = blocks.take();
        block.fill(&mut file, size)?;
        Ok((file, block.into_bytes()))
    })
}

impl Stream for BlobBody {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let outcome = ready!(Pin::new(reading).poll(cx)).map_err(std::io::Error::other).flatten();
        self.reading = None;
        Poll::Ready(Some(outcome.map(|(file, block)| {
            self.left_bytes -= block.len() as u64;
            if self.left_bytes > 0 {
                self.reading = Some(read_block(file, self.blocks.clone(), self.left_bytes));
            }
            block
        })))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let blocks = usize::try_from(self.left_bytes.div_ceil(BLOCK_BYTES as u64)).unwrap_or(usize::MAX);
        (blocks, Some(blocks))
    }
}
