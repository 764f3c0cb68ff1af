//! Forgetting what ended long ago, so that tables stay small.

use std::time::Duration;

use registry::chain;
use registry::task::TaskState;
use storage::{Catalog, StorageError};

/// How often it is looked for.
const PERIOD: Duration = Duration::from_mins(1);
/// Between two batches, so that others get their turn.
const BREATH: Duration = Duration::from_millis(50);

/// Deletes tasks that ended longer than `kept` ago, until it is dropped. Without a limit it only waits.
pub(crate) async fn keep(catalog: Catalog, kept: Option<Duration>) {
    let Some(kept) = kept else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        ticks.tick().await;
        if let Err(error) = forget(&catalog, kept).await {
            tracing::warn!(error = chain(&error), "old tasks could not be deleted");
        }
    }
}

async fn forget(catalog: &Catalog, kept: Duration) -> Result<(), StorageError> {
    let seconds = i64::try_from(kept.as_secs()).unwrap_or(i64::MAX);
    let states = [TaskState::Completed, TaskState::Failed, TaskState::Canceled];
    let mut forgotten = 0;
    loop {
        let tx = catalog.begin().await?;
        let batch = tx.delete_ended_tasks(tx.now().plus_seconds(-seconds), &states).await?;
        tx.commit().await?;
        forgotten += batch;
        if batch == 0 {
            break;
        }
        tokio::time::sleep(BREATH).await;
    }
    if forgotten > 0 {
        tracing::info!(forgotten, "deleted tasks that ended long ago");
    }
    Ok(())
}
