//! Where a push goes: the repository that a name serves, made by the first push.

use std::collections::BTreeMap;

use registry::RepositoryName;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::repositories::NewRepository;
use super::served::Served;
use super::{Tx, distributions::NewDistribution};
use crate::entity::{distribution, repository};
use crate::error::Result;

/// What a name is to those who push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushTarget {
    /// This repository takes pushes.
    Repository(Uuid),
    /// Nothing has the name yet.
    Absent,
    /// A mirror: its content comes from its upstream alone.
    Mirror,
    /// The name serves one version for good: what was pushed could not be pulled.
    Fixed,
}

impl From<&Served> for PushTarget {
    fn from(served: &Served) -> Self {
        match served.repository {
            Some(_) if served.is_mirror => Self::Mirror,
            Some(_) if served.is_fixed => Self::Fixed,
            Some(repository) => Self::Repository(repository),
            None => Self::Absent,
        }
    }
}

impl Tx {
    /// The repository that pushes to `name` go to. Repository and distribution are made where they are absent.
    pub async fn make_push_target(&self, name: &RepositoryName) -> Result<PushTarget> {
        self.lock_resources().await?;
        let served = distribution::Entity::find()
            .filter(distribution::Column::BasePath.eq(name.as_str()))
            .one(&self.inner)
            .await?;
        let meant = match served.as_ref().and_then(|row| row.repository_id) {
            Some(id) => repository::Column::Id.eq(id),
            None => repository::Column::Name.eq(name.as_str()),
        };
        let held = repository::Entity::find().filter(meant).one(&self.inner).await?;
        let repository = match held {
            Some(row) if row.synced_at.is_some() || row.remote_id.is_some() => return Ok(PushTarget::Mirror),
            Some(row) => row.id,
            None => self.make_push_repository(name).await?,
        };
        match served {
            Some(row) if row.version_number.is_some() => return Ok(PushTarget::Fixed),
            Some(row) if row.repository_id.is_some() => {}
            Some(row) => {
                let serve = distribution::ActiveModel {
                    id: Set(row.id),
                    repository_id: Set(Some(repository)),
                    updated: Set(self.now_micros()),
                    ..Default::default()
                };
                serve.update(&self.inner).await?;
            }
            None => {
                let new = NewDistribution {
                    name: name.to_string(),
                    base_path: name.to_string(),
                    labels: BTreeMap::new(),
                    repository: Some(repository),
                    ..NewDistribution::default()
                };
                // Names may lie within others here, as in every registry: builders keep `app/cache` beside `app`.
                self.check_unique(&new, None).await?;
                self.insert_distribution(Uuid::now_v7(), new).await?;
            }
        }
        Ok(PushTarget::Repository(repository))
    }

    async fn make_push_repository(&self, name: &RepositoryName) -> Result<Uuid> {
        let new = NewRepository { name: name.to_string(), ..NewRepository::default() };
        let made = self.create_repository(new).await?;
        let mark = repository::ActiveModel { id: Set(made.id), is_push: Set(true), ..Default::default() };
        mark.update(&self.inner).await?;
        Ok(made.id)
    }
}
