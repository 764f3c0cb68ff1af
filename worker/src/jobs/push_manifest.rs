//! Makes a version of what was pushed.

use registry::{Digest, Tag};
use storage::fail_point;
use uuid::Uuid;

use super::{JobContext, published};
use crate::JobError;

pub(crate) async fn perform(
    context: &JobContext,
    repository: Uuid,
    digest: &Digest,
    tag: Option<&Tag>,
) -> Result<(), JobError> {
    let mut tx = context.catalog.begin().await?;
    let version = tx.publish_push(repository, digest, tag).await?;
    fail_point!("push.published");
    tx.finish_task(&context.fence, published(version.as_ref())).await?;
    tx.commit().await?;
    fail_point!("push.committed");
    Ok(())
}
