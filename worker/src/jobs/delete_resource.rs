//! Deletes a repository, a remote or a distribution.

use registry::task::ResourceKind;
use uuid::Uuid;

use super::{JobContext, completed};
use crate::JobError;

pub(crate) async fn perform(context: &JobContext, kind: ResourceKind, id: Uuid) -> Result<(), JobError> {
    let mut tx = context.catalog.begin().await?;
    tx.delete_resource(kind, id).await?;
    tx.finish_task(&context.fence, completed()).await?;
    Ok(tx.commit().await?)
}
