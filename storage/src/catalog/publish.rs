//! Publishing a version: what it will hold, and the rows that differ from the version before.

use std::collections::{BTreeSet, HashMap, HashSet};

use registry::sync_plan::TagMap;
use registry::{Digest, Tag};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::Tx;
use super::membership::{Kind, present_at};
use super::repositories::Repository;
use super::versions::{CHUNK, ContentSummary, Counts, NewVersion, Version, row};
use crate::entity::{
    blob, content, manifest, manifest_blob, manifest_child, repository, repository_content, tag,
};
use crate::error::{Result, StorageError};
use crate::fail_point;

/// Content of a version: id → kind.
pub(super) type Members = HashMap<Uuid, i32>;

impl Tx {
    /// Publishes a version in this transaction; `None` when it would equal the latest one. Old versions go as the
    /// repository's retention says.
    pub async fn publish_version(&self, new: NewVersion) -> Result<Option<Version>> {
        // What is found below must be there still when this commits.
        self.keep_content().await?;
        let repository = self.get_repository_row(new.repository).await?;
        let latest = repository.latest_version;
        let current = self.members(new.repository, latest).await?;
        let wanted = self.wanted_members(&new, latest, &current).await?;
        fail_point!("publish.tags-made");
        let added: Members = difference(&wanted, &current);
        let removed: Members = difference(&current, &wanted);
        if new.synced {
            let mark = repository::ActiveModel {
                id: Set(new.repository),
                synced_at: Set(Some(self.now_micros())),
                ..Default::default()
            };
            mark.update(&self.inner).await?;
            fail_point!("publish.marked");
        }
        self.publish_difference(&repository, new.base, &added, &removed).await
    }

    /// Publishes the version that differs from the latest one in this; `None` when it differs in nothing.
    pub(super) async fn publish_difference(
        &self,
        repository: &repository::Model,
        base: i64,
        added: &Members,
        removed: &Members,
    ) -> Result<Option<Version>> {
        if added.is_empty() && removed.is_empty() {
            return Ok(None);
        }
        let (id, latest, number) = (repository.id, repository.latest_version, repository.next_version);
        self.write_membership(id, number, added, removed).await?;
        let base = (base != latest).then_some(base);
        let (added, removed) = (count(added), count(removed));
        let present = self.get_version(id, latest).await?.summary.present.changed(added, removed);
        let summary = ContentSummary { added, removed, present };
        let version = row(id, number, base, self.now_micros(), summary).insert(&self.inner).await?;
        fail_point!("publish.inserted");
        let advance = repository::ActiveModel {
            id: Set(id),
            latest_version: Set(number),
            next_version: Set(number + 1),
            updated: Set(self.now_micros()),
            ..Default::default()
        };
        let repository: Repository = advance.update(&self.inner).await?.try_into()?;
        fail_point!("publish.advanced");
        self.retain_versions(&repository).await?;
        fail_point!("publish.retained");
        Ok(Some(version.into()))
    }

    /// Everything that the new version holds.
    async fn wanted_members(&self, new: &NewVersion, latest: i64, current: &Members) -> Result<Members> {
        let reachable = self.reachable(&new.manifests).await?;
        let mut wanted = if new.replace { Members::new() } else { current.clone() };
        wanted.extend(reachable.contents);
        let current_tags = self.tag_rows(new.repository, latest).await?;
        for (name, (id, digest)) in &current_tags {
            let tag: Tag = name.parse().map_err(|error| StorageError::corrupt("tag", error))?;
            let dropped = new.tags_drop.get(&tag).is_some_and(|of| of.as_str() == digest);
            if dropped || new.tags_set.contains_key(&tag) {
                wanted.remove(id);
            } else {
                wanted.insert(*id, Kind::Tag.number());
            }
        }
        wanted.extend(self.tag_ids(&new.tags_set, &reachable.manifest_ids).await?);
        Ok(wanted)
    }

    /// The ids of tags, which are made where no repository had them yet.
    pub(super) async fn tag_ids(
        &self,
        tags: &TagMap,
        manifest_ids: &HashMap<String, Uuid>,
    ) -> Result<Members> {
        let mut wanted: BTreeSet<(String, Uuid)> = BTreeSet::new();
        for (name, digest) in tags {
            let manifest =
                manifest_ids.get(digest.as_str()).ok_or_else(|| StorageError::BlobMissing(digest.clone()))?;
            wanted.insert((name.to_string(), *manifest));
        }
        if !wanted.is_empty() {
            self.lock_content().await?;
        }
        let mut members = Members::new();
        let keys: Vec<_> = wanted.into_iter().collect();
        for chunk in keys.chunks(CHUNK) {
            let names: Vec<_> = chunk.iter().map(|(name, _)| name.clone()).collect();
            let held = tag::Entity::find().filter(tag::Column::Name.is_in(names)).all(&self.inner).await?;
            let held: HashMap<_, _> =
                held.into_iter().map(|row| ((row.name, row.manifest_id), row.id)).collect();
            let missing: Vec<_> = chunk.iter().filter(|key| !held.contains_key(*key)).collect();
            members.extend(chunk.iter().filter_map(|key| held.get(key)).map(|id| (*id, Kind::Tag.number())));
            let made: Vec<_> = missing.iter().map(|_| Uuid::now_v7()).collect();
            self.insert_contents(Kind::Tag, &made).await?;
            let rows = made.iter().zip(missing).map(|(id, (name, manifest_id))| tag::ActiveModel {
                id: Set(*id),
                name: Set(name.clone()),
                manifest_id: Set(*manifest_id),
            });
            tag::Entity::insert_many(rows).exec_without_returning(&self.inner).await?;
            members.extend(made.into_iter().map(|id| (id, Kind::Tag.number())));
        }
        Ok(members)
    }

    /// Gives pieces of content their identity.
    pub(crate) async fn insert_contents(&self, kind: Kind, ids: &[Uuid]) -> Result<()> {
        for chunk in ids.chunks(CHUNK) {
            let rows = chunk.iter().map(|id| content::ActiveModel {
                id: Set(*id),
                kind: Set(kind.number()),
                labels: Set(serde_json::json!({})),
                created: Set(self.now_micros()),
                touched: Set(self.now_micros()),
            });
            content::Entity::insert_many(rows).exec_without_returning(&self.inner).await?;
        }
        Ok(())
    }

    async fn write_membership(
        &self,
        repository: Uuid,
        number: i64,
        added: &Members,
        removed: &Members,
    ) -> Result<()> {
        let rows: Vec<_> = (added.iter())
            .map(|(id, kind)| repository_content::ActiveModel {
                repository_id: Set(repository),
                content_id: Set(*id),
                kind: Set(*kind),
                version_added: Set(number),
                version_removed: Set(None),
            })
            .collect();
        for chunk in rows.chunks(CHUNK) {
            repository_content::Entity::insert_many(chunk.to_vec())
                .exec_without_returning(&self.inner)
                .await?;
        }
        fail_point!("publish.added");
        let gone: Vec<_> = removed.keys().copied().collect();
        for chunk in gone.chunks(CHUNK) {
            repository_content::Entity::update_many()
                .col_expr(repository_content::Column::VersionRemoved, Expr::value(number))
                .filter(repository_content::Column::RepositoryId.eq(repository))
                .filter(repository_content::Column::VersionRemoved.is_null())
                .filter(repository_content::Column::ContentId.is_in(chunk.iter().copied()))
                .exec(&self.inner)
                .await?;
        }
        fail_point!("publish.removed");
        Ok(())
    }

    /// Everything that a version holds.
    pub(super) async fn members(&self, repository: Uuid, number: i64) -> Result<Members> {
        let rows: Vec<(Uuid, i32)> = repository_content::Entity::find()
            .select_only()
            .column(repository_content::Column::ContentId)
            .column(repository_content::Column::Kind)
            .filter(repository_content::Column::RepositoryId.eq(repository))
            .filter(present_at(number))
            .into_tuple()
            .all(&self.inner)
            .await?;
        Ok(rows.into_iter().collect())
    }

    /// Tags of a version: name → (id, digest of the manifest).
    async fn tag_rows(&self, repository: Uuid, number: i64) -> Result<HashMap<String, (Uuid, String)>> {
        super::sync::tag_rows(&self.inner, repository, number).await
    }

    /// Follows manifests to everything that they need, and checks that all of it is there.
    pub(super) async fn reachable(&self, roots: &BTreeSet<Digest>) -> Result<Reachable> {
        let mut found = Reachable::default();
        let mut frontier: Vec<String> = roots.iter().map(Digest::to_string).collect();
        while !frontier.is_empty() {
            let mut next = HashSet::new();
            for chunk in frontier.chunks(CHUNK) {
                let rows: Vec<(Uuid, String)> = manifest::Entity::find()
                    .select_only()
                    .column(manifest::Column::Id)
                    .column(manifest::Column::Digest)
                    .filter(manifest::Column::Digest.is_in(chunk))
                    .into_tuple()
                    .all(&self.inner)
                    .await?;
                let ids: Vec<_> = rows.iter().map(|(id, _)| *id).collect();
                found.manifest_ids.extend(rows.into_iter().map(|(id, digest)| (digest, id)));
                require_all(chunk, &found.manifest_ids)?;
                let children: Vec<String> = manifest_child::Entity::find()
                    .select_only()
                    .column(manifest_child::Column::Digest)
                    .filter(manifest_child::Column::ManifestId.is_in(ids.iter().copied()))
                    .into_tuple()
                    .all(&self.inner)
                    .await?;
                next.extend(children.into_iter().filter(|digest| !found.manifest_ids.contains_key(digest)));
                let blobs: Vec<String> = manifest_blob::Entity::find()
                    .select_only()
                    .column(manifest_blob::Column::Digest)
                    .filter(manifest_blob::Column::ManifestId.is_in(ids.iter().copied()))
                    .into_tuple()
                    .all(&self.inner)
                    .await?;
                found.contents.extend(ids.into_iter().map(|id| (id, Kind::Manifest.number())));
                self.collect_blobs(blobs, &mut found).await?;
            }
            frontier = next.into_iter().filter(|digest| !found.manifest_ids.contains_key(digest)).collect();
        }
        Ok(found)
    }

    async fn collect_blobs(&self, digests: Vec<String>, found: &mut Reachable) -> Result<()> {
        let wanted: Vec<_> =
            digests.into_iter().filter(|digest| !found.blob_ids.contains_key(digest)).collect();
        for chunk in wanted.chunks(CHUNK) {
            let rows =
                blob::Entity::find().filter(blob::Column::Digest.is_in(chunk)).all(&self.inner).await?;
            for row in rows {
                found.contents.insert(row.id, Kind::Blob.number());
                found.blob_ids.insert(row.digest, row.id);
            }
            require_all(chunk, &found.blob_ids)?;
        }
        Ok(())
    }
}

/// What manifests need, themselves included.
#[derive(Default)]
pub(super) struct Reachable {
    pub(super) contents: Members,
    pub(super) manifest_ids: HashMap<String, Uuid>,
    blob_ids: HashMap<String, Uuid>,
}

fn require_all(digests: &[String], found: &HashMap<String, Uuid>) -> Result<()> {
    match digests.iter().find(|digest| !found.contains_key(*digest)) {
        None => Ok(()),
        Some(missing) => {
            let digest = missing.parse().map_err(|error| StorageError::corrupt("digest", error))?;
            Err(StorageError::BlobMissing(digest))
        }
    }
}

/// What `one` has and `other` has not.
pub(super) fn difference(one: &Members, other: &Members) -> Members {
    one.iter().filter(|(id, _)| !other.contains_key(*id)).map(|(id, kind)| (*id, *kind)).collect()
}

pub(super) fn count(members: &Members) -> Counts {
    let of = |kind: Kind| {
        i64::try_from(members.values().filter(|found| **found == kind.number()).count()).unwrap_or(i64::MAX)
    };
    Counts { blobs: of(Kind::Blob), manifests: of(Kind::Manifest), tags: of(Kind::Tag) }
}
