//! Accepting tasks, and giving those to apalis whose resources are free.

use registry::task::{TaskState, Work};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, Statement};
use uuid::Uuid;

use super::{Job, JobQueue};
use crate::NewTask;
use crate::catalog::{Tx, labels};
use crate::entity::{task, task_resource};
use crate::error::Result;
use crate::fail_point;

/// `pg_advisory_xact_lock` key of everything that moves tasks: "dispatch" in ASCII.
const DISPATCH_LOCK: i64 = 0x6469_7370_6174_6368;
/// Most tasks that one pass dispatches; the next pass takes the rest.
const DISPATCH_BATCH: i64 = 256;

/// Waiting tasks whose time has come and that no earlier, unfinished task keeps from a resource.
const ELIGIBLE: &str = "SELECT t.seq, t.id, t.dispatch_no, t.work, t.unblocked_at FROM task t \
     WHERE t.state = 'waiting' AND t.not_before <= $1 AND ($2 = 0 OR t.seq = $2) AND NOT EXISTS (\
       SELECT 1 FROM task_resource mine JOIN task_resource other \
         ON other.resource = mine.resource AND other.held AND other.task_seq < mine.task_seq \
       WHERE mine.task_seq = t.seq AND (mine.exclusive OR other.exclusive)) \
     ORDER BY t.seq LIMIT $3";

impl Tx {
    /// Accepts a task: its row, its locks and, when its resources are free, its job, all in this transaction.
    pub async fn submit(&mut self, new: NewTask) -> Result<Uuid> {
        self.lock_dispatch().await?;
        let (id, now) = (Uuid::now_v7(), self.now_micros());
        let row = task::ActiveModel {
            id: Set(id),
            name: Set(new.work.task_name().to_owned()),
            state: Set(TaskState::Waiting.as_str().to_owned()),
            work: Set(labels::write(&new.work)),
            logging_cid: Set(new.correlation_id),
            created_by: Set(new.created_by),
            dedupe_key: Set(None),
            dispatch_no: Set(0),
            worker_id: Set(None),
            attempt: Set(0),
            failures: Set(0),
            not_before: Set(now),
            error: Set(None),
            progress: Set(serde_json::json!([])),
            result: Set(None),
            created: Set(now),
            updated: Set(now),
            unblocked_at: Set(None),
            started_at: Set(None),
            finished_at: Set(None),
            ..Default::default()
        };
        let seq = row.insert(&self.inner).await?.seq;
        fail_point!("submit.inserted");
        let mut reservations = new.reservations;
        // Reserving the same thing twice means reserving it the stronger way.
        reservations.sort_by(|one, other| {
            one.resource.cmp(&other.resource).then(other.exclusive.cmp(&one.exclusive))
        });
        reservations.dedup_by(|one, other| one.resource == other.resource);
        let rows = reservations.into_iter().map(|reservation| task_resource::ActiveModel {
            task_seq: Set(seq),
            resource: Set(reservation.resource),
            exclusive: Set(reservation.exclusive),
            held: Set(true),
        });
        task_resource::Entity::insert_many(rows).exec_without_returning(&self.inner).await?;
        fail_point!("submit.reserved");
        self.dispatch_eligible(Some(seq)).await?;
        Ok(id)
    }

    /// Serialises everything that moves tasks.
    pub(super) async fn lock_dispatch(&self) -> Result<()> {
        self.lock(DISPATCH_LOCK).await
    }

    /// Gives every task to apalis that can run now, or only the one that is named.
    pub(super) async fn dispatch_eligible(&mut self, only: Option<i64>) -> Result<usize> {
        let backend = self.inner.get_database_backend();
        let values = [self.now_micros().into(), only.unwrap_or(0).into(), DISPATCH_BATCH.into()];
        let rows =
            self.inner.query_all_raw(Statement::from_sql_and_values(backend, ELIGIBLE, values)).await?;
        let count = rows.len();
        for row in rows {
            let (seq, id): (i64, Uuid) = (row.try_get("", "seq")?, row.try_get("", "id")?);
            let dispatch_no = row.try_get::<i64>("", "dispatch_no")? + 1;
            let unblocked: Option<i64> = row.try_get("", "unblocked_at")?;
            let work: Work = labels::read("work", row.try_get("", "work")?)?;
            let queued = task::ActiveModel {
                seq: Set(seq),
                state: Set("queued".to_owned()),
                dispatch_no: Set(dispatch_no),
                unblocked_at: Set(unblocked.or(Some(self.now_micros()))),
                updated: Set(self.now_micros()),
                ..Default::default()
            };
            queued.update(&self.inner).await?;
            fail_point!("dispatch.queued");
            self.enqueue_job(queue_of(&work), &Job { task: id, dispatch_no }).await?;
            fail_point!("dispatch.enqueued");
        }
        Ok(count)
    }
}

fn queue_of(work: &Work) -> JobQueue {
    match work {
        Work::SyncRepository { .. } => JobQueue::Sync,
        Work::CreateDistribution { .. }
        | Work::UpdateResource { .. }
        | Work::DeleteResource { .. }
        | Work::DeleteVersion { .. } => JobQueue::Short,
    }
}
