//! Creates a distribution.

use serde_json::Value;
use storage::Outcome;
use uuid::Uuid;

use super::JobContext;
use crate::{JobError, resources};

pub(crate) async fn perform(context: &JobContext, id: Uuid, fields: &Value) -> Result<(), JobError> {
    let mut tx = context.catalog.begin().await?;
    tx.apply_creation(id, fields).await?;
    let created_resources = vec![resources::distribution(id)];
    tx.finish_task(&context.fence, Outcome::Completed { created_resources, result: None }).await?;
    Ok(tx.commit().await?)
}
