//! Repository versions: immutable sets of content, published whole or not at all.

use std::collections::BTreeSet;

use registry::href::VersionName;
use registry::sync_plan::TagMap;
use registry::{Digest, Timestamp};
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::list::{self, Field};
use super::{Catalog, Tx, membership};
use crate::entity::repository_version::{ActiveModel, Column, Entity, Model};
use crate::error::{Result, StorageError};
use registry::query::{FilterValue, ListQuery, Op, Page};

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

impl Counts {
    /// All kinds together.
    pub fn total(self) -> i64 {
        self.blobs + self.manifests + self.tags
    }

    /// After so much was added and removed.
    pub(super) fn changed(self, added: Self, removed: Self) -> Self {
        Self {
            blobs: self.blobs + added.blobs - removed.blobs,
            manifests: self.manifests + added.manifests - removed.manifests,
            tags: self.tags + added.tags - removed.tags,
        }
    }
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
        "name" => return Some(Field::Special(is_named)),
        "content" => return Some(Field::Special(holds)),
        _ => return None,
    };
    Some(Field::Plain(Expr::col((Entity, column))))
}

/// Whether a version is one of those that are named.
fn is_named(op: Op, value: &FilterValue) -> Option<Condition> {
    let (Op::In, FilterValue::Versions(names)) = (op, value) else { return None };
    let column = |column: Column| Expr::col((Entity, column));
    names.iter().try_fold(Condition::any().add(Expr::cust("1 = 0")), |any, name| {
        Some(any.add(match name {
            VersionName::Id(id) => column(Column::Id).eq(*id),
            VersionName::Number { repository, number } => {
                column(Column::RepositoryId).eq(*repository).and(column(Column::Number).eq(*number))
            }
            VersionName::Latest(_) => return None,
        }))
    })
}

/// Whether a version holds any of several pieces of content.
fn holds(op: Op, value: &FilterValue) -> Option<Condition> {
    let contents = match (op, value) {
        (Op::Holds, FilterValue::Id(content)) => std::slice::from_ref(content),
        (Op::Holds, FilterValue::Ids(contents)) => contents,
        _ => return None,
    };
    let mut rows = membership::rows_of(Expr::col((Entity, Column::RepositoryId)), contents);
    rows.cond_where(membership::present_in(&Expr::col((Entity, Column::Number))));
    Some(Condition::all().add(Expr::exists(rows)))
}

impl Catalog {
    /// The version with this id.
    pub async fn find_version_by_id(&self, id: Uuid) -> Result<Option<Version>> {
        Ok(Entity::find_by_id(id).one(self.reader()).await?.map(Into::into))
    }

    /// One version of a repository.
    pub async fn find_version(&self, repository: Uuid, number: i64) -> Result<Option<Version>> {
        let row = Entity::find()
            .filter(Column::RepositoryId.eq(repository))
            .filter(Column::Number.eq(number))
            .one(self.reader())
            .await?;
        Ok(row.map(Into::into))
    }

    /// The versions of a repository, or of all, newest first unless ordered otherwise.
    pub async fn list_versions(&self, repository: Option<Uuid>, query: &ListQuery) -> Result<Page<Version>> {
        let mut select = Entity::find();
        let mut newest = Column::Created;
        if let Some(repository) = repository {
            select = select.filter(Column::RepositoryId.eq(repository));
            newest = Column::Number;
        }
        let ties = [Expr::col((Entity, newest)), Expr::col((Entity, Column::Id))];
        list::fetch(self.reader(), select, query, field, ties).await?.try_map(|row| Ok(row.into()))
    }
}

impl Tx {
    /// A version that has to be there.
    pub(super) async fn get_version(&self, repository: Uuid, number: i64) -> Result<Version> {
        let row = Entity::find()
            .filter(Column::RepositoryId.eq(repository))
            .filter(Column::Number.eq(number))
            .one(&self.inner)
            .await?;
        row.map(Into::into).ok_or(StorageError::NotFound { kind: "RepositoryVersion" })
    }
}
