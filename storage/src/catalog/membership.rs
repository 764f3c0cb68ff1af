//! Which content a version holds: arithmetic on the intervals of `repository_content`.

use registry::href::VersionName;
use registry::query::{Filter, FilterValue, Op};
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::entity::repository_content::{Column, Entity};
use crate::entity::{content, repository_version};
use crate::error::{Result, StorageError};

/// What the `kind` columns of content say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Kind {
    Blob = 1,
    Manifest = 2,
    Tag = 3,
}

impl Kind {
    pub(crate) const fn number(self) -> i32 {
        self as i32
    }
}

/// Rows whose interval covers version `number`.
pub(crate) fn present_at(number: i64) -> Condition {
    present_in(&Expr::value(number))
}

/// Rows whose interval covers the version that `number` gives.
pub(crate) fn present_in(number: &Expr) -> Condition {
    Condition::all().add(Expr::col((Entity, Column::VersionAdded)).lte(number.clone())).add(
        Condition::any()
            .add(Expr::col((Entity, Column::VersionRemoved)).is_null())
            .add(Expr::col((Entity, Column::VersionRemoved)).gt(number.clone())),
    )
}

/// Rows of `repository` for any of the pieces of content.
pub(crate) fn rows_of(repository: Expr, contents: &[Uuid]) -> SelectStatement {
    let mut select = Query::select();
    select
        .expr(Expr::value(1))
        .from(Entity)
        .and_where(Expr::col((Entity, Column::RepositoryId)).eq(repository))
        .and_where(Expr::col((Entity, Column::ContentId)).is_in(contents.iter().copied()));
    select
}

/// The condition that `id`, of a piece of content, is a member. Versions must be resolved. `None` where the two don't fit.
pub(super) fn condition(id: &Expr, op: Op, value: &FilterValue) -> Option<Condition> {
    let members = |name: &VersionName, op| match name {
        VersionName::Number { repository, number } => members(*repository, *number, op),
        VersionName::Id(_) | VersionName::Latest(_) => None,
    };
    let all = Condition::all();
    Some(match (op, value) {
        (Op::VersionPresent | Op::VersionAdded | Op::VersionRemoved, FilterValue::Versions(names)) => {
            let [name] = names.as_slice() else { return None };
            all.add(id.clone().in_subquery(members(name, op)?))
        }
        (Op::AddedBetween | Op::RemovedBetween, FilterValue::Versions(names)) => {
            let [base, target] = names.as_slice() else { return None };
            let (with, without) = if op == Op::AddedBetween { (target, base) } else { (base, target) };
            all.add(id.clone().in_subquery(members(with, Op::VersionPresent)?))
                .add(id.clone().not_in_subquery(members(without, Op::VersionPresent)?))
        }
        (Op::OrphanedSince, FilterValue::Time(moment)) => {
            let mut held = Query::select();
            held.expr(Expr::value(1))
                .from(Entity)
                .and_where(Expr::col((Entity, Column::ContentId)).eq(id.clone()));
            let mut old = Query::select();
            old.column(content::Column::Id)
                .from(content::Entity)
                .and_where(Expr::col(content::Column::Touched).lt(moment.as_micros()));
            let pushed = super::orphans::pushes(id);
            all.add(id.clone().in_subquery(old)).add(Expr::exists(held).not()).add(Expr::exists(pushed).not())
        }
        _ => return None,
    })
}

/// The ids of the content that a version holds, added or removed.
fn members(repository: Uuid, number: i64, op: Op) -> Option<SelectStatement> {
    let mut select = Query::select();
    select.column(Column::ContentId).from(Entity).and_where(Expr::col(Column::RepositoryId).eq(repository));
    match op {
        Op::VersionPresent => select.cond_where(present_at(number)),
        Op::VersionAdded => select.and_where(Expr::col(Column::VersionAdded).eq(number)),
        Op::VersionRemoved => select.and_where(Expr::col(Column::VersionRemoved).eq(number)),
        _ => return None,
    };
    Some(select)
}

/// Puts repository and number in place of whatever names a version that content is filtered by. Refuses versions that
/// don't exist: an empty list, or that of another version, would be taken for theirs.
pub(super) async fn resolve_versions(connection: &DatabaseConnection, filter: &mut Filter) -> Result<()> {
    let mut open = vec![filter];
    while let Some(filter) = open.pop() {
        match filter {
            Filter::All(parts) | Filter::Any(parts) => open.extend(parts),
            Filter::Not(inner) => open.push(inner),
            Filter::Field { op, value: FilterValue::Versions(names), .. } => {
                let parameter = match op {
                    Op::VersionPresent => "repository_version",
                    Op::VersionAdded => "repository_version_added",
                    Op::VersionRemoved => "repository_version_removed",
                    Op::AddedBetween => "added_between",
                    Op::RemovedBetween => "removed_between",
                    _ => continue,
                };
                for name in names {
                    let found = resolve(connection, *name).await?;
                    *name = found.ok_or_else(|| {
                        StorageError::invalid(
                            parameter,
                            format!("URI not found for repositoryversion: {name}"),
                        )
                    })?;
                }
            }
            Filter::Field { .. } => {}
        }
    }
    Ok(())
}

async fn resolve(connection: &DatabaseConnection, name: VersionName) -> Result<Option<VersionName>> {
    use repository_version::Column;
    let column = |column: Column| Expr::col((repository_version::Entity, column));
    let named = match name {
        VersionName::Id(id) => column(Column::Id).eq(id),
        VersionName::Latest(repository) => column(Column::RepositoryId).eq(repository),
        VersionName::Number { repository, number } => {
            column(Column::RepositoryId).eq(repository).and(column(Column::Number).eq(number))
        }
    };
    let found: Option<(Uuid, i64)> = repository_version::Entity::find()
        .select_only()
        .column(Column::RepositoryId)
        .column(Column::Number)
        .filter(named)
        .order_by_desc(Column::Number)
        .into_tuple()
        .one(connection)
        .await?;
    Ok(found.map(|(repository, number)| VersionName::Number { repository, number }))
}
