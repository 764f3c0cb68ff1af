//! Waits for the sync's end, and shows how far it is.

use std::time::Duration;

use registry::task::TaskState;
use storage::{Catalog, StorageError, Task};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::MirrorRequest;
use super::progress::Display;
use crate::Error;

/// How often the task is looked at.
const PERIOD: Duration = Duration::from_millis(250);
/// How long a sync that is canceled may take to end.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// Follows the task to its end. Only a completed one is a success.
pub(super) async fn follow(
    catalog: &Catalog,
    request: &MirrorRequest,
    task: Uuid,
    stop: &CancellationToken,
) -> Result<Task, Error> {
    let mut display = Display::new(&request.upstream.to_string());
    let ended = loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => {
                display.clear();
                cancel(catalog, task).await?;
                return Err(Error::Interrupted);
            }
            ended = catalog.wait_for_task(task) => break ended?,
            () = tokio::time::sleep(PERIOD) => {}
        }
        let state = catalog.find_task(task).await?.ok_or(StorageError::NotFound { kind: "Task" })?;
        if has_no_contact(&state) {
            display.clear();
            cancel(catalog, task).await?;
            return Err(failed(request, &state));
        }
        display.show(&state);
    };
    display.finish(&ended);
    match ended.state {
        TaskState::Completed => Ok(ended),
        TaskState::Canceled => Err(Error::Canceled),
        _ => Err(failed(request, &ended)),
    }
}

/// Whether the very first attempt could not even connect. The worker would try again, which is right for syncs that
/// nobody watches; who has just typed the name of a host wants to know at once.
fn has_no_contact(task: &Task) -> bool {
    task.state == TaskState::Waiting
        && task.failures == 1
        && task.error.as_ref().is_some_and(|error| error.code == worker::UNREACHABLE)
}

fn failed(request: &MirrorRequest, task: &Task) -> Error {
    let reason = task.error.as_ref().map(|error| error.description.clone()).unwrap_or_default();
    Error::SyncFailed { image: request.upstream.to_string(), reason }
}

async fn cancel(catalog: &Catalog, task: Uuid) -> Result<(), Error> {
    let mut tx = catalog.begin().await?;
    tx.cancel_task(task).await?;
    tx.commit().await?;
    // Whatever hasn't ended by then is handed back when the worker stops.
    let _ = tokio::time::timeout(CANCEL_PATIENCE, catalog.wait_for_task(task)).await;
    Ok(())
}
