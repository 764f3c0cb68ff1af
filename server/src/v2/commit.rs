//! Publishing what was pushed or deleted: a task makes the version, and the client is told when it can be pulled.

use registry::href::Kind;
use registry::task::{Reservation, TaskError, TaskState, Work};
use storage::{NewTask, TaskEnd, Tx, fail_point};

use super::V2Error;
use super::auth::Visit;
use super::push_target::Target;
use crate::telemetry::CorrelationId;

/// Submits the work in the transaction that recorded what it is about, and waits for its end. The task goes on when
/// nobody waits any more.
pub(super) async fn commit(
    visit: &Visit<'_>,
    target: &Target,
    mut tx: Tx,
    work: Work,
) -> Result<(), V2Error> {
    let state = visit.state;
    let cid = CorrelationId::of_request(visit.request);
    let reservation = Reservation::exclusive(Kind::Repository.prn(target.repository));
    let new = NewTask {
        created_by: target.caller.user_id(state).await?,
        correlation_id: cid.0,
        trace_parent: cid.1,
        ..NewTask::new(work, vec![reservation])
    };
    let task = tx.submit(new).await?;
    tx.commit().await?;
    fail_point!("push.submitted");
    let patience = state.config.push_timeout;
    match state.catalog.wait_for_end(task, patience).await? {
        Some(TaskEnd { state: TaskState::Completed, .. }) => Ok(()),
        Some(TaskEnd { error: Some(error), .. }) => Err(refused(error)),
        Some(_) => Err(V2Error::ChangeCanceled),
        None => Err(V2Error::ChangeUnfinished { seconds: patience.as_secs() }),
    }
}

fn refused(error: TaskError) -> V2Error {
    match error.code.as_str() {
        "in_use" => V2Error::StillNeeded(error.description),
        "invalid" => V2Error::ChangeRefused(error.description),
        "storage.blob_missing" => V2Error::PartVanished(error.description),
        _ => V2Error::ChangeFailed(error.description),
    }
}
