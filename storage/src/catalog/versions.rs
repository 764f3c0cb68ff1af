//! Repository versions: immutable sets of content, published whole or not at all.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use registry::sync_plan::TagMap;
use registry::{Digest, Tag, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::list::{self, Field};
use super::membership::{Kind, present_at};
use super::repositories::Repository;
use super::{Catalog, Tx};
use crate::entity::repository_version::{ActiveModel, Column, Entity, Model};
use crate::entity::{
    blob, content, distribution, manifest, manifest_blob, manifest_child, repository, repository_content, tag,
};
use crate::error::{Result, StorageError};
use crate::query::{ListQuery, Page};

/// Rows that one statement writes or names at most: both databases take that many parameters.
pub(crate) const CHUNK: usize = 1_000;

/// How much content of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blobs.
    pub blobs: i64,
    /// Manifests.
    pub manifests: i64,
    /// Tags.
    pub tags: i64,
}

/// What a version holds, and how it differs from the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContentSummary {
    /// New in this version.
    pub added: Counts,
    /// No longer in this version.
    pub removed: Counts,
    /// In this version.
    pub present: Counts,
}

/// A version of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Identifies it.
    pub id: Uuid,
    /// The repository's id.
    pub repository: Uuid,
    /// Its number, from 0.
    pub number: i64,
    /// The version that it was made from, when that was not the one before.
    pub base: Option<i64>,
    /// When it was made.
    pub created: Timestamp,
    /// When its summary last changed, by the deletion of a neighbour.
    pub updated: Timestamp,
    /// What it holds.
    pub summary: ContentSummary,
}

/// A version to publish.
#[derive(Debug, Clone, Default)]
pub struct NewVersion {
    /// The repository's id.
    pub repository: Uuid,
    /// The version that the plan was made from.
    pub base: i64,
    /// Tags that the version gets.
    pub tags_set: TagMap,
    /// Tags that it loses.
    pub tags_drop: TagMap,
    /// Manifests that have to be there. Their children and blobs follow from what was recorded.
    pub manifests: BTreeSet<Digest>,
    /// Whether everything that `manifests` don't reach, and every tag that names none of them, goes.
    pub replace: bool,
    /// Whether this came from a sync, which makes the repository a mirror.
    pub synced: bool,
}

impl From<Model> for Version {
    fn from(row: Model) -> Self {
        let counts = |blobs, manifests, tags| Counts { blobs, manifests, tags };
        Self {
            id: row.id,
            repository: row.repository_id,
            number: row.number,
            base: row.base,
            created: Timestamp::from_micros(row.created),
            updated: Timestamp::from_micros(row.updated),
            summary: ContentSummary {
                added: counts(row.added_blobs, row.added_manifests, row.added_tags),
                removed: counts(row.removed_blobs, row.removed_manifests, row.removed_tags),
                present: counts(row.present_blobs, row.present_manifests, row.present_tags),
            },
        }
    }
}

pub(crate) fn row(
    repository: Uuid,
    number: i64,
    base: Option<i64>,
    now: i64,
    summary: ContentSummary,
) -> ActiveModel {
    let ContentSummary { added, removed, present } = summary;
    ActiveModel {
        id: Set(Uuid::now_v7()),
        repository_id: Set(repository),
        number: Set(number),
        base: Set(base),
        created: Set(now),
        updated: Set(now),
        added_blobs: Set(added.blobs),
        added_manifests: Set(added.manifests),
        added_tags: Set(added.tags),
        removed_blobs: Set(removed.blobs),
        removed_manifests: Set(removed.manifests),
        removed_tags: Set(removed.tags),
        present_blobs: Set(present.blobs),
        present_manifests: Set(present.manifests),
        present_tags: Set(present.tags),
    }
}

fn field(name: &str) -> Option<Field> {
    let column = match name {
        "number" => Column::Number,
        "pulp_id" => Column::Id,
        "pulp_created" => Column::Created,
        "pulp_last_updated" => Column::Updated,
        _ => return None,
    };
    Some(Field::Plain(Expr::col((Entity, column))))
}

impl Catalog {
    /// One version of a repository.
    pub async fn find_version(&self, repository: Uuid, number: i64) -> Result<Option<Version>> {
        let row = Entity::find()
            .filter(Column::RepositoryId.eq(repository))
            .filter(Column::Number.eq(number))
            .one(self.reader())
            .await?;
        Ok(row.map(Into::into))
    }

    /// A repository's versions, newest first unless ordered otherwise.
    pub async fn list_versions(&self, repository: Uuid, query: &ListQuery) -> Result<Page<Version>> {
        let select = Entity::find().filter(Column::RepositoryId.eq(repository));
        let ties = [Expr::col((Entity, Column::Number)), Expr::col((Entity, Column::Id))];
        list::fetch(self.reader(), select, query, field, ties).await?.try_map(|row| Ok(row.into()))
    }
}

/// What a version holds, by content id.
type Members = HashMap<Uuid, i32>;

impl Tx {
    /// Publishes a version in this transaction; `None` when it would equal the latest one. Old versions go as the
    /// repository's retention says.
    pub async fn publish_version(&self, new: NewVersion) -> Result<Option<Version>> {
        let repository = self.get_repository_row(new.repository).await?;
        let latest = repository.latest_version;
        let current = self.members(new.repository, latest).await?;
        let wanted = self.wanted_members(&new, latest, &current).await?;
        let added: Members = difference(&wanted, &current);
        let removed: Members = difference(&current, &wanted);
        if new.synced {
            let mark = repository::ActiveModel {
                id: Set(new.repository),
                synced_at: Set(Some(self.now_micros())),
                ..Default::default()
            };
            mark.update(&self.inner).await?;
        }
        if added.is_empty() && removed.is_empty() {
            return Ok(None);
        }
        let number = repository.next_version;
        self.write_membership(new.repository, number, &added, &removed).await?;
        let base = (new.base != latest).then_some(new.base);
        let summary =
            ContentSummary { added: count(&added), removed: count(&removed), present: count(&wanted) };
        let version =
            row(new.repository, number, base, self.now_micros(), summary).insert(&self.inner).await?;
        let advance = repository::ActiveModel {
            id: Set(new.repository),
            latest_version: Set(number),
            next_version: Set(number + 1),
            updated: Set(self.now_micros()),
            ..Default::default()
        };
        let repository: Repository = advance.update(&self.inner).await?.try_into()?;
        self.retain_versions(&repository).await?;
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
    async fn tag_ids(&self, tags: &TagMap, manifest_ids: &HashMap<String, Uuid>) -> Result<Members> {
        let mut wanted: BTreeMap<(String, Uuid), ()> = BTreeMap::new();
        for (name, digest) in tags {
            let manifest =
                manifest_ids.get(digest.as_str()).ok_or_else(|| StorageError::BlobMissing(digest.clone()))?;
            wanted.insert((name.to_string(), *manifest), ());
        }
        let mut members = Members::new();
        let keys: Vec<_> = wanted.into_keys().collect();
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
        Ok(())
    }

    async fn members(&self, repository: Uuid, number: i64) -> Result<Members> {
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
    async fn reachable(&self, roots: &BTreeSet<Digest>) -> Result<Reachable> {
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

    /// Raises what [`Tx::delete_version`] would.
    pub async fn check_version_deletable(&self, repository: Uuid, number: i64) -> Result<()> {
        if !self.has_version(super::distributions::VersionRef { repository, number }).await? {
            return Err(StorageError::NotFound { kind: "RepositoryVersion" });
        }
        let versions = Entity::find().filter(Column::RepositoryId.eq(repository)).count(&self.inner).await?;
        if versions == 1 {
            return Err(StorageError::invalid(
                "non_field_errors",
                "Cannot delete repository version. Repositories must have at least one repository version.",
            ));
        }
        match self.distribution_of_version(repository, number).await? {
            Some(name) => Err(StorageError::InUse {
                field: "repository_version",
                message: format!(
                    "The distribution '{name}' serves this version: let it serve another one first."
                ),
            }),
            None => Ok(()),
        }
    }

    async fn distribution_of_version(&self, repository: Uuid, number: i64) -> Result<Option<String>> {
        let row = distribution::Entity::find()
            .filter(distribution::Column::RepositoryId.eq(repository))
            .filter(distribution::Column::VersionNumber.eq(number))
            .one(&self.inner)
            .await?;
        Ok(row.map(|row| row.name))
    }

    /// Deletes a version. Its changes become those of the version after it, which holds what it held before.
    pub async fn delete_version(&self, repository: Uuid, number: i64) -> Result<()> {
        self.check_version_deletable(repository, number).await?;
        let next = self.neighbour(repository, number, true).await?;
        match next {
            Some(next) => self.merge_membership(repository, number, next).await?,
            None => self.drop_latest_membership(repository, number).await?,
        }
        Entity::delete_many()
            .filter(Column::RepositoryId.eq(repository))
            .filter(Column::Number.eq(number))
            .exec(&self.inner)
            .await?;
        match next {
            Some(next) => self.recount_differences(repository, next).await,
            None => self.step_back(repository, number).await,
        }
    }

    /// The version after (or before) `number`.
    async fn neighbour(&self, repository: Uuid, number: i64, after: bool) -> Result<Option<i64>> {
        let of_repository = Entity::find().filter(Column::RepositoryId.eq(repository));
        let row = if after {
            of_repository
                .filter(Column::Number.gt(number))
                .order_by_asc(Column::Number)
                .one(&self.inner)
                .await?
        } else {
            of_repository
                .filter(Column::Number.lt(number))
                .order_by_desc(Column::Number)
                .one(&self.inner)
                .await?
        };
        Ok(row.map(|row| row.number))
    }

    /// Intervals that begin or end at the deleted version begin or end at the next one instead.
    async fn merge_membership(&self, repository: Uuid, number: i64, next: i64) -> Result<()> {
        use repository_content::Column as Interval;
        let of_repository = || Expr::col(Interval::RepositoryId).eq(repository);
        // In the deleted version only: such an interval becomes empty.
        self.delete_intervals(
            of_repository()
                .and(Expr::col(Interval::VersionAdded).eq(number))
                .and(Expr::col(Interval::VersionRemoved).eq(next)),
        )
        .await?;
        // Removed here and added again next: the two intervals become one.
        let again: Vec<(Uuid, Option<i64>)> = repository_content::Entity::find()
            .select_only()
            .column(Interval::ContentId)
            .column(Interval::VersionRemoved)
            .filter(Interval::RepositoryId.eq(repository))
            .filter(Interval::VersionAdded.eq(next))
            .filter(
                Interval::ContentId.in_subquery(
                    Query::select()
                        .column(Interval::ContentId)
                        .from(repository_content::Entity)
                        .and_where(of_repository())
                        .and_where(Expr::col(Interval::VersionRemoved).eq(number))
                        .take(),
                ),
            )
            .into_tuple()
            .all(&self.inner)
            .await?;
        for (content, removed) in again {
            self.delete_intervals(
                of_repository()
                    .and(Expr::col(Interval::ContentId).eq(content))
                    .and(Expr::col(Interval::VersionAdded).eq(next)),
            )
            .await?;
            repository_content::Entity::update_many()
                .col_expr(Interval::VersionRemoved, Expr::value(removed))
                .filter(Interval::RepositoryId.eq(repository))
                .filter(Interval::ContentId.eq(content))
                .filter(Interval::VersionRemoved.eq(number))
                .exec(&self.inner)
                .await?;
        }
        for column in [Interval::VersionAdded, Interval::VersionRemoved] {
            repository_content::Entity::update_many()
                .col_expr(column, Expr::value(next))
                .filter(Interval::RepositoryId.eq(repository))
                .filter(column.eq(number))
                .exec(&self.inner)
                .await?;
        }
        Ok(())
    }

    /// Undoes what the latest version changed.
    async fn drop_latest_membership(&self, repository: Uuid, number: i64) -> Result<()> {
        use repository_content::Column as Interval;
        self.delete_intervals(
            Expr::col(Interval::RepositoryId)
                .eq(repository)
                .and(Expr::col(Interval::VersionAdded).eq(number)),
        )
        .await?;
        repository_content::Entity::update_many()
            .col_expr(Interval::VersionRemoved, Expr::value(Option::<i64>::None))
            .filter(Interval::RepositoryId.eq(repository))
            .filter(Interval::VersionRemoved.eq(number))
            .exec(&self.inner)
            .await?;
        Ok(())
    }

    async fn delete_intervals(&self, condition: Expr) -> Result<()> {
        let delete = Query::delete().from_table(repository_content::Entity).and_where(condition).take();
        self.inner.execute(&delete).await?;
        Ok(())
    }

    async fn recount_differences(&self, repository: Uuid, number: i64) -> Result<()> {
        let added = self
            .count_where(repository, Expr::col(repository_content::Column::VersionAdded).eq(number))
            .await?;
        let removed = self
            .count_where(repository, Expr::col(repository_content::Column::VersionRemoved).eq(number))
            .await?;
        Entity::update_many()
            .set(ActiveModel {
                added_blobs: Set(added.blobs),
                added_manifests: Set(added.manifests),
                added_tags: Set(added.tags),
                removed_blobs: Set(removed.blobs),
                removed_manifests: Set(removed.manifests),
                removed_tags: Set(removed.tags),
                updated: Set(self.now_micros()),
                ..Default::default()
            })
            .filter(Column::RepositoryId.eq(repository))
            .filter(Column::Number.eq(number))
            .exec(&self.inner)
            .await?;
        Ok(())
    }

    async fn count_where(&self, repository: Uuid, condition: Expr) -> Result<Counts> {
        let rows: Vec<(i32, i64)> = repository_content::Entity::find()
            .select_only()
            .column(repository_content::Column::Kind)
            .column_as(repository_content::Column::ContentId.count(), "count")
            .filter(repository_content::Column::RepositoryId.eq(repository))
            .filter(condition)
            .group_by(repository_content::Column::Kind)
            .into_tuple()
            .all(&self.inner)
            .await?;
        let of = |kind: Kind| {
            rows.iter().find(|(found, _)| *found == kind.number()).map_or(0, |(_, count)| *count)
        };
        Ok(Counts { blobs: of(Kind::Blob), manifests: of(Kind::Manifest), tags: of(Kind::Tag) })
    }

    async fn step_back(&self, repository: Uuid, number: i64) -> Result<()> {
        let before = self.neighbour(repository, number, false).await?.unwrap_or(0);
        let row = repository::ActiveModel {
            id: Set(repository),
            latest_version: Set(before),
            updated: Set(self.now_micros()),
            ..Default::default()
        };
        row.update(&self.inner).await?;
        Ok(())
    }

    /// Deletes the oldest versions beyond the repository's retention, but none that a distribution fixes.
    pub(crate) async fn retain_versions(&self, repository: &Repository) -> Result<()> {
        let Some(keep) = repository.retain_repo_versions.and_then(|keep| u64::try_from(keep).ok()) else {
            return Ok(());
        };
        let old: Vec<i64> = Entity::find()
            .select_only()
            .column(Column::Number)
            .filter(Column::RepositoryId.eq(repository.id))
            .order_by_desc(Column::Number)
            .offset(keep)
            // SQLite wants a LIMIT with an OFFSET; a repository never has this many versions to delete at once.
            .limit(i64::MAX as u64)
            .into_tuple()
            .all(&self.inner)
            .await?;
        for number in old.into_iter().rev() {
            if self.distribution_of_version(repository.id, number).await?.is_none() {
                self.delete_version(repository.id, number).await?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Reachable {
    contents: Members,
    manifest_ids: HashMap<String, Uuid>,
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

fn difference(one: &Members, other: &Members) -> Members {
    one.iter().filter(|(id, _)| !other.contains_key(*id)).map(|(id, kind)| (*id, *kind)).collect()
}

fn count(members: &Members) -> Counts {
    let of = |kind: Kind| {
        i64::try_from(members.values().filter(|found| **found == kind.number()).count()).unwrap_or(i64::MAX)
    };
    Counts { blobs: of(Kind::Blob), manifests: of(Kind::Manifest), tags: of(Kind::Tag) }
}
