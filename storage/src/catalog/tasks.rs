//! Tasks as clients see them. How they move from state to state is `queue`'s business.

use std::collections::HashMap;
use std::time::Duration;

use registry::task::{ProgressReport, Reservation, TaskError, TaskState, Work};
use registry::{Timestamp, TraceParent};
use sea_orm::sea_query::{Condition, ExprTrait, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::list::{self, Field};
use super::sync::column;
use super::versions::CHUNK;
use super::{Catalog, Tx, labels};
use crate::entity::task::{Column, Entity, Model};
use crate::entity::{task_created_resource, task_resource};
use crate::error::{Result, StorageError};
use registry::query::{FilterValue, ListQuery, Op, Page};

/// How long a waiting client may miss what another process did.
const WAIT_POLL: Duration = Duration::from_millis(500);

/// A task to submit.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// What it has to do.
    pub work: Work,
    /// What it reserves while it isn't finished.
    pub reservations: Vec<Reservation>,
    /// Who asked for it.
    pub created_by: Option<Uuid>,
    /// The request that asked for it.
    pub correlation_id: String,
    /// The trace that the request is a part of.
    pub trace_parent: Option<TraceParent>,
}

/// Something that a task made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CreatedResource {
    /// Its path in the API.
    pub href: String,
    /// Its resource name.
    pub prn: String,
}

/// Tells when something may have changed.
#[derive(Debug)]
pub struct Changes(tokio::sync::watch::Receiver<u64>);

impl Changes {
    /// Returns after a commit of this process that no earlier call told of, or after `patience`, which is for what
    /// other processes commit.
    pub async fn next(&mut self, patience: Duration) {
        if tokio::time::timeout(patience, self.0.changed()).await.is_ok_and(|told| told.is_err()) {
            // The catalog is gone; whoever asks finds out by the next query.
            tokio::time::sleep(patience).await;
        }
    }
}

/// What tells whether a task has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStamp {
    /// Where it stands.
    pub state: TaskState,
    /// When it last changed.
    pub updated: Timestamp,
}

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Identifies it.
    pub id: Uuid,
    /// When it was accepted.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Its kind, in the API's words.
    pub name: String,
    /// Where it stands.
    pub state: TaskState,
    /// What it has to do.
    pub work: Work,
    /// The request that asked for it.
    pub logging_cid: String,
    /// The trace that the request is a part of.
    pub trace_parent: Option<TraceParent>,
    /// Who asked for it.
    pub created_by: Option<Uuid>,
    /// When its resources were free.
    pub unblocked_at: Option<Timestamp>,
    /// When a worker first took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it failed, or why it is tried again.
    pub error: Option<TaskError>,
    /// The worker that has it.
    pub worker: Option<Uuid>,
    /// How far it is.
    pub progress: Vec<ProgressReport>,
    /// What it made.
    pub created_resources: Vec<CreatedResource>,
    /// What it reserves or reserved.
    pub reservations: Vec<Reservation>,
    /// What it gave.
    pub result: Option<serde_json::Value>,
    /// How often a worker took it, whatever came of that.
    pub attempt: i32,
    /// How often it failed for a cause that may pass.
    pub failures: i32,
}

fn field(name: &str) -> Option<Field> {
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

impl Catalog {
    /// The task with this id.
    pub async fn find_task(&self, id: Uuid) -> Result<Option<Task>> {
        let row = Entity::find().filter(Column::Id.eq(id)).one(self.reader()).await?;
        Ok(self.complete(row.into_iter().collect()).await?.pop())
    }

    /// What tells whether a task has changed, which costs less than the task.
    pub async fn find_task_stamp(&self, id: Uuid) -> Result<Option<TaskStamp>> {
        let found: Option<(String, i64)> = Entity::find()
            .select_only()
            .column(Column::State)
            .column(Column::Updated)
            .filter(Column::Id.eq(id))
            .into_tuple()
            .one(self.reader())
            .await?;
        let read = |(state, updated): (String, i64)| {
            Ok(TaskStamp { state: read_state(&state)?, updated: Timestamp::from_micros(updated) })
        };
        found.map(read).transpose()
    }

    /// Tells from now on when something may have changed.
    pub fn changes(&self) -> Changes {
        Changes(self.0.signals.changes())
    }

    /// Tasks, newest first unless ordered otherwise.
    pub async fn list_tasks(&self, query: &ListQuery) -> Result<Page<Task>> {
        let ties = [column(Entity, Column::Seq), column(Entity, Column::Id)];
        let page = list::fetch(self.reader(), Entity::find(), query, field, ties).await?;
        Ok(Page { total: page.total, items: self.complete(page.items).await? })
    }

    /// Waits until the task has ended, in this process or another.
    pub async fn wait_for_task(&self, id: Uuid) -> Result<Task> {
        let mut changes = self.0.signals.changes();
        loop {
            changes.mark_unchanged();
            let task = self.find_task(id).await?.ok_or(StorageError::NotFound { kind: "Task" })?;
            if task.state.is_final() {
                return Ok(task);
            }
            // Whichever comes first: a commit of this process, or time to look what others did.
            let _ = tokio::time::timeout(WAIT_POLL, changes.changed()).await;
        }
    }

    /// Adds what is kept in other tables.
    async fn complete(&self, rows: Vec<Model>) -> Result<Vec<Task>> {
        let mut reservations: HashMap<i64, Vec<Reservation>> = HashMap::new();
        let mut created: HashMap<i64, Vec<CreatedResource>> = HashMap::new();
        let seqs: Vec<_> = rows.iter().map(|row| row.seq).collect();
        for chunk in seqs.chunks(CHUNK) {
            let found = task_resource::Entity::find()
                .filter(task_resource::Column::TaskSeq.is_in(chunk.iter().copied()))
                .order_by_desc(task_resource::Column::Exclusive)
                .order_by_asc(task_resource::Column::Resource)
                .all(self.reader())
                .await?;
            for row in found {
                let reservation = Reservation { resource: row.resource, exclusive: row.exclusive };
                reservations.entry(row.task_seq).or_default().push(reservation);
            }
            let found = task_created_resource::Entity::find()
                .filter(task_created_resource::Column::TaskSeq.is_in(chunk.iter().copied()))
                .order_by_asc(task_created_resource::Column::Position)
                .all(self.reader())
                .await?;
            for row in found {
                created
                    .entry(row.task_seq)
                    .or_default()
                    .push(CreatedResource { href: row.href, prn: row.prn });
            }
        }
        rows.into_iter()
            .map(|row| {
                let seq = row.seq;
                let reserved = reservations.remove(&seq).unwrap_or_default();
                read(row, reserved, created.remove(&seq).unwrap_or_default())
            })
            .collect()
    }
}

/// A queued task is one that waits, to clients.
fn read_state(text: &str) -> Result<TaskState> {
    match text {
        "queued" => Ok(TaskState::Waiting),
        other => other.parse().map_err(|()| StorageError::corrupt("task state", text.to_owned())),
    }
}

/// A row, with what is kept in other tables, as a task.
pub(crate) fn read(
    row: Model,
    reservations: Vec<Reservation>,
    created_resources: Vec<CreatedResource>,
) -> Result<Task> {
    let state = read_state(&row.state)?;
    let moment = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    Ok(Task {
        id: row.id,
        created: Timestamp::from_micros(row.created),
        updated: Timestamp::from_micros(row.updated),
        name: row.name,
        state,
        work: labels::read("work", row.work)?,
        logging_cid: row.logging_cid,
        // Only what was read is written.
        trace_parent: row.trace_parent.and_then(|text| text.parse().ok()),
        created_by: row.created_by,
        unblocked_at: moment(row.unblocked_at),
        started_at: moment(row.started_at),
        finished_at: moment(row.finished_at),
        error: row.error.map(|json| labels::read("task error", json)).transpose()?,
        worker: row.worker_id,
        progress: labels::read("progress", row.progress)?,
        created_resources,
        reservations,
        result: row.result,
        attempt: row.attempt,
        failures: row.failures,
    })
}

impl Tx {
    /// Deletes a finished task.
    pub async fn delete_task(&self, id: Uuid) -> Result<()> {
        let row = Entity::find().filter(Column::Id.eq(id)).one(&self.inner).await?;
        let row = row.ok_or(StorageError::NotFound { kind: "Task" })?;
        let ended = row.state.parse::<TaskState>().is_ok_and(TaskState::is_final);
        if !ended {
            return Err(StorageError::invalid(
                "state",
                "Only a task that has ended can be deleted: cancel it first.",
            ));
        }
        Entity::delete_by_id(row.seq).exec(&self.inner).await?;
        Ok(())
    }
}
