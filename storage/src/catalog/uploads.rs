//! Upload sessions, and which blobs were pushed to which repository.
//!
//! A blob that was pushed belongs to its repository before any manifest names it: clients look for it, and a manifest
//! may need it. That is remembered for a time, after which the blob is like any other that no version holds.

use std::collections::HashSet;

use registry::{Digest, Timestamp};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QuerySelect,
};
use uuid::Uuid;

use super::sync::read_size;
use super::versions::CHUNK;
use super::{Catalog, Tx};
use crate::blobs::BlobStore;
use crate::entity::{blob, blob_upload, pushed_blob};
use crate::error::Result;
use crate::fail_point;

/// Most old rows that one transaction deletes.
const BATCH: u64 = 500;

/// A session in which a blob is pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadSession {
    /// Identifies it.
    pub id: Uuid,
    /// The repository that it is for.
    pub repository: Uuid,
    /// When it was last used, to the minute.
    pub updated: Timestamp,
}

impl From<blob_upload::Model> for UploadSession {
    fn from(row: blob_upload::Model) -> Self {
        Self { id: row.id, repository: row.repository_id, updated: Timestamp::from_micros(row.updated) }
    }
}

impl Catalog {
    /// A session that was used since `expired`.
    pub async fn find_upload(&self, id: Uuid, expired: Timestamp) -> Result<Option<UploadSession>> {
        let row = blob_upload::Entity::find_by_id(id)
            .filter(blob_upload::Column::Updated.gt(expired.as_micros()))
            .one(self.reader())
            .await?;
        Ok(row.map(Into::into))
    }

    /// Those of the sessions that are there, however old.
    pub async fn known_uploads(&self, ids: &HashSet<Uuid>) -> Result<HashSet<Uuid>> {
        let ids: Vec<_> = ids.iter().copied().collect();
        let mut known = HashSet::new();
        for chunk in ids.chunks(CHUNK) {
            let select = blob_upload::Entity::find().select_only().column(blob_upload::Column::Id);
            let rows: Vec<Uuid> = select
                .filter(blob_upload::Column::Id.is_in(chunk.iter().copied()))
                .into_tuple()
                .all(self.reader())
                .await?;
            known.extend(rows);
        }
        Ok(known)
    }

    /// Records a blob whose file is in its place as pushed to `repository`, and ends the session that it came by.
    pub async fn record_pushed_blob(
        &self,
        store: &BlobStore,
        repository: Uuid,
        session: Option<Uuid>,
        digest: &Digest,
        size_bytes: u64,
    ) -> Result<()> {
        let tx = self.begin().await?;
        tx.keep_content().await?;
        tx.lock_content().await?;
        tx.record_blobs(store, &[(digest.clone(), size_bytes)]).await?;
        // In the order in which old ones are forgotten.
        if let Some(session) = session {
            tx.delete_upload(session).await?;
        }
        tx.note_pushed_blob(repository, digest).await?;
        fail_point!("upload.recorded");
        tx.commit().await?;
        fail_point!("upload.committed");
        Ok(())
    }

    /// The size in bytes of a blob that was pushed to the repository, whether a version holds it or not.
    pub async fn find_pushed_blob(&self, repository: Uuid, digest: &Digest) -> Result<Option<u64>> {
        let row = blob::Entity::find()
            .join(JoinType::InnerJoin, pushed_to())
            .filter(pushed_blob::Column::RepositoryId.eq(repository))
            .filter(blob::Column::Digest.eq(digest.as_str()))
            .one(self.reader())
            .await?;
        row.map(|row| read_size(row.size_bytes)).transpose()
    }

    /// Notes that a session is in use.
    pub async fn touch_upload(&self, id: Uuid) -> Result<()> {
        let tx = self.begin().await?;
        blob_upload::Entity::update_many()
            .set(blob_upload::ActiveModel { updated: Set(tx.now_micros()), ..Default::default() })
            .filter(blob_upload::Column::Id.eq(id))
            .exec(&tx.inner)
            .await?;
        tx.commit().await
    }

    /// Deletes sessions that nobody has used since `expired`, and forgets what was pushed before it. Gives the
    /// sessions' ids: their files are the caller's to remove.
    pub async fn forget_old_pushes(&self, expired: Timestamp) -> Result<Vec<Uuid>> {
        let mut ended = Vec::new();
        loop {
            let tx = self.begin().await?;
            let old: Vec<Uuid> = blob_upload::Entity::find()
                .select_only()
                .column(blob_upload::Column::Id)
                .filter(blob_upload::Column::Updated.lte(expired.as_micros()))
                .limit(BATCH)
                .into_tuple()
                .all(&tx.inner)
                .await?;
            blob_upload::Entity::delete_many()
                .filter(blob_upload::Column::Id.is_in(old.iter().copied()))
                .exec(&tx.inner)
                .await?;
            let forgotten: Vec<(Uuid, Uuid)> = pushed_blob::Entity::find()
                .select_only()
                .column(pushed_blob::Column::RepositoryId)
                .column(pushed_blob::Column::BlobId)
                .filter(pushed_blob::Column::Pushed.lte(expired.as_micros()))
                .limit(BATCH)
                .into_tuple()
                .all(&tx.inner)
                .await?;
            for (repository, blob) in &forgotten {
                pushed_blob::Entity::delete_by_id((*repository, *blob)).exec(&tx.inner).await?;
            }
            tx.commit().await?;
            let is_done = old.is_empty() && forgotten.is_empty();
            ended.extend(old);
            if is_done {
                return Ok(ended);
            }
        }
    }
}

impl Tx {
    /// Begins a session; `None` when `most` are open already.
    pub async fn create_upload(
        &self,
        repository: Uuid,
        most: u64,
        expired: Timestamp,
    ) -> Result<Option<Uuid>> {
        let open = blob_upload::Entity::find()
            .filter(blob_upload::Column::Updated.gt(expired.as_micros()))
            .count(&self.inner)
            .await?;
        if open >= most {
            return Ok(None);
        }
        let id = Uuid::now_v7();
        let row = blob_upload::ActiveModel {
            id: Set(id),
            repository_id: Set(repository),
            created: Set(self.now_micros()),
            updated: Set(self.now_micros()),
        };
        blob_upload::Entity::insert(row).exec_without_returning(&self.inner).await?;
        Ok(Some(id))
    }

    /// Ends a session; whether it was there.
    pub async fn delete_upload(&self, id: Uuid) -> Result<bool> {
        let gone = blob_upload::Entity::delete_by_id(id).exec(&self.inner).await?;
        Ok(gone.rows_affected > 0)
    }

    /// Notes that a recorded blob belongs to the repository; whether it is recorded.
    pub async fn note_pushed_blob(&self, repository: Uuid, digest: &Digest) -> Result<bool> {
        self.keep_content().await?;
        let found = blob::Entity::find().filter(blob::Column::Digest.eq(digest.as_str()));
        let Some(blob) = found.one(&self.inner).await? else { return Ok(false) };
        let row = pushed_blob::ActiveModel {
            repository_id: Set(repository),
            blob_id: Set(blob.id),
            pushed: Set(self.now_micros()),
        };
        let again = OnConflict::columns([pushed_blob::Column::RepositoryId, pushed_blob::Column::BlobId])
            .update_column(pushed_blob::Column::Pushed)
            .to_owned();
        pushed_blob::Entity::insert(row).on_conflict(again).exec_without_returning(&self.inner).await?;
        Ok(true)
    }

    /// Forgets that a blob was pushed to the repository; whether it was.
    pub async fn forget_pushed_blob(&self, repository: Uuid, digest: &Digest) -> Result<bool> {
        let found = blob::Entity::find().filter(blob::Column::Digest.eq(digest.as_str()));
        let Some(blob) = found.one(&self.inner).await? else { return Ok(false) };
        let gone = pushed_blob::Entity::delete_by_id((repository, blob.id)).exec(&self.inner).await?;
        Ok(gone.rows_affected > 0)
    }
}

pub(super) fn pushed_to() -> sea_orm::RelationDef {
    blob::Entity::belongs_to(pushed_blob::Entity)
        .from(blob::Column::Id)
        .to(pushed_blob::Column::BlobId)
        .into()
}
