//! Waiting for the end of a task, in this process or another.

use std::sync::atomic::Ordering;
use std::time::Duration;

use registry::task::{TaskError, TaskState};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::Task;
use crate::catalog::{Catalog, labels};
use crate::entity::task::{Column, Entity};
use crate::error::{Result, StorageError};

/// How long a waiting client may miss what another process did.
const WAIT_POLL: Duration = Duration::from_millis(500);
/// How soon somebody who waits for a short task looks what other processes did; then less and less often.
const FIRST_POLL: Duration = Duration::from_millis(10);

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEnd {
    /// Its final state.
    pub state: TaskState,
    /// Why it failed.
    pub error: Option<TaskError>,
}

impl Catalog {
    /// Waits until the task has ended.
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

    /// Waits for the end of a task that takes milliseconds; `None` when it takes longer than `patience`. What the task
    /// did is seen by every read of this process from then on.
    pub async fn wait_for_end(&self, id: Uuid, patience: Duration) -> Result<Option<TaskEnd>> {
        let mut changes = self.0.signals.changes();
        let give_up = tokio::time::Instant::now() + patience;
        let mut pause = FIRST_POLL;
        loop {
            changes.mark_unchanged();
            let found: Option<(String, Option<serde_json::Value>)> = Entity::find()
                .select_only()
                .column(Column::State)
                .column(Column::Error)
                .filter(Column::Id.eq(id))
                .into_tuple()
                .one(self.reader())
                .await?;
            let (state, error) = found.ok_or(StorageError::NotFound { kind: "Task" })?;
            let state = super::state_of(&state)?;
            if state.is_final() {
                // Another process may have committed it.
                self.0.generation.fetch_add(1, Ordering::AcqRel);
                let error = error.map(|json| labels::read("task error", json)).transpose()?;
                return Ok(Some(TaskEnd { state, error }));
            }
            let left = give_up.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let _ = tokio::time::timeout(pause.min(left), changes.changed()).await;
            pause = (pause * 2).min(WAIT_POLL);
        }
    }
}
