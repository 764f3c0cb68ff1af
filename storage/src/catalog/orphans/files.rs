//! Files that are to go: those of blobs that went as orphans, and those that no blob was ever recorded for.

use std::time::{Duration, Instant};

use registry::Digest;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Freed;
use crate::blobs::BlobStore;
use crate::catalog::sync::{read_digest, read_size};
use crate::catalog::versions::CHUNK;
use crate::catalog::{Catalog, Tx};
use crate::entity::{blob, doomed_file};
use crate::error::{Result, StorageError};
use crate::fail_point;

/// How long the entry of a deleted file stays, in seconds: far longer than a sync takes to record a file that it has
/// found.
const ENTRY_SECS: i64 = 24 * 3600;
/// How long files are deleted in one transaction.
const FILES_AT_ONCE: Duration = Duration::from_millis(50);
const MAX_FILES_AT_ONCE: u64 = 100;

impl Catalog {
    /// Those of `files` that no blob is of.
    pub async fn find_stray_files(&self, files: &[(Digest, u64)]) -> Result<Vec<(Digest, u64)>> {
        let mut strays = Vec::new();
        for chunk in files.chunks(CHUNK) {
            let digests: Vec<_> = chunk.iter().map(|(digest, _)| digest.clone()).collect();
            let known = self.find_blobs(&digests).await?;
            strays.extend(chunk.iter().filter(|(digest, _)| !known.contains_key(digest)).cloned());
        }
        Ok(strays)
    }

    /// Marks files that no blob is of, to be deleted.
    pub async fn doom_files(&self, files: Vec<(Digest, u64)>) -> Result<()> {
        let tx = self.begin().await?;
        let rows = files
            .into_iter()
            .map(|(digest, size)| (digest.to_string(), i64::try_from(size).unwrap_or(i64::MAX)));
        tx.doom(rows.collect()).await?;
        tx.commit().await
    }

    /// Deletes marked files for 50 ms, except those that are in use again. `None` when none was left.
    pub async fn delete_doomed_files(&self, store: &BlobStore) -> Result<Option<Freed>> {
        let tx = self.begin().await?;
        tx.lock_cleanup().await?;
        let rows = doomed_file::Entity::find()
            .filter(doomed_file::Column::Deleted.is_null())
            .order_by_asc(doomed_file::Column::Digest)
            .limit(MAX_FILES_AT_ONCE)
            .all(&tx.inner)
            .await?;
        if rows.is_empty() {
            tx.forget_deleted_files().await?;
            tx.commit().await?;
            return Ok(None);
        }
        let digests: Vec<_> = rows.iter().map(|row| row.digest.clone()).collect();
        let used: Vec<String> = blob::Entity::find()
            .select_only()
            .column(blob::Column::Digest)
            .filter(blob::Column::Digest.is_in(digests))
            .into_tuple()
            .all(&tx.inner)
            .await?;
        let started = Instant::now();
        let (mut deleted, mut freed) = (Vec::new(), Freed::default());
        for row in rows.iter().filter(|row| !used.contains(&row.digest)) {
            if started.elapsed() > FILES_AT_ONCE {
                break;
            }
            store.delete(&read_digest(&row.digest)?).await?;
            fail_point!("orphans.file-deleted");
            freed += Freed { count: 1, bytes: read_size(row.size_bytes)? };
            deleted.push(row.digest.clone());
        }
        if !deleted.is_empty() {
            doomed_file::Entity::update_many()
                .col_expr(doomed_file::Column::Deleted, Expr::value(tx.now_micros()))
                .filter(doomed_file::Column::Digest.is_in(deleted))
                .exec(&tx.inner)
                .await?;
        }
        tx.spare_files(&used).await?;
        tx.commit().await?;
        Ok(Some(freed))
    }
}

impl Tx {
    /// Makes sure that the files of blobs that are about to be recorded have not just gone as orphans, and that they stay.
    pub(crate) async fn keep_files(&self, store: &BlobStore, digests: &[&Digest]) -> Result<()> {
        let texts = digests.iter().map(ToString::to_string);
        let doomed: Vec<String> = doomed_file::Entity::find()
            .select_only()
            .column(doomed_file::Column::Digest)
            .filter(doomed_file::Column::Digest.is_in(texts))
            .into_tuple()
            .all(&self.inner)
            .await?;
        for text in &doomed {
            let digest = read_digest(text)?;
            if store.find_size(&digest).await?.is_none() {
                return Err(StorageError::BlobMissing(digest));
            }
        }
        self.spare_files(&doomed).await
    }

    async fn spare_files(&self, digests: &[String]) -> Result<()> {
        if !digests.is_empty() {
            doomed_file::Entity::delete_many()
                .filter(doomed_file::Column::Digest.is_in(digests))
                .exec(&self.inner)
                .await?;
        }
        Ok(())
    }

    pub(in crate::catalog) async fn doom(&self, files: Vec<(String, i64)>) -> Result<()> {
        for chunk in files.chunks(CHUNK) {
            let rows = chunk.iter().map(|(digest, size_bytes)| doomed_file::ActiveModel {
                digest: Set(digest.clone()),
                size_bytes: Set(*size_bytes),
                deleted: Set(None),
            });
            let again = OnConflict::column(doomed_file::Column::Digest)
                .update_columns([doomed_file::Column::SizeBytes, doomed_file::Column::Deleted])
                .to_owned();
            doomed_file::Entity::insert_many(rows)
                .on_conflict(again)
                .exec_without_returning(&self.inner)
                .await?;
        }
        Ok(())
    }

    async fn forget_deleted_files(&self) -> Result<()> {
        let long_ago = self.now().plus_seconds(-ENTRY_SECS).as_micros();
        let old = doomed_file::Entity::delete_many().filter(doomed_file::Column::Deleted.lt(long_ago));
        old.exec(&self.inner).await.map(drop).map_err(Into::into)
    }
}
