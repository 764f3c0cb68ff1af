//! Labels, stored as JSON objects: of repositories, remotes and distributions, and of content, which has them for everybody.

use registry::href::Kind;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::Tx;
use super::membership::Kind as ContentKind;
use crate::Labels;
use crate::entity::{content, distribution, remote, repository};
use crate::error::{Result, StorageError};

pub(crate) fn to_json(labels: &Labels) -> serde_json::Value {
    labels
        .iter()
        .map(|(key, value)| (key.clone(), value.clone().into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub(crate) fn from_json(json: serde_json::Value) -> Result<Labels> {
    read("labels", json)
}

/// Reads a stored JSON document; what can't be read was never written by us.
pub(crate) fn read<T: serde::de::DeserializeOwned>(what: &'static str, json: serde_json::Value) -> Result<T> {
    serde_json::from_value(json).map_err(|error| StorageError::corrupt(what, error))
}

/// Writes a document as JSON.
pub(crate) fn write<T: serde::Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).expect("our own types have text keys and finite numbers")
}

impl Tx {
    /// Sets one label of whatever has labels.
    pub async fn set_label(&self, kind: Kind, id: Uuid, key: &str, value: &str) -> Result<()> {
        self.lock_labels(kind).await?;
        let mut labels = self.labels_of(kind, id).await?;
        labels.insert(key.to_owned(), value.to_owned());
        self.write_labels(kind, id, &labels).await
    }

    /// Removes one label; gives its value when it was there.
    pub async fn unset_label(&self, kind: Kind, id: Uuid, key: &str) -> Result<Option<String>> {
        self.lock_labels(kind).await?;
        let mut labels = self.labels_of(kind, id).await?;
        let removed = labels.remove(key);
        if removed.is_some() {
            self.write_labels(kind, id, &labels).await?;
        }
        Ok(removed)
    }

    /// Two that set labels of the same thing at once must both be seen.
    async fn lock_labels(&self, kind: Kind) -> Result<()> {
        if ContentKind::of(kind).is_some() { self.lock_content().await } else { self.lock_resources().await }
    }

    async fn labels_of(&self, kind: Kind, id: Uuid) -> Result<Labels> {
        let tx = &self.inner;
        let json = match kind {
            Kind::Repository => repository::Entity::find_by_id(id).one(tx).await?.map(|row| row.labels),
            Kind::Remote => remote::Entity::find_by_id(id).one(tx).await?.map(|row| row.labels),
            Kind::Distribution => distribution::Entity::find_by_id(id).one(tx).await?.map(|row| row.labels),
            kind => match ContentKind::of(kind) {
                Some(kind) => {
                    let of_kind = content::Column::Kind.eq(kind.number());
                    content::Entity::find_by_id(id).filter(of_kind).one(tx).await?.map(|row| row.labels)
                }
                None => None,
            },
        };
        from_json(json.ok_or(StorageError::NotFound { kind: kind.model_name() })?)
    }

    async fn write_labels(&self, kind: Kind, id: Uuid, labels: &Labels) -> Result<()> {
        let (id, labels, updated) = (Set(id), Set(to_json(labels)), Set(self.now_micros()));
        let tx = &self.inner;
        match kind {
            Kind::Repository => {
                let row = repository::ActiveModel { id, labels, updated, ..Default::default() };
                row.update(tx).await.map(drop)?;
            }
            Kind::Remote => {
                let row = remote::ActiveModel { id, labels, updated, ..Default::default() };
                row.update(tx).await.map(drop)?;
            }
            Kind::Distribution => {
                let row = distribution::ActiveModel { id, labels, updated, ..Default::default() };
                row.update(tx).await.map(drop)?;
            }
            _ => {
                let row = content::ActiveModel { id, labels, ..Default::default() };
                row.update(tx).await.map(drop)?;
            }
        }
        Ok(())
    }
}
