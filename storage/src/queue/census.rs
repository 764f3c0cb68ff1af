//! What waits and runs at a moment, counted in the database.
//!
//! Only tasks that have not ended are looked at, which `task_state_idx` finds: what it costs doesn't depend on how
//! many have ended.

use registry::Timestamp;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Statement};

use crate::Catalog;
use crate::entity::schedule;
use crate::error::Result;

const UNFINISHED: &str = "SELECT name, state, COUNT(*) AS tasks, MIN(not_before) AS due FROM task \
     WHERE state IN ('waiting', 'queued', 'running', 'canceling') GROUP BY name, state";

/// How many tasks of one kind are in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskCount {
    /// The kind, by its name in the API.
    pub kind: String,
    /// `waiting` (for resources, or for its time), `queued` (for a worker), `running` or `canceling`.
    pub state: String,
    /// How many.
    pub tasks: i64,
}

/// The unfinished tasks of all processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueCensus {
    /// By kind and state. What is not there is zero.
    pub counts: Vec<TaskCount>,
    /// Since when the task has waited that has waited longest.
    pub waiting_since: Option<Timestamp>,
    /// Since when the schedule is due that is due longest.
    pub schedule_due: Option<Timestamp>,
}

impl QueueCensus {
    /// How many tasks wait, whatever for.
    pub fn depth(&self) -> i64 {
        self.counts.iter().filter(|count| is_pending(&count.state)).map(|count| count.tasks).sum()
    }
}

fn is_pending(state: &str) -> bool {
    matches!(state, "waiting" | "queued")
}

impl Catalog {
    /// Counts the unfinished tasks.
    pub async fn take_queue_census(&self) -> Result<QueueCensus> {
        let connection = self.reader();
        let statement = Statement::from_string(connection.get_database_backend(), UNFINISHED);
        let now = self.now();
        let mut census = QueueCensus::default();
        for row in connection.query_all_raw(statement).await? {
            let state: String = row.try_get("", "state")?;
            let due = Timestamp::from_micros(row.try_get("", "due")?);
            // A task that waits for its next attempt is not late before that.
            if is_pending(&state) && due <= now {
                census.waiting_since = Some(census.waiting_since.map_or(due, |oldest| oldest.min(due)));
            }
            census.counts.push(TaskCount {
                kind: row.try_get("", "name")?,
                state,
                tasks: row.try_get("", "tasks")?,
            });
        }
        let overdue = schedule::Entity::find()
            .select_only()
            .column_as(schedule::Column::DueAt.min(), "due")
            .filter(schedule::Column::Enabled.eq(true))
            .filter(schedule::Column::DueAt.lte(now.as_micros()));
        let due: Option<Option<i64>> = overdue.into_tuple().one(connection).await?;
        census.schedule_due = due.flatten().map(Timestamp::from_micros);
        Ok(census)
    }
}
