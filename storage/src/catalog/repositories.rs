//! Repositories: content over time.

use registry::Timestamp;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::list::{self, Field};
use super::{Catalog, Tx, labels, membership};
use crate::entity::repository::{ActiveModel, Column, Entity, Model};
use crate::entity::{distribution, remote, repository_content, repository_version};
use crate::error::{Result, StorageError};
use crate::{Labels, catalog::versions};
use registry::query::{FilterValue, ListQuery, Op, Page};

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Identifies it.
    pub id: Uuid,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Its unique name.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// Free labels.
    pub labels: Labels,
    /// What a sync copies from when it doesn't say.
    pub remote: Option<Uuid>,
    /// How many versions are kept; all when absent.
    pub retain_repo_versions: Option<i64>,
    /// The number of its newest version.
    pub latest_version: i64,
    /// When it was last synced. A repository that was ever synced is a mirror and no push target.
    pub synced_at: Option<Timestamp>,
}

/// A repository to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRepository {
    /// Its unique name.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// Free labels.
    pub labels: Labels,
    /// What a sync copies from when it doesn't say.
    pub remote: Option<Uuid>,
    /// How many versions are kept; all when absent.
    pub retain_repo_versions: Option<i64>,
}

/// What changes of a repository; `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepositoryChanges {
    /// The unique name.
    pub name: Option<String>,
    /// Free text.
    #[serde(with = "super::change", skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    /// Free labels.
    pub labels: Option<Labels>,
    /// What a sync copies from when it doesn't say.
    #[serde(with = "super::change", skip_serializing_if = "Option::is_none")]
    pub remote: Option<Option<Uuid>>,
    /// How many versions are kept.
    #[serde(with = "super::change", skip_serializing_if = "Option::is_none")]
    pub retain_repo_versions: Option<Option<i64>>,
}

impl RepositoryChanges {
    /// Whether `repository` is already so.
    pub fn is_noop(&self, repository: &Repository) -> bool {
        fn same<T: PartialEq>(change: Option<&T>, held: &T) -> bool {
            change.is_none_or(|wanted| wanted == held)
        }
        same(self.name.as_ref(), &repository.name)
            && same(self.description.as_ref(), &repository.description)
            && same(self.labels.as_ref(), &repository.labels)
            && same(self.remote.as_ref(), &repository.remote)
            && same(self.retain_repo_versions.as_ref(), &repository.retain_repo_versions)
    }
}

impl TryFrom<Model> for Repository {
    type Error = StorageError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id,
            created: Timestamp::from_micros(row.created),
            updated: Timestamp::from_micros(row.updated),
            name: row.name,
            description: row.description,
            labels: labels::from_json(row.labels)?,
            remote: row.remote_id,
            retain_repo_versions: row.retain_repo_versions,
            latest_version: row.latest_version,
            synced_at: row.synced_at.map(Timestamp::from_micros),
        })
    }
}

fn field(name: &str) -> Option<Field> {
    let column = match name {
        "name" => Column::Name,
        "description" => Column::Description,
        "pulp_id" => Column::Id,
        "pulp_created" => Column::Created,
        "pulp_last_updated" => Column::Updated,
        "remote" => Column::RemoteId,
        "retain_repo_versions" => Column::RetainRepoVersions,
        "pulp_labels" => return Some(Field::Labels(Expr::col((Entity, Column::Labels)))),
        "pulp_type" => return Some(super::list::only_type()),
        "content" => return Some(Field::Special(holds)),
        // Nothing sets it, but clients filter by it.
        "retain_checkpoints" => return Some(Field::Plain(Expr::cust("CAST(NULL AS bigint)"))),
        _ => return None,
    };
    Some(Field::Plain(Expr::col((Entity, column))))
}

/// Whether a repository's latest version holds a piece of content, or any of its versions does.
fn holds(op: Op, value: &FilterValue) -> Option<Condition> {
    let FilterValue::Id(content) = value else { return None };
    let mut rows = membership::rows_of(Expr::col((Entity, Column::Id)), &[*content]);
    match op {
        Op::HasHeld => {}
        // What was not removed is in the latest version: versions are a line.
        Op::Holds => drop(rows.and_where(Expr::col(repository_content::Column::VersionRemoved).is_null())),
        _ => return None,
    }
    Some(Condition::all().add(Expr::exists(rows)))
}

impl Catalog {
    /// Those of the repositories that have a remote to sync from, by name; of all repositories if none is named.
    pub async fn repositories_with_remote(&self, wanted: &[Uuid]) -> Result<Vec<Repository>> {
        let mut select = Entity::find().filter(Column::RemoteId.is_not_null()).order_by_asc(Column::Name);
        if !wanted.is_empty() {
            select = select.filter(Column::Id.is_in(wanted.iter().copied()));
        }
        select.all(self.reader()).await?.into_iter().map(TryInto::try_into).collect()
    }

    /// The repository with this id.
    pub async fn find_repository(&self, id: Uuid) -> Result<Option<Repository>> {
        Entity::find_by_id(id).one(self.reader()).await?.map(TryInto::try_into).transpose()
    }

    /// The repository with this name.
    pub async fn find_repository_by_name(&self, name: &str) -> Result<Option<Repository>> {
        Entity::find()
            .filter(Column::Name.eq(name))
            .one(self.reader())
            .await?
            .map(TryInto::try_into)
            .transpose()
    }

    /// Repositories, newest first unless ordered otherwise.
    pub async fn list_repositories(&self, query: &ListQuery) -> Result<Page<Repository>> {
        let ties = [Expr::col((Entity, Column::Created)), Expr::col((Entity, Column::Id))];
        list::fetch(self.reader(), Entity::find(), query, field, ties).await?.try_map(TryInto::try_into)
    }
}

impl Tx {
    /// Makes a repository with the empty version 0.
    pub async fn create_repository(&self, new: NewRepository) -> Result<Repository> {
        self.lock_resources().await?;
        self.check_name(&new.name, None).await?;
        self.check_remote(new.remote).await?;
        let now = self.now_micros();
        let row = ActiveModel {
            id: Set(Uuid::now_v7()),
            name: Set(new.name),
            description: Set(new.description),
            labels: Set(labels::to_json(&new.labels)),
            remote_id: Set(new.remote),
            retain_repo_versions: Set(new.retain_repo_versions),
            latest_version: Set(0),
            next_version: Set(1),
            synced_at: Set(None),
            created: Set(now),
            updated: Set(now),
            is_push: Set(false),
        };
        let repository: Repository = row.insert(&self.inner).await?.try_into()?;
        let first = versions::row(repository.id, 0, None, now, versions::ContentSummary::default());
        repository_version::Entity::insert(first).exec_without_returning(&self.inner).await?;
        Ok(repository)
    }

    /// Raises what [`Tx::update_repository`] would.
    pub async fn check_repository_changes(&self, id: Uuid, changes: &RepositoryChanges) -> Result<()> {
        // What has to do with this row alone needs no order among all: the task reserves the repository.
        if changes.name.is_some() || changes.remote.is_some() || changes.labels.is_some() {
            self.lock_resources().await?;
        }
        if let Some(name) = &changes.name {
            self.check_name(name, Some(id)).await?;
        }
        self.check_remote(changes.remote.flatten()).await
    }

    /// Changes a repository. Fewer retained versions take effect at once.
    pub async fn update_repository(&self, id: Uuid, changes: RepositoryChanges) -> Result<Repository> {
        self.check_repository_changes(id, &changes).await?;
        let mut row = self.get_repository_row(id).await?.into_active_model();
        row.updated = Set(self.now_micros());
        row.name = changes.name.map_or(row.name, Set);
        row.description = changes.description.map_or(row.description, Set);
        row.labels = changes.labels.map_or(row.labels, |labels| Set(labels::to_json(&labels)));
        row.remote_id = changes.remote.map_or(row.remote_id, Set);
        row.retain_repo_versions = changes.retain_repo_versions.map_or(row.retain_repo_versions, Set);
        let repository: Repository = row.update(&self.inner).await?.try_into()?;
        self.retain_versions(&repository).await?;
        Ok(repository)
    }

    /// Raises [`StorageError::InUse`] while a distribution serves the repository.
    pub(crate) async fn check_repository_deletable(&self, id: Uuid) -> Result<()> {
        self.lock_resources().await?;
        let serving = distribution::Entity::find()
            .filter(distribution::Column::RepositoryId.eq(id))
            .one(&self.inner)
            .await?;
        match serving {
            None => Ok(()),
            Some(row) => Err(StorageError::InUse {
                field: "repository",
                message: format!(
                    "The distribution '{}' serves this repository: delete it or let it serve another one first.",
                    row.name
                ),
            }),
        }
    }

    pub(crate) async fn delete_repository(&self, id: Uuid) -> Result<()> {
        self.check_repository_deletable(id).await?;
        self.give_up_content(Expr::col(repository_content::Column::RepositoryId).eq(id)).await?;
        // Versions, memberships and schedules go with it; content stays until nothing needs it.
        let gone = Entity::delete_by_id(id).exec(&self.inner).await?;
        if gone.rows_affected == 0 {
            Err(StorageError::NotFound { kind: "ContainerRepository" })
        } else {
            Ok(())
        }
    }

    pub(crate) async fn get_repository_row(&self, id: Uuid) -> Result<Model> {
        let row = Entity::find_by_id(id).one(&self.inner).await?;
        row.ok_or(StorageError::NotFound { kind: "ContainerRepository" })
    }

    async fn check_name(&self, name: &str, own: Option<Uuid>) -> Result<()> {
        let taken = Entity::find().filter(Column::Name.eq(name)).one(&self.inner).await?;
        must_be_free(taken.map(|row| row.id), own, "name")
    }

    async fn check_remote(&self, remote: Option<Uuid>) -> Result<()> {
        match remote {
            Some(id) if remote::Entity::find_by_id(id).count(&self.inner).await? == 0 => {
                Err(StorageError::invalid("remote", "Invalid hyperlink - Object does not exist."))
            }
            _ => Ok(()),
        }
    }
}

/// Raises the error for a unique field that another row has.
pub(crate) fn must_be_free(holder: Option<Uuid>, own: Option<Uuid>, field: &'static str) -> Result<()> {
    match holder {
        Some(holder) if Some(holder) != own => {
            Err(StorageError::invalid(field, "This field must be unique."))
        }
        _ => Ok(()),
    }
}
