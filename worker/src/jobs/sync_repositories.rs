//! Starts a sync of each of many repositories. The syncs are children of this task, in its group.

use registry::task::{ProgressReport, Reservation, TaskState, Work};
use storage::{NewTask, Repository};
use uuid::Uuid;

use super::{JobContext, codes, completed};
use crate::JobError;

/// How many children one transaction starts: few enough that others need not wait for it.
const BATCH: usize = 100;

pub(crate) async fn perform(context: &JobContext, wanted: &[Uuid], mirror: bool) -> Result<(), JobError> {
    let repositories = context.catalog.repositories_with_remote(wanted).await?;
    let total = repositories.len();
    for (batch, started) in repositories.chunks(BATCH).zip((BATCH..).step_by(BATCH)) {
        let mut tx = context.catalog.begin().await?;
        // Whoever has lost this task must not start anything.
        tx.check_fence(&context.fence).await?;
        for repository in batch {
            tx.submit(child(context, repository, mirror)).await?;
        }
        tx.commit().await?;
        context.reports.post(vec![report(started.min(total), total)]).await?;
    }
    let mut tx = context.catalog.begin().await?;
    if let Some(group) = context.group {
        tx.close_task_group(group).await?;
    }
    tx.finish_task(&context.fence, completed()).await?;
    Ok(tx.commit().await?)
}

/// The key keeps a task that runs again from starting a second sync of the same repository.
fn child(context: &JobContext, repository: &Repository, mirror: bool) -> NewTask {
    let remote = repository.remote.unwrap_or_default();
    let work = Work::SyncRepository { repository: repository.id, remote, mirror };
    NewTask {
        created_by: context.created_by,
        correlation_id: context.correlation_id.clone(),
        trace_parent: context.trace_parent.clone(),
        dedupe_key: Some(format!("{}/{}", context.fence.task, repository.id)),
        parent: Some(context.fence.task),
        group: context.group,
        ..NewTask::new(work, Reservation::of_sync(repository.id, remote))
    }
}

fn report(started: usize, total: usize) -> ProgressReport {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    ProgressReport {
        message: "Starting Syncs".to_owned(),
        code: codes::STARTING_SYNCS.to_owned(),
        state: TaskState::Running,
        total: Some(count(total)),
        done: count(started),
        suffix: None,
    }
}
