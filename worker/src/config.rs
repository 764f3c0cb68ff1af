//! How a worker behaves.

use std::time::Duration;

use crate::{SyncMetrics, TaskLogs};

/// How a worker behaves. The default suits one machine.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// What the worker is called in the API; something unique is put behind it.
    pub name: String,
    /// How many syncs run at a time.
    pub concurrency: usize,
    /// How many short tasks (create, update, delete) run at a time.
    pub short_concurrency: usize,
    /// How long a worker may be silent before it gives its tasks up; [`storage::Catalog::lease`] at most.
    pub lease: Duration,
    /// How often it shows that it lives, and looks for tasks that were asked to end.
    pub heartbeat: Duration,
    /// How often it looks for tasks that nobody runs although somebody should.
    pub reconcile: Duration,
    /// How long running tasks may go on after the shutdown was asked for, before they are handed back.
    pub grace: Duration,
    /// How long to wait before the queue is asked again after it failed.
    pub restart_pause: Duration,
    /// How often a task is tried when its cause of failure may pass by itself.
    pub max_attempts: u32,
    /// How long tasks are kept after they ended; for ever when absent.
    pub task_retention: Option<Duration>,
    /// How long uploads are kept that nobody goes on with, and pushed blobs that no manifest names.
    pub upload_expiry: Duration,
    /// The wait before the second attempt; it doubles with each further one.
    pub retry_base: Duration,
    /// Counts what syncs take from upstreams.
    pub metrics: SyncMetrics,
    /// Where what its tasks log arrives, if its layer is part of the program's log.
    pub logs: TaskLogs,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            name: "worker".to_owned(),
            concurrency: 4,
            short_concurrency: 8,
            lease: Duration::MAX,
            heartbeat: Duration::from_secs(1),
            reconcile: Duration::from_secs(2),
            grace: Duration::from_secs(2),
            restart_pause: Duration::from_secs(1),
            max_attempts: 3,
            task_retention: None,
            upload_expiry: Duration::from_hours(24),
            retry_base: Duration::from_secs(5),
            metrics: SyncMetrics::default(),
            logs: TaskLogs::default(),
        }
    }
}
