//! A worker: takes jobs from apalis, keeps its lease, and hands its tasks back when it is asked to end.

use std::sync::Arc;
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{BoxDynError, ParallelizeExt, WorkerBuilder, WorkerError as ApalisError};
use futures::FutureExt;
use futures::future::BoxFuture;
use storage::queue::{Job, JobBackend, JobQueue};
use storage::{BlobStore, Catalog, fail_point};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::execute::Executor;
use crate::lease::{self, Lease};
use crate::running::Running;
use crate::scheduler::fire_schedules;
use crate::stop::StopReason;
use crate::{WorkerConfig, WorkerError, task_log};
use crate::{old_uploads, retention, stale_uploads};
use registry::chain;

/// How long the last lines of logs may take to be written at the shutdown.
const LOG_PATIENCE: Duration = Duration::from_secs(2);

/// Runs tasks until `shutdown` is canceled; then takes no more, lets the running ones go on for a moment, hands
/// back what is left, and returns.
pub async fn run(
    catalog: Catalog,
    blobs: BlobStore,
    config: WorkerConfig,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let config = WorkerConfig { lease: config.lease.min(catalog.lease()), ..config };
    let name = format!("{}-{}", config.name, Uuid::now_v7().simple());
    let lease = Lease::register(catalog.clone(), &name).await.map_err(WorkerError::Register)?;
    let (lease, running) = (Arc::new(lease), Arc::new(Running::default()));
    tracing::info!(worker.id = %lease.worker(), worker.name = name, "worker started");

    let mut background = JoinSet::new();
    background.spawn(lease::hold(Arc::clone(&lease), config.clone(), Arc::clone(&running)));
    let period = config.reconcile;
    background.spawn({
        let catalog = catalog.clone();
        async move { lease::reconcile(&catalog, period).await }
    });
    background.spawn({
        let catalog = catalog.clone();
        async move { catalog.listen_for_jobs().await }
    });
    background.spawn(fire_schedules(catalog.clone(), shutdown.clone()));

    background.spawn(retention::keep(catalog.clone(), config.task_retention));
    background.spawn(stale_uploads::remove(catalog.clone(), blobs.clone(), config.upload_expiry));
    background.spawn(old_uploads::remove(catalog.clone(), blobs.clone(), config.upload_expiry));

    let (log_writer, log_stop) = (Uuid::now_v7(), CancellationToken::new());
    let writing = task_log::write(config.logs.clone(), catalog.clone(), log_writer, log_stop.clone());
    let writing = tokio::spawn(writing);

    let executor = Arc::new(Executor {
        catalog: catalog.clone(),
        blobs,
        config: config.clone(),
        lease: Arc::clone(&lease),
        running: Arc::clone(&running),
        shutdown: shutdown.clone(),
        log_writer,
    });
    let mut queues = JoinSet::new();
    for queue in JobQueue::ALL {
        queues.spawn(serve(Arc::clone(&executor), queue, name.clone()));
    }
    while queues.join_next().await.is_some() {}
    if let Err(error) = catalog.give_back_jobs(&name).await {
        tracing::warn!(error = chain(&error), "jobs could not be given back; others get them a little later");
    }
    drain(&running, &config).await;
    log_stop.cancel();
    if tokio::time::timeout(LOG_PATIENCE, writing).await.is_err() {
        tracing::warn!("the logs of the last tasks could not be written");
    }
    if running.count() == 0
        && let Err(error) = lease.end().await
    {
        tracing::warn!(error = chain(&error), "the worker could not be unregistered");
    }
    background.shutdown().await;
    tracing::info!(worker.name = name, "worker stopped");
    Ok(())
}

/// Waits for the running tasks for the grace period, then hands them back. The lease is kept meanwhile, so that
/// nobody takes them while they still run.
async fn drain(running: &Running, config: &WorkerConfig) {
    tracing::info!(running = running.count(), "worker takes no more tasks");
    let all_ended = async || {
        while running.count() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(config.grace, all_ended()).await.is_ok() {
        return;
    }
    running.stop_all(StopReason::Drain);
    if tokio::time::timeout(config.lease, all_ended()).await.is_err() {
        tracing::error!(
            running = running.count(),
            "tasks could not be handed back; their lease will run out"
        );
    }
}

/// Serves one queue until the shutdown, and starts over after a pause whenever apalis gives up.
///
/// At the shutdown apalis is dropped, not asked to end: it would no longer poll its backend while tasks run, and a
/// query that it has begun would hold the database's only writing connection until they end, which they could not
/// without it. The tasks themselves live on, and [`drain`] sees to them.
async fn serve(executor: Arc<Executor>, queue: JobQueue, name: String) {
    let shutdown = executor.shutdown.clone();
    let mut start = 0_u64;
    while !shutdown.is_cancelled() {
        // apalis refuses a name that it has seen not long ago.
        let name = format!("{name}-{}-{start}", queue.as_str());
        start += 1;
        // A task of its own: a panic inside apalis must not end the worker.
        let mut apalis = JoinSet::new();
        apalis.spawn(run_apalis(Arc::clone(&executor), queue, name));
        tokio::select! {
            Some(ended) = apalis.join_next() => match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(error = chain(&error), "the queue was interrupted"),
                Err(error) => tracing::error!(%error, "the queue broke down"),
            },
            () = shutdown.cancelled() => {
                apalis.shutdown().await;
                return;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(executor.config.restart_pause) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// The two kinds of backend have no common type that apalis would take.
macro_rules! worker_over {
    ($backend:ident, $name:ident, $executor:ident, $concurrency:ident) => {{
        let handler = move |job: Job| {
            let executor = Arc::clone(&$executor);
            async move {
                executor.execute(job).await;
                fail_point!("job.executed");
                Ok::<(), BoxDynError>(())
            }
        };
        WorkerBuilder::new($name)
            .backend($backend)
            .concurrency($concurrency)
            .parallelize(tokio::spawn)
            .build(handler)
            .run()
            .boxed()
    }};
}

fn run_apalis(
    executor: Arc<Executor>,
    queue: JobQueue,
    name: String,
) -> BoxFuture<'static, Result<(), ApalisError>> {
    // A sync in hand could wait for long while another worker is idle; short tasks come by the hundred.
    let (concurrency, at_once) = match queue {
        JobQueue::Sync => (executor.config.concurrency, 1),
        JobQueue::Short => (executor.config.short_concurrency, executor.config.short_concurrency),
    };
    match executor.catalog.job_backend(queue, at_once) {
        JobBackend::Sqlite(backend) => worker_over!(backend, name, executor, concurrency),
        JobBackend::Postgres(backend) => worker_over!(backend, name, executor, concurrency),
    }
}
