//! Runs tasks: takes them from the queue, drives syncs, publishes versions.
//!
//! [`run`] is a worker: it claims tasks that the queue delivers, keeps its lease, and hands back what it cannot
//! finish. What a task does is in `jobs`, one file a job. The rules of a task's life are the catalog's; this crate
//! knows no SQL, no HTTP and no API.

mod backoff;
mod config;
mod error;
mod execute;
mod jobs;
mod lease;
mod metrics;
mod old_uploads;
mod reports;
mod resources;
mod retention;
mod runner;
mod running;
mod scheduler;
mod stale_uploads;
mod stop;
mod task_log;

pub use config::WorkerConfig;
pub use error::{JobError, UNREACHABLE, WorkerError};
pub use jobs::codes;
pub use metrics::SyncMetrics;
pub use runner::run;
pub use scheduler::fire_schedules;
pub use task_log::{MAX_LINE_BYTES, MAX_LINES, TaskLogLayer, TaskLogs};
