//! Tasks as clients see them. How they move from state to state is `queue`'s business.

mod filters;
mod old;
mod related;
mod wait;

use std::time::Duration;

use registry::task::{ProgressReport, Reservation, TaskError, TaskState, WaitingFor, Work};
use registry::{Timestamp, TraceParent};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::list;
use super::sync::column;
use super::{Catalog, Tx, labels};
use crate::entity::task::{Column, Entity, Model};
use crate::error::{Result, StorageError};
use registry::query::{ListQuery, Page};
use related::Related;
pub use wait::TaskEnd;

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
    /// It is not to begin before this moment.
    pub not_before: Option<Timestamp>,
    /// There is one task of a key: submitting another gives the first.
    pub dedupe_key: Option<String>,
    /// The task that started it.
    pub parent: Option<Uuid>,
    /// The group that it belongs to.
    pub group: Option<Uuid>,
}

impl NewTask {
    /// A task that nobody in particular asked for.
    pub fn new(work: Work, reservations: Vec<Reservation>) -> Self {
        Self {
            work,
            reservations,
            created_by: None,
            correlation_id: String::new(),
            trace_parent: None,
            not_before: None,
            dedupe_key: None,
            parent: None,
            group: None,
        }
    }
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
    /// What it waits for, while it waits.
    pub waiting_for: Option<WaitingFor>,
    /// The task that started it.
    pub parent: Option<Uuid>,
    /// The tasks that it started, oldest first.
    pub children: Vec<Uuid>,
    /// The group that it belongs to.
    pub group: Option<Uuid>,
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
            Ok(TaskStamp { state: state_of(&state)?, updated: Timestamp::from_micros(updated) })
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
        let page = list::fetch(self.reader(), Entity::find(), query, filters::field, ties).await?;
        Ok(Page { total: page.total, items: self.complete(page.items).await? })
    }

    async fn complete(&self, rows: Vec<Model>) -> Result<Vec<Task>> {
        related::complete(self.reader(), self.0.tasks_per_upstream, self.now(), rows).await
    }
}

/// A row that a worker has just claimed. What is kept in other tables is left out: the worker needs none of it.
pub(crate) fn read_claimed(row: Model) -> Result<Task> {
    read(row, Related::default())
}

/// The API's word for a stored state.
pub(super) fn state_of(stored: &str) -> Result<TaskState> {
    match stored {
        "queued" => Ok(TaskState::Waiting),
        other => other.parse().map_err(|()| StorageError::corrupt("task state", other.to_owned())),
    }
}

/// A row, with what is kept in other tables, as a task.
fn read(row: Model, related: Related) -> Result<Task> {
    let state = state_of(&row.state)?;
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
        created_resources: related.created_resources,
        reservations: related.reservations,
        result: row.result,
        attempt: row.attempt,
        failures: row.failures,
        waiting_for: related.waiting_for,
        parent: related.parent,
        children: related.children,
        group: row.group_id,
    })
}

impl Tx {
    /// The task as it is in this transaction.
    pub(crate) async fn read_task(&self, id: Uuid) -> Result<Task> {
        let row = Entity::find().filter(Column::Id.eq(id)).one(&self.inner).await?;
        let row = row.ok_or(StorageError::NotFound { kind: "Task" })?;
        let limit = self.catalog.0.tasks_per_upstream;
        let mut tasks = related::complete(&self.inner, limit, self.now(), vec![row]).await?;
        tasks.pop().ok_or(StorageError::NotFound { kind: "Task" })
    }

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
