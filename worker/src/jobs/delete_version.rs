//! Deletes one version of a repository.

use uuid::Uuid;

use super::{JobContext, completed};
use crate::JobError;

pub(crate) async fn perform(context: &JobContext, repository: Uuid, number: i64) -> Result<(), JobError> {
    let mut tx = context.catalog.begin().await?;
    tx.delete_version(repository, number).await?;
    tx.finish_task(&context.fence, completed()).await?;
    Ok(tx.commit().await?)
}
