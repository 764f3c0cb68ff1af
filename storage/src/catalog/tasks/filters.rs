//! By what tasks are filtered and ordered.

use registry::query::{FilterValue, Op};
use registry::task::TaskState;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait};

use crate::catalog::list::Field;
use crate::catalog::sync::column;
use crate::entity::task::{Column, Entity};
use crate::entity::{task_created_resource, task_resource};

pub(super) fn field(name: &str) -> Option<Field> {
    let plain = match name {
        "name" => Column::Name,
        "logging_cid" => Column::LoggingCid,
        "pulp_id" => Column::Id,
        "pulp_created" => Column::Created,
        "pulp_last_updated" => Column::Updated,
        "unblocked_at" => Column::UnblockedAt,
        "started_at" => Column::StartedAt,
        "finished_at" => Column::FinishedAt,
        "worker" => Column::WorkerId,
        "state" => return Some(Field::Special(state_condition)),
        "reserved_resources" => return Some(Field::Special(|op, value| resources(op, value, None))),
        "exclusive_resources" => return Some(Field::Special(|op, value| resources(op, value, Some(true)))),
        "shared_resources" => return Some(Field::Special(|op, value| resources(op, value, Some(false)))),
        "created_resources" => return Some(Field::Special(created_resources)),
        "task_group" => Column::GroupId,
        "parent_task" => return Some(Field::Special(by_parent)),
        "child_tasks" => return Some(Field::Special(by_child)),
        _ => return None,
    };
    Some(Field::Plain(column(Entity, plain)))
}

/// A queued task is one that waits, to clients.
fn state_condition(op: Op, value: &FilterValue) -> Option<Condition> {
    let mut states = texts(value)?;
    if states.iter().any(|state| state == TaskState::Waiting.as_str()) {
        states.push("queued".to_owned());
    }
    let condition = Condition::all().add(column(Entity, Column::State).is_in(states));
    match op {
        Op::Eq | Op::In => Some(condition),
        Op::Ne => Some(condition.not()),
        _ => None,
    }
}

fn resources(op: Op, value: &FilterValue, exclusive: Option<bool>) -> Option<Condition> {
    use task_resource::Column as Resource;
    let of_name = |name: Option<String>| {
        let mut select = seqs_of(task_resource::Entity, Resource::TaskSeq);
        if let Some(name) = name {
            select.and_where(column(task_resource::Entity, Resource::Resource).eq(name));
        }
        if let Some(exclusive) = exclusive {
            select.and_where(column(task_resource::Entity, Resource::Exclusive).eq(exclusive));
        }
        Condition::all().add(column(Entity, Column::Seq).in_subquery(select))
    };
    let names = texts(value)?;
    match op {
        Op::Eq => Some(of_name(names.into_iter().next())),
        // Pulp's meaning: a task that reserves all of them.
        Op::In => Some(names.into_iter().fold(Condition::all(), |all, name| all.add(of_name(Some(name))))),
        _ => None,
    }
}

fn created_resources(op: Op, value: &FilterValue) -> Option<Condition> {
    use task_created_resource::Column as Created;
    let FilterValue::Text(href) = value else { return None };
    let mut select = seqs_of(task_created_resource::Entity, Created::TaskSeq);
    select.and_where(column(task_created_resource::Entity, Created::Href).eq(href.as_str()));
    matches!(op, Op::Eq | Op::Contains)
        .then(|| Condition::all().add(column(Entity, Column::Seq).in_subquery(select)))
}

fn by_parent(op: Op, value: &FilterValue) -> Option<Condition> {
    let seqs = tasks_with(Column::Seq, op, value)?;
    Some(Condition::all().add(column(Entity, Column::ParentSeq).in_subquery(seqs)))
}

fn by_child(op: Op, value: &FilterValue) -> Option<Condition> {
    let parents = tasks_with(Column::ParentSeq, op, value)?;
    Some(Condition::all().add(column(Entity, Column::Seq).in_subquery(parents)))
}

/// A column of the task that has this id.
fn tasks_with(wanted: Column, op: Op, value: &FilterValue) -> Option<SelectStatement> {
    let FilterValue::Id(id) = value else { return None };
    let select = Query::select().column(wanted).from(Entity).and_where(Expr::col(Column::Id).eq(*id)).take();
    matches!(op, Op::Eq).then_some(select)
}

fn seqs_of<E: EntityTrait, C: ColumnTrait>(table: E, seq: C) -> SelectStatement {
    Query::select().expr(column(table, seq)).from(table).take()
}

fn texts(value: &FilterValue) -> Option<Vec<String>> {
    match value {
        FilterValue::Text(text) => Some(vec![text.clone()]),
        FilterValue::Texts(texts) => Some(texts.clone()),
        _ => None,
    }
}
