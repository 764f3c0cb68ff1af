//! Writes what tasks logged to the catalog.

use std::time::Duration;

use registry::chain;
use storage::{Catalog, TaskLogLine};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::TaskLogs;

/// How long a line of a running task waits at most.
const PERIOD: Duration = Duration::from_secs(1);
/// How long the writer rests between two batches: many short tasks that end together are written together.
const REST: Duration = Duration::from_millis(100);
/// Most lines that wait for a database that is away; later ones are lost.
const MAX_BACKLOG: usize = 10_000;

/// Writes the lines of this worker's tasks until `stop`, and then what is left.
pub(crate) async fn write(logs: TaskLogs, catalog: Catalog, worker: Uuid, stop: CancellationToken) {
    let mut backlog: Vec<(Uuid, TaskLogLine)> = Vec::new();
    while !stop.is_cancelled() {
        tokio::select! {
            () = logs.0.ended.notified() => {}
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => {}
        }
        flush(&logs, &catalog, worker, &mut backlog).await;
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            () = stop.cancelled() => {}
        }
    }
    flush(&logs, &catalog, worker, &mut backlog).await;
}

/// Lines are not worth failing for: what could not be written is tried again with the next batch.
async fn flush(logs: &TaskLogs, catalog: &Catalog, worker: Uuid, backlog: &mut Vec<(Uuid, TaskLogLine)>) {
    backlog.extend(logs.take(worker));
    if backlog.is_empty() {
        return;
    }
    match catalog.append_task_logs(backlog.clone()).await {
        Ok(()) => backlog.clear(),
        Err(error) => {
            tracing::warn!(error = chain(&error), "the logs of tasks could not be written yet");
            backlog.truncate(MAX_BACKLOG);
        }
    }
}
