//! A worker: takes jobs from apalis, keeps its lease, and hands its tasks back when it is asked to end.

use std::sync::Arc;
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{BoxDynError, ParallelizeExt, WorkerBuilder, WorkerError as ApalisError};
use futures::FutureExt;
use futures::future::BoxFuture;
use storage::queue::{Job, JobBackend, JobQueue};
use storage::{BlobStore, Catalog};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::chain;
use crate::execute::Executor;
use crate::lease::{self, Lease};
use crate::running::Running;
use crate::stop::StopReason;
use crate::{WorkerConfig, WorkerError};

/// Runs tasks until `shutdown` is canceled; then takes no more, lets the running ones go on for a moment, hands
/// back what is left, and returns.
pub async fn run(
    catalog: Catalog,
    blobs: BlobStore,
    config: WorkerConfig,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
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

    let executor = Arc::new(Executor {
        catalog: catalog.clone(),
        blobs,
        config: config.clone(),
        lease: Arc::clone(&lease),
        running: Arc::clone(&running),
    });
    let mut queues = JoinSet::new();
    for queue in JobQueue::ALL {
        queues.spawn(serve(Arc::clone(&executor), queue, name.clone(), shutdown.clone()));
    }
    shutdown.cancelled().await;
    drain(&mut queues, &running, &config).await;
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
async fn drain(queues: &mut JoinSet<()>, running: &Running, config: &WorkerConfig) {
    tracing::info!(running = running.count(), "worker takes no more tasks");
    let all_ended = async |queues: &mut JoinSet<()>| {
        while queues.join_next().await.is_some() {}
        // Tasks outlive the apalis worker that took them, if that one broke down.
        while running.count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(config.grace, all_ended(queues)).await.is_ok() {
        return;
    }
    running.stop_all(StopReason::Drain);
    if tokio::time::timeout(config.lease, all_ended(queues)).await.is_err() {
        tracing::error!(
            running = running.count(),
            "tasks could not be handed back; their lease will run out"
        );
    }
    queues.shutdown().await;
}

/// Serves one queue until the shutdown, and starts over after a pause whenever apalis gives up.
async fn serve(executor: Arc<Executor>, queue: JobQueue, name: String, shutdown: CancellationToken) {
    let config = &executor.config;
    let concurrency = match queue {
        JobQueue::Sync => config.concurrency,
        JobQueue::Short => config.short_concurrency,
    };
    let mut start = 0_u64;
    while !shutdown.is_cancelled() {
        // apalis refuses a name that it has seen not long ago.
        let name = format!("{name}-{}-{start}", queue.as_str());
        start += 1;
        let serving =
            Serving { executor: Arc::clone(&executor), name, concurrency, shutdown: shutdown.clone() };
        // A task of its own: a panic inside apalis must not end the worker.
        let backend = executor.catalog.job_backend(queue);
        match tokio::spawn(serving.until_shutdown(backend)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "the queue was interrupted"),
            Err(error) => tracing::error!(%error, "the queue broke down"),
        }
        pause(config.restart_pause, &shutdown).await;
    }
}

async fn pause(pause: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = shutdown.cancelled() => {}
    }
}

struct Serving {
    executor: Arc<Executor>,
    name: String,
    concurrency: usize,
    shutdown: CancellationToken,
}

/// The two kinds of backend have no common type that apalis would take.
macro_rules! run_apalis {
    ($serving:ident, $backend:ident) => {{
        let Serving { executor, name, concurrency, shutdown } = $serving;
        let handler = move |job: Job| {
            let executor = Arc::clone(&executor);
            async move {
                executor.execute(job).await;
                Ok::<(), BoxDynError>(())
            }
        };
        let worker = WorkerBuilder::new(name)
            .backend($backend)
            .concurrency(concurrency)
            .parallelize(tokio::spawn)
            .build(handler);
        let signal = async move {
            shutdown.cancelled().await;
            Ok::<(), ApalisError>(())
        };
        worker.run_until(signal).boxed()
    }};
}

impl Serving {
    fn until_shutdown(self, backend: JobBackend) -> BoxFuture<'static, Result<(), ApalisError>> {
        let serving = self;
        match backend {
            JobBackend::Sqlite(backend) => run_apalis!(serving, backend),
            JobBackend::Postgres(backend) => run_apalis!(serving, backend),
        }
    }
}
