//! Changes a repository, a remote or a distribution.

use registry::task::ResourceKind;
use serde_json::Value;
use uuid::Uuid;

use super::{JobContext, completed};
use crate::JobError;

pub(crate) async fn perform(
    context: &JobContext,
    kind: ResourceKind,
    id: Uuid,
    fields: &Value,
) -> Result<(), JobError> {
    let mut tx = context.catalog.begin().await?;
    tx.apply_update(kind, id, fields).await?;
    tx.finish_task(&context.fence, completed()).await?;
    Ok(tx.commit().await?)
}
