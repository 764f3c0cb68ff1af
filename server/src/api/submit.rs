//! Starting tasks: the task is accepted in the transaction that checked what it will do.

use openapi::Json;
use openapi::objects::AsyncOperation;
use poem_openapi::ApiResponse;
use registry::href::Kind;
use registry::task::{Reservation, Work};
use storage::{NewTask, StorageError, Tx, User, fail_point};

use crate::telemetry::CorrelationId;

/// A task was started.
#[derive(ApiResponse)]
pub(crate) enum Accepted {
    /// The task.
    #[oai(status = 202)]
    Accepted(Json<AsyncOperation>),
}

/// Who asks for a task, and in which request.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) user: &'a User,
    pub(crate) cid: &'a CorrelationId,
}

/// Submits `work` and commits.
pub(crate) async fn submit(
    mut tx: Tx,
    asker: Asker<'_>,
    work: Work,
    reservations: Vec<Reservation>,
) -> Result<AsyncOperation, StorageError> {
    let new = NewTask {
        created_by: Some(asker.user.id),
        correlation_id: asker.cid.0.clone(),
        trace_parent: asker.cid.1.clone(),
        ..NewTask::new(work, reservations)
    };
    let id = tx.submit(new).await?;
    fail_point!("submit.dispatched");
    tx.commit().await?;
    fail_point!("submit.committed");
    Ok(AsyncOperation { task: Kind::Task.href(id) })
}
