//! One task, from its delivery to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use registry::task::{TaskError, Work};
use storage::queue::Job;
use storage::{BlobStore, Catalog, Fence, Outcome, StorageError, Task};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::jobs::delete_pushed::Pushed;
use crate::jobs::{self, JobContext};
use crate::lease::Lease;
use crate::reports::Reports;
use crate::running::{Entered, Running};
use crate::stop::StopReason;
use crate::{JobError, WorkerConfig, backoff};
use registry::{TraceParent, chain};

/// The span of a job: what is logged in it belongs to its task.
pub(crate) const JOB_SPAN: &str = "job";

/// How long a task that only later releases know is left alone after this one gave it back.
const LEAVE_TO_OTHERS: Duration = Duration::from_secs(2);

/// What the tasks of one worker share.
pub(crate) struct Executor {
    pub(crate) catalog: Catalog,
    pub(crate) blobs: BlobStore,
    pub(crate) config: WorkerConfig,
    pub(crate) lease: Arc<Lease>,
    pub(crate) running: Arc<Running>,
    pub(crate) shutdown: CancellationToken,
    /// By which the logs of this worker's tasks are told from those of others.
    pub(crate) log_writer: Uuid,
}

impl Executor {
    /// Claims a delivered task and runs it. apalis is told that all went well, whatever happened: the task's row has
    /// the outcome, and a delivery that nobody claimed is repeated by the reconciliation.
    pub(crate) async fn execute(&self, job: Job) {
        // Listed before it is claimed, so that a shutdown that begins meanwhile finds it.
        let entered = self.running.enter(job.task);
        if self.shutdown.is_cancelled() {
            entered.stop().trip(StopReason::Drain);
        }
        let fence = Fence { task: job.task, dispatch_no: job.dispatch_no, worker: self.lease.worker() };
        match self.catalog.claim_task(fence.worker, fence.task, fence.dispatch_no).await {
            Ok(Some((task, fence))) => {
                let span = tracing::info_span!(
                    JOB_SPAN,
                    task.id = %task.id,
                    task.name = task.name,
                    task.dispatch_no = fence.dispatch_no,
                    correlation_id = task.logging_cid,
                    trace_id = task.trace_parent.as_ref().map(TraceParent::trace_id),
                );
                let id = task.id;
                self.config.logs.begin(id, self.log_writer, self.count_log_lines(&task).await);
                self.run(task, fence, &entered).instrument(span).await;
                self.config.logs.end(id);
            }
            Ok(None) => tracing::debug!(task.id = %job.task, "a stale delivery was ignored"),
            Err(error) => {
                tracing::warn!(task.id = %job.task, error = chain(&error), "a task could not be claimed");
                // The claim may have been committed although its answer was lost: then it is handed back.
                self.settle(&fence, Settlement::Release(Duration::ZERO)).await;
                self.forget(&job).await;
            }
        }
    }

    /// What earlier attempts left counts too. A log that cannot be counted is no reason not to run the task.
    async fn count_log_lines(&self, task: &Task) -> u64 {
        if task.attempt <= 1 {
            return 0;
        }
        self.catalog.count_task_log(task.id).await.unwrap_or_default()
    }

    async fn run(&self, task: Task, fence: Fence, entered: &Entered) {
        let started = Instant::now();
        let context = JobContext {
            catalog: self.catalog.clone(),
            blobs: self.blobs.clone(),
            fence,
            reports: Reports::new(self.catalog.clone(), fence),
            created_by: task.created_by,
            correlation_id: task.logging_cid.clone(),
            trace_parent: task.trace_parent.clone(),
            group: task.group,
            metrics: self.config.metrics.clone(),
        };
        tracing::info!(attempt = task.attempt, "task started");
        // Should both be ready, the fence settles it.
        let ended = tokio::select! {
            biased;
            reason = entered.stop().tripped() => Ended::Stopped(reason),
            result = AssertUnwindSafe(perform(&context, task.work.clone())).catch_unwind() => {
                Ended::Finished(result.unwrap_or(Err(JobError::Panicked)))
            }
        };
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &ended {
            Ended::Finished(Ok(())) => tracing::info!(duration_ms, "task completed"),
            Ended::Finished(Err(error)) => {
                tracing::warn!(duration_ms, code = error.code(), error = chain(error), "task failed");
            }
            Ended::Stopped(reason) => tracing::info!(duration_ms, ?reason, "task stopped"),
        }
        if let Some(settlement) = self.settlement(&task, ended) {
            self.settle(&fence, settlement).await;
        }
    }

    /// What still has to be told to the catalog.
    fn settlement(&self, task: &Task, ended: Ended) -> Option<Settlement> {
        match ended {
            Ended::Finished(Ok(())) | Ended::Stopped(StopReason::LeaseLost) => None,
            Ended::Finished(Err(error)) if error.is_fenced() => None,
            Ended::Finished(Err(JobError::LaterRelease)) => Some(Settlement::Release(LEAVE_TO_OTHERS)),
            Ended::Finished(Err(error)) => {
                let failures = u32::try_from(task.failures).unwrap_or_default() + 1;
                if error.is_transient() && failures < self.config.max_attempts {
                    let delay = backoff::delay(self.config.retry_base, failures);
                    let delay = delay.max(error.retry_after().unwrap_or_default());
                    tracing::info!(
                        failures,
                        delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
                        "task will be tried again"
                    );
                    Some(Settlement::Retry(delay, error.to_task_error()))
                } else {
                    Some(Settlement::Finish(Outcome::Failed(error.to_task_error())))
                }
            }
            Ended::Stopped(StopReason::Canceled) => Some(Settlement::Finish(Outcome::Canceled)),
            Ended::Stopped(StopReason::Drain) => Some(Settlement::Release(Duration::ZERO)),
        }
    }

    /// Gives up a delivery; tells the catalog until it has understood, as [`Executor::settle`] does.
    async fn forget(&self, job: &Job) {
        while let Err(error) = self.catalog.forget_delivery(job).await {
            tracing::error!(error = chain(&error), "a delivery could not be given up yet");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Tells the catalog until it has understood: a task that ended here and nowhere else would never end.
    async fn settle(&self, fence: &Fence, settlement: Settlement) {
        let mut pause = Duration::from_millis(100);
        loop {
            let told = match settlement.clone() {
                Settlement::Finish(outcome) => finish(&self.catalog, fence, outcome).await,
                Settlement::Retry(delay, error) => self.catalog.retry_task(fence, delay, error).await,
                Settlement::Release(delay) => self.catalog.release_task(fence, delay).await,
            };
            match told {
                Ok(()) | Err(StorageError::Fenced) => return,
                Err(error) => {
                    tracing::error!(error = chain(&error), "the end of a task could not be written yet");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
}

enum Ended {
    Finished(Result<(), JobError>),
    Stopped(StopReason),
}

#[derive(Clone)]
enum Settlement {
    Finish(Outcome),
    Retry(Duration, TaskError),
    Release(Duration),
}

async fn finish(catalog: &Catalog, fence: &Fence, outcome: Outcome) -> Result<(), StorageError> {
    let mut tx = catalog.begin().await?;
    tx.finish_task(fence, outcome).await?;
    tx.commit().await
}

/// Runs the job that the task is about. A job that returns `Ok` has ended its task in its own last transaction.
async fn perform(context: &JobContext, work: Work) -> Result<(), JobError> {
    match work {
        Work::SyncRepository { repository, remote, mirror } => {
            jobs::sync_repository::perform(context, repository, remote, mirror).await
        }
        Work::CreateDistribution { distribution, fields } => {
            jobs::create_distribution::perform(context, distribution, &fields).await
        }
        Work::UpdateResource { kind, id, fields } => {
            jobs::update_resource::perform(context, kind, id, &fields).await
        }
        Work::DeleteResource { kind, id } => jobs::delete_resource::perform(context, kind, id).await,
        Work::DeleteVersion { repository, number } => {
            jobs::delete_version::perform(context, repository, number).await
        }
        Work::ModifyContent { repository, base_version, change } => {
            jobs::modify_content::perform(context, repository, base_version, &change).await
        }
        Work::CommitUpload { upload, digest } => jobs::commit_upload::perform(context, upload, &digest).await,
        Work::PushManifest { repository, digest, tag } => {
            jobs::push_manifest::perform(context, repository, &digest, tag.as_ref()).await
        }
        Work::DeleteTag { repository, tag } => {
            jobs::delete_pushed::perform(context, repository, &Pushed::Tag(tag)).await
        }
        Work::DeleteManifest { repository, digest } => {
            jobs::delete_pushed::perform(context, repository, &Pushed::Manifest(digest)).await
        }
        Work::DeleteBlob { repository, digest } => {
            jobs::delete_pushed::perform(context, repository, &Pushed::Blob(digest)).await
        }
        Work::SyncRepositories { repositories, mirror } => {
            jobs::sync_repositories::perform(context, &repositories, mirror).await
        }
        Work::PurgeTasks { finished_before, states } => {
            jobs::purge_tasks::perform(context, finished_before, &states).await
        }
        Work::CleanUpOrphans { protection_minutes, only, dry_run } => {
            jobs::clean_up_orphans::perform(context, protection_minutes, &only, dry_run).await
        }
        Work::Repair { version, verify_checksums } => {
            jobs::repair::perform(context, version, verify_checksums).await
        }
        Work::Unknown => Err(JobError::LaterRelease),
    }
}
