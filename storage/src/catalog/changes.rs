//! What the tasks for updating and deleting do, whatever kind of resource it is.

use registry::task::ResourceKind;
use uuid::Uuid;

use super::Tx;
use crate::error::Result;

impl Tx {
    /// Makes the changes that were sealed with [`Tx::seal`] when the task was submitted.
    pub async fn apply_update(&self, kind: ResourceKind, id: Uuid, fields: &serde_json::Value) -> Result<()> {
        match kind {
            ResourceKind::Repository => self.update_repository(id, self.unseal(fields)?).await.map(drop),
            ResourceKind::Remote => self.update_remote(id, self.unseal(fields)?).await.map(drop),
            ResourceKind::Distribution => self.update_distribution(id, &self.unseal(fields)?).await.map(drop),
        }
    }

    /// Makes the distribution that was sealed with [`Tx::seal`] when the task was submitted.
    pub async fn apply_creation(&self, id: Uuid, fields: &serde_json::Value) -> Result<crate::Distribution> {
        self.create_distribution(id, self.unseal(fields)?).await
    }

    /// Raises what [`Tx::delete_resource`] would.
    pub async fn check_deletable(&self, kind: ResourceKind, id: Uuid) -> Result<()> {
        match kind {
            ResourceKind::Repository => self.check_repository_deletable(id).await,
            ResourceKind::Remote => self.check_remote_deletable(id).await,
            ResourceKind::Distribution => Ok(()),
        }
    }

    /// Deletes a resource, unless something needs it.
    pub async fn delete_resource(&self, kind: ResourceKind, id: Uuid) -> Result<()> {
        match kind {
            ResourceKind::Repository => self.delete_repository(id).await,
            ResourceKind::Remote => self.delete_remote(id).await,
            ResourceKind::Distribution => self.delete_distribution(id).await,
        }
    }
}
