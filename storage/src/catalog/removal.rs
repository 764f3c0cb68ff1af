//! What goes with content that is removed: everything that only it needed. It costs in proportion to what goes, not to what
//! the version holds.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::JoinType;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, RelationDef};
use uuid::Uuid;

use super::Tx;
use super::distributions::VersionRef;
use super::membership::{Kind, present_at};
use super::publish::Members;
use super::sync::membership_of;
use super::versions::CHUNK;
use crate::entity::{blob, manifest, manifest_blob, manifest_child, repository_content, tag};
use crate::error::Result;

impl Tx {
    /// What a version loses with `contents`: those of them that it holds and that nothing which stays needs, the manifests
    /// that removed tags named, and whatever below them is needed no more. A tag that stays keeps its manifest.
    pub(super) async fn removals(&self, version: VersionRef, contents: &[Uuid]) -> Result<Members> {
        let given = self.present_among(version, contents.to_vec()).await?;
        let of =
            |kind: Kind| given.iter().filter(move |(_, found)| **found == kind.number()).map(|(id, _)| *id);
        let tags: HashSet<Uuid> = of(Kind::Tag).collect();
        let named = self.tag_rows_of(&tags.iter().copied().collect::<Vec<_>>()).await?;
        let roots = of(Kind::Manifest).chain(named.iter().map(|row| row.manifest_id)).collect();
        let below = self.manifests_below(version, roots).await?;
        let manifests = self.unneeded_manifests(version, below, &tags).await?;
        let mut blobs: HashSet<Uuid> = of(Kind::Blob).collect();
        blobs.extend(self.blobs_of(version, &manifests).await?);
        let blobs = self.unneeded_blobs(version, blobs, &manifests).await?;
        let kinds = [(Kind::Tag, tags), (Kind::Manifest, manifests), (Kind::Blob, blobs)];
        Ok(kinds
            .into_iter()
            .flat_map(|(kind, ids)| ids.into_iter().map(move |id| (id, kind.number())))
            .collect())
    }

    /// Those of `roots` that the version holds and everything that they list, however deep: each with what it lists.
    async fn manifests_below(
        &self,
        version: VersionRef,
        roots: Vec<Uuid>,
    ) -> Result<HashMap<Uuid, Vec<Uuid>>> {
        let mut below: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        let mut frontier: Vec<Uuid> = self.present_among(version, roots).await?.into_keys().collect();
        while !frontier.is_empty() {
            below.extend(frontier.iter().map(|id| (*id, Vec::new())));
            let mut listed = HashSet::new();
            for chunk in frontier.chunks(CHUNK) {
                let rows: Vec<(Uuid, Uuid)> = manifest_child::Entity::find()
                    .select_only()
                    .column(manifest_child::Column::ManifestId)
                    .column(manifest::Column::Id)
                    .join(JoinType::InnerJoin, listed_manifest())
                    .filter(manifest_child::Column::ManifestId.is_in(chunk.iter().copied()))
                    .into_tuple()
                    .all(&self.inner)
                    .await?;
                for (parent, child) in rows {
                    below.entry(parent).or_default().push(child);
                    listed.insert(child);
                }
            }
            listed.retain(|id| !below.contains_key(id));
            frontier = self.present_among(version, listed.into_iter().collect()).await?.into_keys().collect();
        }
        Ok(below)
    }

    /// Those of the manifests that no tag but `tags`, and no index that stays, needs.
    async fn unneeded_manifests(
        &self,
        version: VersionRef,
        below: HashMap<Uuid, Vec<Uuid>>,
        tags: &HashSet<Uuid>,
    ) -> Result<HashSet<Uuid>> {
        let mut gone: HashSet<Uuid> = below.keys().copied().collect();
        let mut staying = Vec::new();
        for chunk in below.keys().copied().collect::<Vec<_>>().chunks(CHUNK) {
            let naming: Vec<(Uuid, Uuid)> = tag::Entity::find()
                .select_only()
                .column(tag::Column::Id)
                .column(tag::Column::ManifestId)
                .join(JoinType::InnerJoin, membership_of::<tag::Entity>(tag::Column::Id))
                .filter(tag::Column::ManifestId.is_in(chunk.iter().copied()))
                .filter(repository_content::Column::RepositoryId.eq(version.repository))
                .filter(present_at(version.number))
                .into_tuple()
                .all(&self.inner)
                .await?;
            staying.extend(naming.into_iter().filter(|(tag, _)| !tags.contains(tag)).map(|(_, id)| id));
            let listing: Vec<(Uuid, Uuid)> = manifest_child::Entity::find()
                .select_only()
                .column(manifest_child::Column::ManifestId)
                .column(manifest::Column::Id)
                .join(JoinType::InnerJoin, listed_manifest())
                .join(
                    JoinType::InnerJoin,
                    membership_of::<manifest_child::Entity>(manifest_child::Column::ManifestId),
                )
                .filter(manifest::Column::Id.is_in(chunk.iter().copied()))
                .filter(repository_content::Column::RepositoryId.eq(version.repository))
                .filter(present_at(version.number))
                .into_tuple()
                .all(&self.inner)
                .await?;
            staying.extend(
                listing.into_iter().filter(|(index, _)| !below.contains_key(index)).map(|(_, id)| id),
            );
        }
        // What stays keeps what it lists.
        while let Some(id) = staying.pop() {
            if gone.remove(&id) {
                staying.extend(below.get(&id).into_iter().flatten());
            }
        }
        Ok(gone)
    }

    /// The blobs of manifests, as far as the version holds them.
    async fn blobs_of(&self, version: VersionRef, manifests: &HashSet<Uuid>) -> Result<Vec<Uuid>> {
        let mut blobs = HashSet::new();
        for chunk in manifests.iter().copied().collect::<Vec<_>>().chunks(CHUNK) {
            let rows: Vec<Uuid> = manifest_blob::Entity::find()
                .select_only()
                .column(blob::Column::Id)
                .join(JoinType::InnerJoin, needed_blob())
                .filter(manifest_blob::Column::ManifestId.is_in(chunk.iter().copied()))
                .into_tuple()
                .all(&self.inner)
                .await?;
            blobs.extend(rows);
        }
        Ok(self.present_among(version, blobs.into_iter().collect()).await?.into_keys().collect())
    }

    /// Those of `blobs` that no manifest but `gone` needs.
    async fn unneeded_blobs(
        &self,
        version: VersionRef,
        mut blobs: HashSet<Uuid>,
        gone: &HashSet<Uuid>,
    ) -> Result<HashSet<Uuid>> {
        for chunk in blobs.iter().copied().collect::<Vec<_>>().chunks(CHUNK) {
            let needing: Vec<(Uuid, Uuid)> = manifest_blob::Entity::find()
                .select_only()
                .column(manifest_blob::Column::ManifestId)
                .column(blob::Column::Id)
                .join(JoinType::InnerJoin, needed_blob())
                .join(
                    JoinType::InnerJoin,
                    membership_of::<manifest_blob::Entity>(manifest_blob::Column::ManifestId),
                )
                .filter(blob::Column::Id.is_in(chunk.iter().copied()))
                .filter(repository_content::Column::RepositoryId.eq(version.repository))
                .filter(present_at(version.number))
                .into_tuple()
                .all(&self.inner)
                .await?;
            for (_, blob) in needing.into_iter().filter(|(manifest, _)| !gone.contains(manifest)) {
                blobs.remove(&blob);
            }
        }
        Ok(blobs)
    }
}

/// Joins what an index lists to the manifests.
pub(super) fn listed_manifest() -> RelationDef {
    manifest_child::Entity::belongs_to(manifest::Entity)
        .from(manifest_child::Column::Digest)
        .to(manifest::Column::Digest)
        .into()
}

/// Joins what a manifest needs to the blobs.
pub(super) fn needed_blob() -> RelationDef {
    manifest_blob::Entity::belongs_to(blob::Entity)
        .from(manifest_blob::Column::Digest)
        .to(blob::Column::Digest)
        .into()
}
