//! Versions that pushes and deletions make: what they cost depends on what changes, not on what the repository holds.

use std::collections::{BTreeMap, BTreeSet};

use registry::{Digest, Tag};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::Tx;
use super::distributions::VersionRef;
use super::membership::{Kind, present_at};
use super::publish::Members;
use super::sync::{membership_of, tag_manifest};
use super::versions::Version;
use crate::entity::{blob, manifest, manifest_blob, manifest_child, repository, repository_content, tag};
use crate::error::{Result, StorageError};
use crate::fail_point;

impl Tx {
    /// Publishes a version that has a recorded manifest too, with all that it needs, and the tag on it; `None` when the
    /// latest version is so already.
    pub async fn publish_push(
        &self,
        repository: Uuid,
        digest: &Digest,
        tag: Option<&Tag>,
    ) -> Result<Option<Version>> {
        let repository = self.push_repository(repository).await?;
        let reachable = self.reachable(&BTreeSet::from([digest.clone()])).await?;
        let mut add = reachable.contents;
        let mut remove = Members::new();
        if let Some(tag) = tag {
            let tags = BTreeMap::from([(tag.clone(), digest.clone())]);
            let own = self.tag_ids(&tags, &reachable.manifest_ids).await?;
            let held = self.tags_where(&repository, tag::Column::Name.eq(tag.as_str())).await?;
            remove.extend(held.into_iter().filter(|(id, _)| !own.contains_key(id)));
            add.extend(own);
        }
        self.publish_changes(repository, add, remove).await
    }

    /// Publishes a version without the tag; `None` when the latest version has no such tag.
    pub async fn publish_without_tag(&self, repository: Uuid, tag: &Tag) -> Result<Option<Version>> {
        let repository = self.push_repository(repository).await?;
        let remove = self.tags_where(&repository, tag::Column::Name.eq(tag.as_str())).await?;
        self.publish_changes(repository, Members::new(), remove).await
    }

    /// Publishes a version without the manifest, its tags, and the blobs that no other manifest of the repository needs;
    /// `None` when the latest version has no such manifest. Manifests that it lists stay: they were pushed by themselves.
    pub async fn publish_without_manifest(
        &self,
        repository: Uuid,
        digest: &Digest,
    ) -> Result<Option<Version>> {
        let repository = self.push_repository(repository).await?;
        let found: Option<Uuid> = manifest::Entity::find()
            .select_only()
            .column(manifest::Column::Id)
            .join(JoinType::InnerJoin, membership_of::<manifest::Entity>(manifest::Column::Id))
            .filter(manifest::Column::Digest.eq(digest.as_str()))
            .filter(repository_content::Column::RepositoryId.eq(repository.id))
            .filter(present_at(repository.latest_version))
            .into_tuple()
            .one(&self.inner)
            .await?;
        let Some(id) = found else { return Ok(None) };
        if let Some(index) = self.index_of(&repository, digest).await? {
            return Err(StorageError::InUse {
                field: "manifest",
                message: format!("The index {index} of the repository lists {digest}: delete that first."),
            });
        }
        let mut remove = self.tags_where(&repository, tag::Column::ManifestId.eq(id)).await?;
        remove.extend(self.blobs_of_alone(&repository, id).await?);
        remove.insert(id, Kind::Manifest.number());
        self.publish_changes(repository, Members::new(), remove).await
    }

    /// Forgets that the blob was pushed, and publishes a version without it; `None` when the latest version has no such
    /// blob.
    pub async fn publish_without_blob(&self, repository: Uuid, digest: &Digest) -> Result<Option<Version>> {
        let repository = self.push_repository(repository).await?;
        if let Some(manifest) = self.manifest_with_blob(&repository, digest).await? {
            return Err(StorageError::InUse {
                field: "blob",
                message: format!(
                    "The manifest {manifest} of the repository needs {digest}: delete that first."
                ),
            });
        }
        self.forget_pushed_blob(repository.id, digest).await?;
        let row =
            blob::Entity::find().filter(blob::Column::Digest.eq(digest.as_str())).one(&self.inner).await?;
        let remove = row.into_iter().map(|row| (row.id, Kind::Blob.number())).collect();
        self.publish_changes(repository, Members::new(), remove).await
    }

    /// The digest of a manifest of the latest version that needs the blob.
    async fn manifest_with_blob(
        &self,
        repository: &repository::Model,
        digest: &Digest,
    ) -> Result<Option<String>> {
        Ok(manifest::Entity::find()
            .select_only()
            .column(manifest::Column::Digest)
            .join(JoinType::InnerJoin, membership_of::<manifest::Entity>(manifest::Column::Id))
            .join(
                JoinType::InnerJoin,
                manifest::Entity::belongs_to(manifest_blob::Entity)
                    .from(manifest::Column::Id)
                    .to(manifest_blob::Column::ManifestId)
                    .into(),
            )
            .filter(manifest_blob::Column::Digest.eq(digest.as_str()))
            .filter(repository_content::Column::RepositoryId.eq(repository.id))
            .filter(present_at(repository.latest_version))
            .into_tuple()
            .one(&self.inner)
            .await?)
    }

    /// The repository, unless it has become a mirror meanwhile. No content goes until the version is published.
    async fn push_repository(&self, id: Uuid) -> Result<repository::Model> {
        self.keep_content().await?;
        let row = self.get_repository_row(id).await?;
        if row.synced_at.is_some() || row.remote_id.is_some() {
            return Err(StorageError::invalid(
                "repository",
                format!("{} is a mirror: its content comes from its upstream by syncing.", row.name),
            ));
        }
        Ok(row)
    }

    async fn tags_where(
        &self,
        repository: &repository::Model,
        condition: impl sea_orm::sea_query::IntoCondition,
    ) -> Result<Members> {
        let ids: Vec<Uuid> = tag::Entity::find()
            .select_only()
            .column(tag::Column::Id)
            .join(JoinType::InnerJoin, membership_of::<tag::Entity>(tag::Column::Id))
            .join(JoinType::InnerJoin, tag_manifest())
            .filter(condition)
            .filter(repository_content::Column::RepositoryId.eq(repository.id))
            .filter(present_at(repository.latest_version))
            .into_tuple()
            .all(&self.inner)
            .await?;
        Ok(ids.into_iter().map(|id| (id, Kind::Tag.number())).collect())
    }

    /// The digest of an index of the latest version that lists the manifest.
    async fn index_of(&self, repository: &repository::Model, digest: &Digest) -> Result<Option<String>> {
        Ok(manifest::Entity::find()
            .select_only()
            .column(manifest::Column::Digest)
            .join(JoinType::InnerJoin, membership_of::<manifest::Entity>(manifest::Column::Id))
            .join(
                JoinType::InnerJoin,
                manifest::Entity::belongs_to(manifest_child::Entity)
                    .from(manifest::Column::Id)
                    .to(manifest_child::Column::ManifestId)
                    .into(),
            )
            .filter(manifest_child::Column::Digest.eq(digest.as_str()))
            .filter(repository_content::Column::RepositoryId.eq(repository.id))
            .filter(present_at(repository.latest_version))
            .into_tuple()
            .one(&self.inner)
            .await?)
    }

    /// The manifest's blobs that no other manifest of the latest version needs.
    async fn blobs_of_alone(&self, repository: &repository::Model, manifest: Uuid) -> Result<Members> {
        let of = |manifest: Expr| {
            let mut digests = Query::select();
            digests.column(manifest_blob::Column::Digest).from(manifest_blob::Entity).and_where(
                Expr::col((manifest_blob::Entity, manifest_blob::Column::ManifestId)).eq(manifest),
            );
            digests
        };
        let mut others = Query::select();
        others
            .expr(Expr::value(1))
            .from(manifest_blob::Entity)
            .inner_join(
                repository_content::Entity,
                Expr::col((repository_content::Entity, repository_content::Column::ContentId))
                    .equals((manifest_blob::Entity, manifest_blob::Column::ManifestId)),
            )
            .and_where(
                Expr::col((manifest_blob::Entity, manifest_blob::Column::Digest))
                    .equals((blob::Entity, blob::Column::Digest)),
            )
            .and_where(Expr::col((manifest_blob::Entity, manifest_blob::Column::ManifestId)).ne(manifest))
            .and_where(
                Expr::col((repository_content::Entity, repository_content::Column::RepositoryId))
                    .eq(repository.id),
            )
            .cond_where(present_at(repository.latest_version));
        let ids: Vec<Uuid> = blob::Entity::find()
            .select_only()
            .column(blob::Column::Id)
            .filter(blob::Column::Digest.in_subquery(of(Expr::value(manifest))))
            .filter(Expr::exists(others).not())
            .into_tuple()
            .all(&self.inner)
            .await?;
        Ok(ids.into_iter().map(|id| (id, Kind::Blob.number())).collect())
    }

    /// Publishes the latest version with `add` and without `remove`, as far as that changes anything.
    async fn publish_changes(
        &self,
        repository: repository::Model,
        mut add: Members,
        mut remove: Members,
    ) -> Result<Option<Version>> {
        let latest = VersionRef { repository: repository.id, number: repository.latest_version };
        let held = self.present_among(latest, add.keys().chain(remove.keys()).copied().collect()).await?;
        add.retain(|id, _| !held.contains_key(id));
        remove.retain(|id, _| held.contains_key(id));
        fail_point!("push.planned");
        self.publish_difference(&repository, repository.latest_version, &add, &remove).await
    }
}
