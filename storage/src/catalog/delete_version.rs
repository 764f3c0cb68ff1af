//! Deleting versions: one by one, or the oldest as a repository's retention says. The versions that stay hold what they held.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::Tx;
use super::membership::Kind;
use super::repositories::Repository;
use super::versions::Counts;
use crate::entity::repository_version::{ActiveModel, Column, Entity};
use crate::entity::{distribution, repository, repository_content};
use crate::error::{Result, StorageError};

impl Tx {
    /// Raises what [`Tx::delete_version`] would.
    ///
    /// Takes no lock, since publishing comes here with rows already written: that nothing serves the version when it
    /// goes is a constraint of the database.
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
        self.give_up_content(condition.clone()).await?;
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
