//! apalis's storage, and when it looks for jobs.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::backend::ext::BackendExt;
use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy, PollWith};
use apalis_postgres::PostgresStorage;
use apalis_sqlite::SqliteStorage;
use futures::FutureExt;
use registry::task::Work;
use sea_orm::{ConnectionTrait, Statement};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgListener;
use tokio::time::{Interval, MissedTickBehavior, Sleep};
use uuid::Uuid;

use super::signals::Doorbell;
use crate::catalog::{Catalog, Pool, Tx};
use crate::error::Result;

/// The channel that apalis's trigger notifies on every insert.
const INSERT_CHANNEL: &str = "apalis::job::insert";
/// The channel that tells other processes that running tasks were asked to end.
const CANCEL_CHANNEL: &str = "entrepot.cancel";
/// How often workers look without having been woken: a wake-up that was lost costs no more than this.
const FALLBACK: Duration = Duration::from_secs(1);
/// apalis fetches once for each wake-up. A second look shortly after catches what a burst left behind.
const SECOND_LOOK: Duration = Duration::from_millis(25);
/// Pause before listening again when PostgreSQL was away.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// What apalis delivers. Everything of weight is in the task's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The task.
    pub task: Uuid,
    /// Which dispatch of the task this job belongs to.
    pub dispatch_no: i64,
}

/// Short tasks don't wait behind long ones: each kind has its own queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobQueue {
    /// Syncs, and what else takes minutes.
    Sync,
    /// Everything else: milliseconds.
    Short,
}

impl JobQueue {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sync, Self::Short];

    /// The queue of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == name)
    }

    /// The queue of a kind of work.
    pub(super) const fn of(work: &Work) -> Self {
        match work {
            Work::SyncRepository { .. }
            | Work::PurgeTasks { .. }
            | Work::CleanUpOrphans { .. }
            | Work::Repair { .. } => Self::Sync,
            Work::CreateDistribution { .. }
            | Work::SyncRepositories { .. }
            | Work::UpdateResource { .. }
            | Work::DeleteResource { .. }
            | Work::DeleteVersion { .. }
            | Work::ModifyContent { .. }
            | Work::CommitUpload { .. }
            | Work::PushManifest { .. }
            | Work::DeleteTag { .. }
            | Work::DeleteManifest { .. }
            | Work::DeleteBlob { .. }
            | Work::Unknown => Self::Short,
        }
    }

    /// The name in apalis's table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "entrepot.sync",
            Self::Short => "entrepot.short",
        }
    }
}

/// Where workers get their jobs from.
#[expect(missing_debug_implementations, reason = "apalis's storage for PostgreSQL has none")]
pub enum JobBackend {
    /// From SQLite.
    Sqlite(PollWith<SqliteStorage<Job>, WakeStrategy>),
    /// From PostgreSQL.
    Postgres(PollWith<PostgresStorage<Job>, WakeStrategy>),
}

impl Catalog {
    /// A source of jobs for one apalis worker, which fetches at most `at_once` of them: no more than it can run, since
    /// what it keeps in hand nobody else gets.
    ///
    /// apalis neither locks nor acknowledges a job, which would cost a transaction each: the claim takes the job's row
    /// away together with the task.
    pub fn job_backend(&self, queue: JobQueue, at_once: usize) -> JobBackend {
        let strategy = WakeStrategy::new(self.0.signals.doorbell(queue));
        match &self.0.pool {
            Pool::Sqlite(pool) => {
                let config = apalis_sqlite::Config::default()
                    .queue(queue.as_str())
                    .batch_size(at_once)
                    .lock_tasks(false)
                    .persist_results(false)
                    .heartbeat_interval(Duration::from_secs(5))
                    .missed_heartbeats(3);
                JobBackend::Sqlite(SqliteStorage::new(pool).with_config(config).poll_with_strategy(strategy))
            }
            Pool::Postgres(pool) => {
                let config = apalis_postgres::Config::default()
                    .queue(queue.as_str())
                    .batch_size(at_once)
                    .lock_tasks(false)
                    .persist_results(false)
                    .heartbeat_interval(Duration::from_secs(5))
                    .missed_heartbeats(3);
                JobBackend::Postgres(
                    PostgresStorage::new(pool).with_config(config).poll_with_strategy(strategy),
                )
            }
        }
    }

    /// Wakes this process's workers for jobs that other processes enqueue, and for tasks that those ask to end; runs
    /// until it is dropped. On SQLite there are no others, and it only waits.
    pub async fn listen_for_jobs(&self) {
        let Pool::Postgres(pool) = &self.0.pool else { return std::future::pending().await };
        loop {
            let outcome = async {
                let mut listener = PgListener::connect_with(pool).await?;
                listener.listen_all([INSERT_CHANNEL, CANCEL_CHANNEL]).await?;
                loop {
                    let heard = listener.recv().await?;
                    match heard.channel() {
                        CANCEL_CHANNEL => self.0.signals.cancel_asked(),
                        _ => {
                            for queue in queues_in(heard.payload()) {
                                self.0.signals.ring(queue);
                            }
                        }
                    }
                }
            }
            .await;
            let Err::<std::convert::Infallible, sqlx::Error>(error) = outcome;
            tracing::warn!(%error, "listening for jobs was interrupted; workers look by themselves meanwhile");
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }
}

/// The queues that a notification of apalis's trigger is about: it names one.
fn queues_in(payload: &str) -> impl Iterator<Item = JobQueue> {
    JobQueue::ALL.into_iter().filter(move |queue| payload.contains(queue.as_str()))
}

impl Tx {
    /// Lets the workers look, once this is committed, which of their tasks were asked to end.
    pub(super) async fn announce_cancel(&mut self) -> Result<()> {
        self.canceling = true;
        if self.is_postgres() {
            let backend = self.inner.get_database_backend();
            let sql = "SELECT pg_notify($1, '')";
            self.inner
                .execute_raw(Statement::from_sql_and_values(backend, sql, [CANCEL_CHANNEL.into()]))
                .await?;
        }
        Ok(())
    }
}

/// Looks when the doorbell rang, once more a little later, and now and then anyway.
#[derive(Debug)]
pub struct WakeStrategy {
    doorbell: Arc<Doorbell>,
    heard: u64,
    second_look: Option<Pin<Box<Sleep>>>,
    fallback: Option<Interval>,
}

impl WakeStrategy {
    fn new(doorbell: Arc<Doorbell>) -> Self {
        Self { doorbell, heard: 0, second_look: None, fallback: None }
    }
}

impl PollStrategy for WakeStrategy {
    /// Registers the waker with every source, whatever the others say: apalis polls its queue after each call.
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut outcome = Poll::Pending;
        let rings = self.doorbell.listen(cx.waker());
        if rings != self.heard {
            self.heard = rings;
            self.second_look = Some(Box::pin(tokio::time::sleep(SECOND_LOOK)));
            outcome = Poll::Ready(Some(()));
        }
        if let Some(sleep) = &mut self.second_look
            && sleep.poll_unpin(cx).is_ready()
        {
            self.second_look = None;
            outcome = Poll::Ready(Some(()));
        }
        let fallback = self.fallback.get_or_insert_with(|| {
            let mut interval = tokio::time::interval(FALLBACK);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        while fallback.poll_tick(cx).is_ready() {
            outcome = Poll::Ready(Some(()));
        }
        outcome
    }
}
