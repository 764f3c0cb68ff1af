//! Secrets that all servers of an installation share, made by whichever starts first.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};

use super::Catalog;
use crate::entity::secret;
use crate::error::{Result, StorageError};

impl Catalog {
    /// The secret called `name`. It is made by `make` when nobody has made it yet, and kept sealed.
    pub async fn stored_secret(&self, name: &str, make: impl FnOnce() -> String) -> Result<String> {
        if let Some(found) = self.find_secret(name).await? {
            return Ok(found);
        }
        let row = secret::ActiveModel {
            name: Set(name.to_owned()),
            sealed: Set(self.0.key.seal(make().as_bytes())),
            created: Set(self.now().as_micros()),
        };
        let tx = self.begin().await?;
        // Another server may have been quicker: then its secret is the one.
        secret::Entity::insert(row)
            .on_conflict(OnConflict::column(secret::Column::Name).do_nothing().to_owned())
            .exec_without_returning(&tx.inner)
            .await?;
        tx.commit().await?;
        self.find_secret(name).await?.ok_or(StorageError::NotFound { kind: "Secret" })
    }

    async fn find_secret(&self, name: &str) -> Result<Option<String>> {
        let Some(row) = secret::Entity::find_by_id(name.to_owned()).one(self.reader()).await? else {
            return Ok(None);
        };
        let plain = self.0.key.open(&row.sealed)?;
        String::from_utf8(plain).map(Some).map_err(|error| StorageError::corrupt("secret", error))
    }
}
