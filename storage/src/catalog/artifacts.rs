//! Artifacts: the files of blobs, under the blobs' ids.

use registry::{Algorithm, Digest};
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::content::{BlobContent, content_field};
use super::list::{self, Field};
use super::membership::Kind;
use super::sync::column;
use super::{Catalog, Tx};
use crate::BlobStore;
use crate::entity::{blob, content, manifest_blob, pushed_blob, repository_content};
use crate::error::{Result, StorageError};
use registry::query::{FilterValue, ListQuery, Op, Page};

fn field(name: &str) -> Option<Field> {
    match name {
        "size" => Some(Field::Plain(column(blob::Entity, blob::Column::SizeBytes))),
        "sha256" => Some(Field::Special(|op, value| has_checksum(Algorithm::Sha256, op, value))),
        "sha512" => Some(Field::Special(|op, value| has_checksum(Algorithm::Sha512, op, value))),
        // Nothing has one of these, but clients filter by them.
        "other_checksum" => Some(Field::Plain(Expr::cust("CAST(NULL AS text)"))),
        _ => content_field(name, blob::Entity, blob::Column::Id, Kind::Blob),
    }
}

/// Whether the digest is of this algorithm and has these digits.
fn has_checksum(algorithm: Algorithm, op: Op, value: &FilterValue) -> Option<Condition> {
    let (Op::Eq, FilterValue::Text(hex)) = (op, value) else { return None };
    let digest = format!("{}:{}", algorithm.as_str(), hex.to_ascii_lowercase());
    Some(Condition::all().add(column(blob::Entity, blob::Column::Digest).eq(digest)))
}

impl Catalog {
    /// Artifacts, newest first unless ordered otherwise.
    pub async fn list_artifacts(&self, query: &ListQuery) -> Result<Page<BlobContent>> {
        let id = || column(blob::Entity, blob::Column::Id);
        let page = list::fetch(self.reader(), blob::Entity::find(), query, field, [id(), id()]).await?;
        Ok(Page { total: page.total, items: self.blob_contents(page.items).await? })
    }

    /// The artifact with this digest.
    pub async fn find_artifact(&self, digest: &Digest) -> Result<Option<BlobContent>> {
        let found = blob::Entity::find().filter(blob::Column::Digest.eq(digest.as_str()));
        let rows = found.all(self.reader()).await?;
        Ok(self.blob_contents(rows).await?.pop())
    }

    /// Deletes an artifact that no version holds and no manifest needs, and its file.
    pub async fn delete_artifact(&self, store: &BlobStore, id: Uuid) -> Result<()> {
        let tx = self.begin().await?;
        tx.lock_cleanup().await?;
        tx.forget_artifact(id).await?;
        tx.commit().await?;
        // Should this be cut off, the next cleanup of orphans goes on with it.
        self.delete_doomed_files(store).await.map(drop)
    }
}

impl Tx {
    async fn forget_artifact(&self, id: Uuid) -> Result<()> {
        let row = blob::Entity::find_by_id(id).one(&self.inner).await?;
        let row = row.ok_or(StorageError::NotFound { kind: "Artifact" })?;
        let held = repository_content::Entity::find()
            .filter(repository_content::Column::ContentId.eq(id))
            .one(&self.inner)
            .await?;
        let needed = manifest_blob::Entity::find()
            .filter(manifest_blob::Column::Digest.eq(&row.digest))
            .one(&self.inner)
            .await?;
        let pushed =
            pushed_blob::Entity::find().filter(pushed_blob::Column::BlobId.eq(id)).one(&self.inner).await?;
        if held.is_some() || needed.is_some() || pushed.is_some() {
            return Err(StorageError::InUse {
                field: "artifact",
                message: "The Artifact cannot be deleted because it is associated with Content.".to_owned(),
            });
        }
        self.doom(vec![(row.digest, row.size_bytes)]).await?;
        content::Entity::delete_by_id(id).exec(&self.inner).await.map(drop).map_err(Into::into)
    }

    /// Records the blob whose file is in its place; gives its id, which it may have had before.
    pub async fn record_artifact(&self, store: &BlobStore, digest: &Digest, size_bytes: u64) -> Result<Uuid> {
        self.keep_content().await?;
        self.lock_content().await?;
        self.record_blobs(store, &[(digest.clone(), size_bytes)]).await?;
        let found = blob::Entity::find().filter(blob::Column::Digest.eq(digest.as_str()));
        let row = found.one(&self.inner).await?;
        row.map(|row| row.id).ok_or_else(|| StorageError::BlobMissing(digest.clone()))
    }
}
