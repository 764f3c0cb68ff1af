//! Mending what crashes left behind: tasks and jobs of workers that died, and deliveries that were lost.

use registry::Timestamp;
use registry::task::{TaskError, TaskState};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Statement,
};

use super::lease::{database_now, lease_start};
use super::{Happening, JobQueue, Outcome};
use crate::catalog::{Catalog, Tx};
use crate::entity::task;
use crate::entity::worker_node::{Column, Entity};
use crate::error::{Result, StorageError};
use crate::fail_point;

/// How often a task is taken up again after its worker died under it, before the task is held to be the cause.
const MAX_DEATHS: i32 = 5;
/// How long apalis may take to deliver before a task is dispatched again.
const DELIVERY_PATIENCE_SECS: i64 = 15;
/// How long workers that are gone are still listed.
const FORGET_WORKERS_SECS: i64 = 3_600;

/// What [`Catalog::reconcile`] mended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    /// Tasks of dead workers that wait again.
    pub requeued: usize,
    /// Tasks that ended because their worker died: canceled, or given up.
    pub ended: usize,
    /// Tasks that were given to apalis: again, or for the first time.
    pub dispatched: usize,
}

impl Catalog {
    /// Mends what crashes left behind. Every worker calls this every two seconds; once is as good as often.
    pub async fn reconcile(&self) -> Result<ReconcileReport> {
        let mut report = ReconcileReport::default();
        let mut tx = self.begin().await?;
        tx.lock_dispatch().await?;
        tx.take_from_dead_workers(&mut report).await?;
        tx.take_jobs_from_dead_workers().await?;
        tx.reset_undelivered().await?;
        report.dispatched = tx.dispatch_all_eligible().await?;
        tx.forget_dead_workers().await?;
        tx.commit().await?;
        Ok(report)
    }
}

impl Tx {
    async fn take_from_dead_workers(&mut self, report: &mut ReconcileReport) -> Result<()> {
        let alive = Query::select()
            .column(Column::Id)
            .from(Entity)
            .and_where(Expr::col(Column::LastSeen).gte(lease_start(self.is_postgres())))
            .take();
        let orphans = task::Entity::find()
            .filter(task::Column::State.is_in(["running", "canceling"]))
            .filter(task::Column::WorkerId.is_null().or(task::Column::WorkerId.not_in_subquery(alive)))
            .lock_exclusive()
            .all(&self.inner)
            .await?;
        for row in orphans {
            self.happenings.push(Happening::TakenOver);
            if row.state == TaskState::Canceling.as_str() {
                self.end_task(&row, Outcome::Canceled).await?;
                report.ended += 1;
            } else if row.deaths + 1 >= MAX_DEATHS {
                let error = TaskError {
                    description: format!("The worker died {MAX_DEATHS} times while it had this task."),
                    code: "worker.died".to_owned(),
                };
                self.end_task(&row, Outcome::Failed(error)).await?;
                report.ended += 1;
            } else {
                self.set_waiting(row.seq).await?;
                let died = task::ActiveModel {
                    seq: Set(row.seq),
                    deaths: Set(row.deaths + 1),
                    ..Default::default()
                };
                task::Entity::update(died).exec(&self.inner).await?;
                fail_point!("reconcile.requeued");
                report.requeued += 1;
            }
        }
        Ok(())
    }

    /// Jobs that apalis had fetched for workers that died before they claimed them can be fetched again: apalis itself
    /// would wait longer. Should one of these live after all, one of the two claims finds the task taken.
    async fn take_jobs_from_dead_workers(&self) -> Result<()> {
        let dead: Vec<String> = Entity::find()
            .select_only()
            .column(Column::Name)
            .group_by(Column::Name)
            .having(Expr::col(Column::LastSeen).max().lt(lease_start(self.is_postgres())))
            .into_tuple()
            .all(&self.inner)
            .await?;
        for name in dead {
            self.give_back_jobs(&name).await?;
        }
        Ok(())
    }

    async fn set_waiting(&self, seq: i64) -> Result<()> {
        let row = task::ActiveModel {
            seq: Set(seq),
            state: Set(TaskState::Waiting.as_str().to_owned()),
            worker_id: Set(None),
            updated: Set(self.now_micros()),
            ..Default::default()
        };
        task::Entity::update(row).exec(&self.inner).await?;
        Ok(())
    }

    /// Queued tasks whose job apalis lost, or delivered to a worker that never claimed it.
    async fn reset_undelivered(&self) -> Result<()> {
        let sql = if self.is_postgres() {
            "SELECT t.seq FROM task t WHERE t.state = 'queued' AND t.updated < $1 AND NOT EXISTS (SELECT 1 FROM apalis.jobs j \
             WHERE j.idempotency_key = t.id::text || ':' || t.dispatch_no AND j.status IN ('Pending', 'Queued', 'Running') \
             AND j.job_type = ANY($2)) FOR UPDATE OF t"
        } else {
            "SELECT t.seq FROM task t WHERE t.state = 'queued' AND t.updated < $1 AND NOT EXISTS (SELECT 1 FROM Jobs j \
             WHERE j.job_type IN ($2, $3) AND j.idempotency_key = lower(substr(hex(t.id), 1, 8) || '-' || \
             substr(hex(t.id), 9, 4) || '-' || substr(hex(t.id), 13, 4) || '-' || substr(hex(t.id), 17, 4) || '-' || \
             substr(hex(t.id), 21)) || ':' || t.dispatch_no AND j.status IN ('Pending', 'Queued', 'Running'))"
        };
        let before =
            Timestamp::from_micros(self.now_micros()).plus_seconds(-DELIVERY_PATIENCE_SECS).as_micros();
        let [sync, short] = JobQueue::ALL.map(JobQueue::as_str);
        let values: Vec<sea_orm::Value> = if self.is_postgres() {
            vec![before.into(), sea_orm::Value::from(vec![sync.to_owned(), short.to_owned()])]
        } else {
            vec![before.into(), sync.into(), short.into()]
        };
        let statement = Statement::from_sql_and_values(self.inner.get_database_backend(), sql, values);
        for row in self.inner.query_all_raw(statement).await? {
            self.set_waiting(row.try_get("", "seq").map_err(StorageError::from)?).await?;
        }
        Ok(())
    }

    /// Workers that nobody will ask for again.
    async fn forget_dead_workers(&self) -> Result<()> {
        let postgres = self.is_postgres();
        Entity::delete_many()
            .filter(
                Expr::col(Column::LastSeen).lt(database_now(postgres).sub(FORGET_WORKERS_SECS * 1_000_000)),
            )
            .exec(&self.inner)
            .await?;
        // apalis never forgets its own, of which each start makes some.
        let sql = if postgres {
            "DELETE FROM apalis.workers w WHERE w.last_seen < now() - $1 * interval '1 second' \
             AND NOT EXISTS (SELECT 1 FROM apalis.jobs j WHERE j.lock_by = w.id)"
        } else {
            "DELETE FROM Workers WHERE last_seen < unixepoch('now') - $1 \
             AND NOT EXISTS (SELECT 1 FROM Jobs j WHERE j.lock_by = Workers.id)"
        };
        let statement = Statement::from_sql_and_values(
            self.inner.get_database_backend(),
            sql,
            [FORGET_WORKERS_SECS.into()],
        );
        self.inner.execute_raw(statement).await?;
        Ok(())
    }
}
