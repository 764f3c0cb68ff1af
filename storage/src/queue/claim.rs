//! What a worker does with a task, each step fenced; and what clients do to end one.

use std::time::Duration;

use registry::task::{ProgressReport, TaskError, TaskState};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::lease::fresh_worker;
use super::{CancelOutcome, Fence, Happening, Job, Outcome};
use crate::catalog::{Catalog, Tx, labels};
use crate::entity::task::{ActiveModel, Column, Entity, Model};
use crate::entity::{task_created_resource, task_resource};
use crate::error::{Result, StorageError};
use crate::{CreatedResource, Task, fail_point};

/// The row of a task that still belongs to whoever holds `fence`.
fn owned(fence: &Fence) -> Condition {
    Condition::all()
        .add(Column::Id.eq(fence.task))
        .add(Column::DispatchNo.eq(fence.dispatch_no))
        .add(Column::WorkerId.eq(fence.worker))
        .add(Column::State.is_in(["running", "canceling"]))
}

impl Catalog {
    /// Takes a delivered task. `None` when the delivery is stale: the task was dispatched again, ended or canceled, or
    /// this worker's own lease has run out.
    pub async fn claim_task(
        &self,
        worker: Uuid,
        task: Uuid,
        dispatch_no: i64,
    ) -> Result<Option<(Task, Fence)>> {
        let tx = self.begin().await?;
        tx.delete_job(&Job { task, dispatch_no }).await?;
        // Without the dispatch lock: this can only race with those that end or requeue a queued task, and they lock
        // its row first.
        let claimed = Entity::update_many()
            .col_expr(Column::State, Expr::value("running"))
            .col_expr(Column::WorkerId, Expr::value(worker))
            .col_expr(Column::Attempt, Expr::col(Column::Attempt).add(1))
            .col_expr(
                Column::StartedAt,
                Func::coalesce([Expr::col(Column::StartedAt), Expr::value(tx.now_micros())]).into(),
            )
            .col_expr(Column::Updated, Expr::value(tx.now_micros()))
            .filter(Column::Id.eq(task))
            .filter(Column::DispatchNo.eq(dispatch_no))
            .filter(Column::State.eq("queued"))
            .filter(fresh_worker(&tx, worker))
            .exec_with_returning(&tx.inner)
            .await?;
        let Some(row) = claimed.into_iter().next() else {
            tx.commit().await?;
            return Ok(None);
        };
        fail_point!("claim.updated");
        tx.commit().await?;
        fail_point!("claim.committed");
        let task = crate::catalog::tasks::read_claimed(row)?;
        self.0.metrics.count_start(&task);
        let fence = Fence { task: task.id, dispatch_no, worker };
        Ok(Some((task, fence)))
    }

    /// Forgets a delivery that could not be claimed, so that the task is dispatched anew.
    pub async fn forget_delivery(&self, job: &Job) -> Result<()> {
        let tx = self.begin().await?;
        tx.delete_job(job).await?;
        tx.commit().await
    }

    /// Replaces the task's progress reports.
    pub async fn report_progress(&self, fence: &Fence, reports: &[ProgressReport]) -> Result<()> {
        let tx = self.begin().await?;
        let row = ActiveModel {
            progress: Set(labels::write(&reports)),
            updated: Set(tx.now_micros()),
            ..Default::default()
        };
        tx.update_owned(fence, row).await?;
        tx.commit().await
    }

    /// Hands a task back: after `delay`, another worker, or a later start of this one, takes it up.
    pub async fn release_task(&self, fence: &Fence, delay: Duration) -> Result<()> {
        self.requeue(fence, delay, None).await
    }

    /// Lets a task be tried again after `delay`, which a restart doesn't shorten. `error` says why, meanwhile.
    pub async fn retry_task(&self, fence: &Fence, delay: Duration, error: TaskError) -> Result<()> {
        self.requeue(fence, delay, Some(error)).await
    }

    async fn requeue(&self, fence: &Fence, delay: Duration, error: Option<TaskError>) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.lock_dispatch().await?;
        let micros = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
        let mut row = ActiveModel {
            // Somebody who asked it to end meanwhile gets what they asked for.
            state: Set(TaskState::Waiting.as_str().to_owned()),
            worker_id: Set(None),
            not_before: Set(tx.now_micros().saturating_add(micros)),
            updated: Set(tx.now_micros()),
            ..Default::default()
        };
        if let Some(error) = error {
            row.error = Set(Some(labels::write(&error)));
        }
        let held = Entity::find().filter(owned(fence)).one(&tx.inner).await?.ok_or(StorageError::Fenced)?;
        if row.error.is_set() {
            row.failures = Set(held.failures + 1);
        }
        if held.state == TaskState::Canceling.as_str() {
            tx.end_task(&held, Outcome::Canceled).await?;
        } else {
            if row.error.is_set() {
                tx.happenings.push(Happening::Retried { kind: held.name.clone() });
            }
            tx.update_owned(fence, row).await?;
            // Its own turn, or that of another task of its upstream while it waits.
            tx.dispatch_if_eligible(held.seq).await?;
            tx.dispatch_for_upstream(held.upstream.as_deref()).await?;
        }
        fail_point!("requeue.updated");
        tx.commit().await
    }
}

impl Tx {
    /// Ends a task, frees what it reserved and dispatches what waited for that. Call it last, in the transaction
    /// that publishes the task's work: a worker that lost the task publishes nothing.
    pub async fn finish_task(&mut self, fence: &Fence, outcome: Outcome) -> Result<()> {
        self.lock_dispatch().await?;
        let row = Entity::find().filter(owned(fence)).one(&self.inner).await?.ok_or(StorageError::Fenced)?;
        self.end_task(&row, outcome).await?;
        // From here on nothing but the commit is left to do, and nobody can have what was reserved before it.
        tracing::debug!(task.id = %fence.task, task.dispatch_no = fence.dispatch_no, "task ends");
        Ok(())
    }

    /// Refuses a worker that has lost its task: for a job that commits more than once.
    pub async fn check_fence(&self, fence: &Fence) -> Result<()> {
        self.lock_dispatch().await?;
        let held = Entity::find().filter(owned(fence)).one(&self.inner).await?;
        held.map(drop).ok_or(StorageError::Fenced)
    }

    /// Asks a task to end: at once when it isn't running, else its worker within a second.
    pub async fn cancel_task(&mut self, id: Uuid) -> Result<CancelOutcome> {
        self.lock_dispatch().await?;
        let row = Entity::find().filter(Column::Id.eq(id)).lock_exclusive().one(&self.inner).await?;
        let row = row.ok_or(StorageError::NotFound { kind: "Task" })?;
        Ok(match row.state.as_str() {
            "waiting" | "queued" => {
                self.end_task(&row, Outcome::Canceled).await?;
                CancelOutcome::Canceled(self.read_task(id).await?)
            }
            "running" | "canceling" => {
                Entity::update_many()
                    .col_expr(Column::State, Expr::value("canceling"))
                    .col_expr(Column::Updated, Expr::value(self.now_micros()))
                    .filter(Column::Seq.eq(row.seq))
                    .exec(&self.inner)
                    .await?;
                self.announce_cancel().await?;
                CancelOutcome::Canceling(self.read_task(id).await?)
            }
            _ => CancelOutcome::AlreadyFinal(self.read_task(id).await?),
        })
    }

    /// The dispatch lock is held, and `row` was read under it.
    pub(super) async fn end_task(&mut self, row: &Model, outcome: Outcome) -> Result<()> {
        let now = self.now_micros();
        let mut change = ActiveModel {
            worker_id: Set(None),
            finished_at: Set(Some(now)),
            updated: Set(now),
            error: Set(None),
            ..Default::default()
        };
        let state = match outcome {
            Outcome::Completed { created_resources, result } => {
                self.insert_created(row.seq, created_resources).await?;
                change.result = Set(result);
                TaskState::Completed
            }
            Outcome::Failed(error) => {
                change.error = Set(Some(labels::write(&error)));
                TaskState::Failed
            }
            Outcome::Canceled => TaskState::Canceled,
        };
        change.state = Set(state.as_str().to_owned());
        change.progress = Set(settled_progress(row, state)?);
        let run_micros = row.started_at.map(|started| now - started);
        self.happenings.push(Happening::Ended { kind: row.name.clone(), state, run_micros });
        Entity::update_many().set(change).filter(Column::Seq.eq(row.seq)).exec(&self.inner).await?;
        fail_point!("finish.updated");
        let freed = task_resource::Entity::update_many()
            .col_expr(task_resource::Column::Held, Expr::value(false))
            .filter(task_resource::Column::TaskSeq.eq(row.seq))
            .exec_with_returning(&self.inner)
            .await?;
        fail_point!("finish.released");
        self.dispatch_successors(freed.into_iter().map(|freed| freed.resource)).await?;
        self.dispatch_for_upstream(row.upstream.as_deref()).await?;
        fail_point!("finish.dispatched");
        Ok(())
    }

    async fn insert_created(&self, seq: i64, created: Vec<CreatedResource>) -> Result<()> {
        if created.is_empty() {
            return Ok(());
        }
        let rows = created.into_iter().zip(0..).map(|(made, position)| task_created_resource::ActiveModel {
            task_seq: Set(seq),
            position: Set(position),
            href: Set(made.href),
            prn: Set(made.prn),
        });
        task_created_resource::Entity::insert_many(rows).exec_without_returning(&self.inner).await?;
        Ok(())
    }

    async fn update_owned(&self, fence: &Fence, row: ActiveModel) -> Result<()> {
        let updated = Entity::update_many().set(row).filter(owned(fence)).exec(&self.inner).await?;
        if updated.rows_affected == 0 { Err(StorageError::Fenced) } else { Ok(()) }
    }
}

/// Reports that were still running end as the task did.
fn settled_progress(row: &Model, state: TaskState) -> Result<serde_json::Value> {
    let mut reports: Vec<ProgressReport> = labels::read("progress", row.progress.clone())?;
    for report in reports.iter_mut().filter(|report| !report.state.is_final()) {
        report.state = if state == TaskState::Completed { TaskState::Completed } else { TaskState::Canceled };
    }
    Ok(labels::write(&reports))
}
