//! The one place that writes apalis's table: its own statement, in our transaction.
//!
//! apalis 1.0 pushes on a connection of its own, which could neither be rolled back with the request nor wait for its
//! commit. The columns are those of the pinned release; a contract test guards them.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{Job, JobQueue};
use crate::catalog::Tx;
use crate::error::Result;

/// apalis never retries by itself: retries are the task's.
const MAX_ATTEMPTS: i32 = 1;

const INSERT_SQLITE: &str = "INSERT INTO Jobs (job, id, job_type, status, attempts, max_attempts, run_at, priority, metadata, \
     idempotency_key) VALUES (?, ?, ?, 'Pending', 0, ?, strftime('%s', 'now'), 0, '{}', ?)";
const INSERT_POSTGRES: &str = "INSERT INTO apalis.jobs (job, id, job_type, status, attempts, max_attempts, run_at, priority, \
     metadata, idempotency_key) VALUES ($1, $2, $3, 'Pending', 0, $4, now(), 0, ''::hstore, $5)";

const DELETE_SQLITE: &str = "DELETE FROM Jobs WHERE idempotency_key = ? AND job_type IN (?, ?)";
const DELETE_POSTGRES: &str = "DELETE FROM apalis.jobs WHERE idempotency_key = $1 AND job_type IN ($2, $3)";

impl Tx {
    pub(super) async fn enqueue_job(&mut self, queue: &str, job: &Job) -> Result<()> {
        let payload = serde_json::to_vec(job).expect("an id and a number can be written");
        let backend = self.inner.get_database_backend();
        let sql = if backend == DbBackend::Postgres { INSERT_POSTGRES } else { INSERT_SQLITE };
        let values = [
            payload.into(),
            new_ulid().into(),
            queue.into(),
            MAX_ATTEMPTS.into(),
            job.idempotency_key().into(),
        ];
        self.inner.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        let queue = JobQueue::named(queue).filter(|queue| !self.dispatched.contains(queue));
        self.dispatched.extend(queue);
        Ok(())
    }
}

impl Tx {
    /// Takes a job away from apalis, whether it was delivered or not.
    pub(super) async fn delete_job(&self, job: &Job) -> Result<()> {
        let backend = self.inner.get_database_backend();
        let sql = if backend == DbBackend::Postgres { DELETE_POSTGRES } else { DELETE_SQLITE };
        let [long, short] = JobQueue::ALL.map(|queue| queue.as_str().into());
        let values = [job.idempotency_key().into(), long, short];
        self.inner.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(())
    }
}

impl Job {
    /// Finds the job's row again.
    pub(super) fn idempotency_key(&self) -> String {
        format!("{}:{}", self.task, self.dispatch_no)
    }
}

/// apalis's ids are ULIDs: the 128 bits of a UUIDv7 (milliseconds, then randomness) in Crockford's base 32.
fn new_ulid() -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bits = uuid::Uuid::now_v7().as_u128();
    (0..26).rev().map(|digit| char::from(DIGITS[(bits >> (digit * 5) & 31) as usize])).collect()
}
