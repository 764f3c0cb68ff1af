//! Publishes a version of a repository with other content.

use registry::ContentChange;
use storage::Outcome;
use uuid::Uuid;

use super::JobContext;
use crate::{JobError, resources};

pub(crate) async fn perform(
    context: &JobContext,
    repository: Uuid,
    base_version: Option<i64>,
    change: &ContentChange,
) -> Result<(), JobError> {
    if *change == ContentChange::Unknown {
        return Err(JobError::LaterRelease);
    }
    let mut tx = context.catalog.begin().await?;
    let version = tx.modify_content(repository, base_version, change).await?;
    let created_resources = version.iter().map(resources::version).collect();
    tx.finish_task(&context.fence, Outcome::Completed { created_resources, result: None }).await?;
    tx.commit().await?;
    if let Some(version) = version {
        tracing::info!(
            repository.id = %repository,
            repository.version = version.number,
            added = version.summary.added.total(),
            removed = version.summary.removed.total(),
            present = version.summary.present.total(),
            "version published"
        );
    } else {
        tracing::info!(repository.id = %repository, "nothing has changed: no version was made");
    }
    Ok(())
}
