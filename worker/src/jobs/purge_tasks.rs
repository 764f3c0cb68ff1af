//! Deletes tasks that have ended, batch by batch.

use registry::Timestamp;
use registry::task::{ProgressReport, TaskState};

use super::{JobContext, codes, completed};
use crate::JobError;

pub(crate) async fn perform(
    context: &JobContext,
    finished_before: Timestamp,
    states: &[TaskState],
) -> Result<(), JobError> {
    let mut purged = 0;
    loop {
        let tx = context.catalog.begin().await?;
        let deleted = tx.delete_ended_tasks(finished_before, states).await?;
        tx.commit().await?;
        purged += deleted;
        context.reports.post(vec![report(purged)]).await?;
        if deleted == 0 {
            break;
        }
    }
    let mut tx = context.catalog.begin().await?;
    tx.finish_task(&context.fence, completed()).await?;
    Ok(tx.commit().await?)
}

fn report(purged: u64) -> ProgressReport {
    ProgressReport {
        message: "Purged task-related-objects total".to_owned(),
        code: codes::PURGED_TASKS.to_owned(),
        state: TaskState::Running,
        total: None,
        done: i64::try_from(purged).unwrap_or(i64::MAX),
        suffix: None,
    }
}
