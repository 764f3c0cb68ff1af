//! Distributions: the names that content is served under.

use registry::{RepositoryName, Timestamp};
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Func};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::list::{self, Field};
use super::repositories::must_be_free;
use super::{Catalog, Tx, labels, membership};
use crate::Labels;
use crate::entity::distribution::{ActiveModel, Column, Entity, Model};
use crate::entity::{repository, repository_content, repository_version};
use crate::error::{Result, StorageError};
use registry::query::{FilterValue, ListQuery, Op, Page};

/// Names one version of one repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VersionRef {
    /// The repository's id.
    pub repository: Uuid,
    /// The version's number.
    pub number: i64,
}

/// A distribution. It serves `repository`'s latest version, or `version`, or nothing yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Identifies it.
    pub id: Uuid,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Its unique name.
    pub name: String,
    /// The repository name under which clients pull.
    pub base_path: RepositoryName,
    /// Free labels.
    pub labels: Labels,
    /// The repository whose latest version is served.
    pub repository: Option<Uuid>,
    /// The one version that is served; then `repository` is absent.
    pub version: Option<VersionRef>,
    /// Whether pulling needs a login.
    pub private: bool,
    /// Free text.
    pub description: Option<String>,
    /// Whether listings leave it out.
    pub hidden: bool,
}

/// A distribution to make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewDistribution {
    /// Its unique name.
    pub name: String,
    /// The repository name under which clients pull.
    pub base_path: String,
    /// Free labels.
    pub labels: Labels,
    /// The repository whose latest version is served.
    pub repository: Option<Uuid>,
    /// The one version that is served.
    pub version: Option<VersionRef>,
    /// Whether pulling needs a login.
    pub private: bool,
    /// Free text.
    pub description: Option<String>,
    /// Whether listings leave it out.
    pub hidden: bool,
}

/// What changes of a distribution; `None` stays. A repository that is set clears the version, and the other way round.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DistributionChanges {
    /// The unique name.
    pub name: Option<String>,
    /// The repository name under which clients pull.
    pub base_path: Option<String>,
    /// Free labels.
    pub labels: Option<Labels>,
    /// The repository whose latest version is served.
    #[serde(with = "super::change", skip_serializing_if = "Option::is_none")]
    pub repository: Option<Option<Uuid>>,
    /// The one version that is served.
    #[serde(with = "super::change", skip_serializing_if = "Option::is_none")]
    pub version: Option<Option<VersionRef>>,
    /// Whether pulling needs a login.
    pub private: Option<bool>,
    /// Free text.
    #[serde(with = "super::change", skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    /// Whether listings leave it out.
    pub hidden: Option<bool>,
}

impl DistributionChanges {
    /// Whether `distribution` is already so.
    pub fn is_noop(&self, distribution: &Distribution) -> bool {
        self.apply(&NewDistribution::from(distribution)) == NewDistribution::from(distribution)
    }

    fn apply(&self, held: &NewDistribution) -> NewDistribution {
        let mut after = held.clone();
        if let Some(repository) = self.repository {
            after.repository = repository;
            if repository.is_some() {
                after.version = None;
            }
        }
        if let Some(version) = self.version {
            after.version = version;
            if version.is_some() {
                after.repository = None;
            }
        }
        NewDistribution {
            name: self.name.clone().unwrap_or(after.name),
            base_path: self.base_path.clone().unwrap_or(after.base_path),
            labels: self.labels.clone().unwrap_or(after.labels),
            private: self.private.unwrap_or(after.private),
            description: self.description.clone().unwrap_or(after.description),
            hidden: self.hidden.unwrap_or(after.hidden),
            repository: after.repository,
            version: after.version,
        }
    }
}

impl From<&Distribution> for NewDistribution {
    fn from(held: &Distribution) -> Self {
        Self {
            name: held.name.clone(),
            base_path: held.base_path.to_string(),
            labels: held.labels.clone(),
            repository: held.repository,
            version: held.version,
            private: held.private,
            description: held.description.clone(),
            hidden: held.hidden,
        }
    }
}

impl TryFrom<Model> for Distribution {
    type Error = StorageError;

    fn try_from(row: Model) -> Result<Self> {
        let version = row
            .repository_id
            .zip(row.version_number)
            .map(|(repository, number)| VersionRef { repository, number });
        Ok(Self {
            id: row.id,
            created: Timestamp::from_micros(row.created),
            updated: Timestamp::from_micros(row.updated),
            name: row.name,
            base_path: row.base_path.parse().map_err(|error| StorageError::corrupt("base path", error))?,
            labels: labels::from_json(row.labels)?,
            repository: if version.is_some() { None } else { row.repository_id },
            version,
            private: row.private,
            description: row.description,
            hidden: row.hidden,
        })
    }
}

fn field(name: &str) -> Option<Field> {
    let column = match name {
        "name" => Column::Name,
        "base_path" => Column::BasePath,
        "repository" => Column::RepositoryId,
        "private" => Column::Private,
        "hidden" => Column::Hidden,
        "pulp_id" => Column::Id,
        "pulp_created" => Column::Created,
        "pulp_last_updated" => Column::Updated,
        "pulp_labels" => return Some(Field::Labels(Expr::col((Entity, Column::Labels)))),
        "pulp_type" => return Some(list::only_type()),
        "namespace" => return Some(Field::Special(is_below)),
        "content" => return Some(Field::Special(serves)),
        // There are none.
        "checkpoint" => return Some(Field::Flag(|_| Expr::cust("1 = 0"))),
        _ => return None,
    };
    Some(Field::Plain(Expr::col((Entity, column))))
}

/// Whether the first part of the path is this.
fn is_below(op: Op, value: &FilterValue) -> Option<Condition> {
    let (Op::Eq, FilterValue::Text(namespace)) = (op, value) else { return None };
    let path = || Expr::col((Entity, Column::BasePath));
    let below = format!("{namespace}/");
    let length = i32::try_from(below.chars().count()).unwrap_or(i32::MAX);
    let beginning = Func::cust("substr").arg(path()).arg(1).arg(length);
    Some(Condition::any().add(path().eq(namespace.as_str())).add(Expr::expr(beginning).eq(below)))
}

/// Whether the version that is served holds a piece of content.
fn serves(op: Op, value: &FilterValue) -> Option<Condition> {
    let (Op::Holds, FilterValue::Id(content)) = (op, value) else { return None };
    let (fixed, removed) =
        (Expr::col((Entity, Column::VersionNumber)), Expr::col(repository_content::Column::VersionRemoved));
    let of_latest = Condition::all().add(fixed.clone().is_null()).add(removed.is_null());
    let mut rows = membership::rows_of(Expr::col((Entity, Column::RepositoryId)), &[*content]);
    rows.cond_where(Condition::any().add(of_latest).add(membership::present_in(&fixed)));
    Some(Condition::all().add(Expr::exists(rows)))
}

impl Catalog {
    /// The distribution with this id.
    pub async fn find_distribution(&self, id: Uuid) -> Result<Option<Distribution>> {
        Entity::find_by_id(id).one(self.reader()).await?.map(TryInto::try_into).transpose()
    }

    /// The distribution with this base path.
    pub async fn find_distribution_by_base_path(&self, base_path: &str) -> Result<Option<Distribution>> {
        let row = Entity::find().filter(Column::BasePath.eq(base_path)).one(self.reader()).await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Distributions, newest first unless ordered otherwise.
    pub async fn list_distributions(&self, query: &ListQuery) -> Result<Page<Distribution>> {
        let ties = [Expr::col((Entity, Column::Created)), Expr::col((Entity, Column::Id))];
        list::fetch(self.reader(), Entity::find(), query, field, ties).await?.try_map(TryInto::try_into)
    }
}

impl Tx {
    /// Raises what [`Tx::create_distribution`] would.
    pub async fn check_new_distribution(&self, new: &NewDistribution) -> Result<()> {
        self.lock_resources().await?;
        self.check_distribution(new, None).await
    }

    /// Makes a distribution with an id that was chosen before.
    pub async fn create_distribution(&self, id: Uuid, new: NewDistribution) -> Result<Distribution> {
        self.lock_resources().await?;
        self.check_distribution(&new, None).await?;
        self.insert_distribution(id, new).await
    }

    pub(super) async fn insert_distribution(&self, id: Uuid, new: NewDistribution) -> Result<Distribution> {
        let now = self.now_micros();
        let (repository_id, version_number) = served_columns(&new);
        let row = ActiveModel {
            id: Set(id),
            name: Set(new.name),
            base_path: Set(new.base_path),
            labels: Set(labels::to_json(&new.labels)),
            repository_id: Set(repository_id),
            version_number: Set(version_number),
            private: Set(new.private),
            description: Set(new.description),
            hidden: Set(new.hidden),
            created: Set(now),
            updated: Set(now),
        };
        row.insert(&self.inner).await?.try_into()
    }

    /// Raises what [`Tx::update_distribution`] would.
    pub async fn check_distribution_changes(&self, id: Uuid, changes: &DistributionChanges) -> Result<()> {
        self.changed_distribution(id, changes).await.map(drop)
    }

    /// Changes a distribution. Pulls see the change at once.
    pub async fn update_distribution(&self, id: Uuid, changes: &DistributionChanges) -> Result<Distribution> {
        let (held, after) = self.changed_distribution(id, changes).await?;
        let (repository_id, version_number) = served_columns(&after);
        let mut row = held.into_active_model();
        row.name = Set(after.name);
        row.base_path = Set(after.base_path);
        row.labels = Set(labels::to_json(&after.labels));
        row.repository_id = Set(repository_id);
        row.version_number = Set(version_number);
        row.private = Set(after.private);
        row.description = Set(after.description);
        row.hidden = Set(after.hidden);
        row.updated = Set(self.now_micros());
        row.update(&self.inner).await?.try_into()
    }

    pub(crate) async fn delete_distribution(&self, id: Uuid) -> Result<()> {
        let gone = Entity::delete_by_id(id).exec(&self.inner).await?;
        if gone.rows_affected == 0 {
            Err(StorageError::NotFound { kind: "ContainerDistribution" })
        } else {
            Ok(())
        }
    }

    async fn changed_distribution(
        &self,
        id: Uuid,
        changes: &DistributionChanges,
    ) -> Result<(Model, NewDistribution)> {
        self.lock_resources().await?;
        let row = Entity::find_by_id(id).one(&self.inner).await?;
        let row = row.ok_or(StorageError::NotFound { kind: "ContainerDistribution" })?;
        let after = changes.apply(&NewDistribution::from(&Distribution::try_from(row.clone())?));
        self.check_distribution(&after, Some(id)).await?;
        Ok((row, after))
    }

    async fn check_distribution(&self, wanted: &NewDistribution, own: Option<Uuid>) -> Result<()> {
        if wanted.base_path.parse::<RepositoryName>().is_err() {
            return Err(StorageError::invalid(
                "base_path",
                "Relative path is not in canonical form. Bad Path",
            ));
        }
        let keeps_path = self.check_unique(wanted, own).await?;
        if !keeps_path {
            self.check_overlap(&wanted.base_path, own).await?;
        }
        match (wanted.repository, wanted.version) {
            (Some(_), Some(_)) => Err(StorageError::invalid(
                "repository_version",
                "Only one of the attributes 'repository' and 'repository_version' may be used simultaneously.",
            )),
            (Some(id), None) if repository::Entity::find_by_id(id).count(&self.inner).await? == 0 => {
                Err(StorageError::invalid("repository", "Invalid hyperlink - Object does not exist."))
            }
            (None, Some(version)) if !self.has_version(version).await? => {
                Err(StorageError::invalid("repository_version", "Invalid hyperlink - Object does not exist."))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a name or a path that another distribution has; whether the path is its own already.
    pub(super) async fn check_unique(&self, wanted: &NewDistribution, own: Option<Uuid>) -> Result<bool> {
        let holder = |column: Column, value: &str| Entity::find().filter(column.eq(value)).one(&self.inner);
        let name = holder(Column::Name, &wanted.name).await?;
        must_be_free(name.map(|row| row.id), own, "name")?;
        let path = holder(Column::BasePath, &wanted.base_path).await?.map(|row| row.id);
        must_be_free(path, own, "base_path")?;
        Ok(path.is_some())
    }

    /// One base path must not lie within another: a name would then mean two things.
    async fn check_overlap(&self, base_path: &str, own: Option<Uuid>) -> Result<()> {
        let parents = base_path.match_indices('/').map(|(at, _)| &base_path[..at]).collect::<Vec<_>>();
        let below = format!("{base_path}/");
        // '0' follows '/' in ASCII, so this range is exactly the paths that begin with `below`.
        let children = Column::BasePath.gte(below).and(Column::BasePath.lt(format!("{base_path}0")));
        let overlapping = Entity::find()
            .filter(Column::BasePath.is_in(parents).or(children))
            .all(&self.inner)
            .await?
            .into_iter()
            .find(|row| Some(row.id) != own && overlaps(base_path, &row.base_path));
        match overlapping {
            Some(row) => Err(StorageError::invalid(
                "base_path",
                format!("Overlaps with existing distribution '{}'.", row.name),
            )),
            None => Ok(()),
        }
    }

    pub(crate) async fn has_version(&self, version: VersionRef) -> Result<bool> {
        Ok(repository_version::Entity::find()
            .filter(repository_version::Column::RepositoryId.eq(version.repository))
            .filter(repository_version::Column::Number.eq(version.number))
            .count(&self.inner)
            .await?
            > 0)
    }
}

/// Collations may order '/' in their own way, so what the database found is looked at again.
fn overlaps(one: &str, other: &str) -> bool {
    let within =
        |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    within(one, other) || within(other, one)
}

fn served_columns(wanted: &NewDistribution) -> (Option<Uuid>, Option<i64>) {
    match wanted.version {
        Some(version) => (Some(version.repository), Some(version.number)),
        None => (wanted.repository, None),
    }
}
