//! Users, and the memory of credentials that were right.

use std::time::Duration;

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

use super::Catalog;
use crate::entity::user_account::{ActiveModel, Column, Entity, Model};
use crate::error::Result;

/// How long a credential that was right is remembered, so that not every request pays for argon2.
const REMEMBERED_FOR: Duration = Duration::from_mins(5);
/// How many credentials are remembered at most.
const REMEMBERED_MAX: u64 = 10_000;
/// The user that the first start makes.
const ADMIN: &str = "admin";

/// Somebody who may use the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Identifies the user.
    pub id: Uuid,
    /// What the user logs in with.
    pub username: String,
    /// May do everything.
    pub is_admin: bool,
}

/// What [`Catalog::ensure_admin`] found or did.
#[derive(Debug)]
pub enum AdminSetup {
    /// There are users already.
    Existing,
    /// `admin` was made with this generated password, which has to be shown once and is kept nowhere.
    CreatedWith(String),
    /// `admin` was made with the password that was given.
    CreatedGiven,
}

/// Remembers, by keyed hash, which password was right for which stored hash. A changed password changes the stored
/// hash, and what was remembered no longer matches.
pub(crate) struct CredentialCache(moka::sync::Cache<[u8; 32], ()>);

impl Default for CredentialCache {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED_FOR).build())
    }
}

impl Catalog {
    /// Whether `password` is `username`'s. An unknown user costs as much time as a wrong password.
    pub async fn verify_password(&self, username: &str, password: &str) -> Result<Option<User>> {
        // No name holds a NUL, which PostgreSQL refuses.
        let row = if username.contains('\0') {
            None
        } else {
            Entity::find().filter(Column::Username.eq(username)).one(self.reader()).await?
        };
        let hash = row.as_ref().map_or(UNKNOWN_USER_HASH, |row| &row.password_hash).to_owned();
        let memory = self.0.key.keyed_hash(&[username.as_bytes(), password.as_bytes(), hash.as_bytes()]);
        if row.is_some() && self.0.credentials.0.get(&memory).is_some() {
            return Ok(row.map(Into::into));
        }
        let matches = self.0.passwords.verify(password.to_owned(), hash).await?;
        match row {
            Some(row) if matches => {
                self.0.credentials.0.insert(memory, ());
                Ok(Some(row.into()))
            }
            _ => Ok(None),
        }
    }

    /// The id of the user with this name.
    pub async fn find_user_id(&self, username: &str) -> Result<Option<Uuid>> {
        Ok(Entity::find().filter(Column::Username.eq(username)).one(self.reader()).await?.map(|row| row.id))
    }

    /// Makes the user `admin` when there is no user at all.
    pub async fn ensure_admin(&self, password: Option<&str>) -> Result<AdminSetup> {
        if Entity::find().one(self.reader()).await?.is_some() {
            return Ok(AdminSetup::Existing);
        }
        let given = password.map(str::to_owned);
        let password = given.clone().unwrap_or_else(generate_password);
        self.set_password(ADMIN, &password).await?;
        Ok(if given.is_some() { AdminSetup::CreatedGiven } else { AdminSetup::CreatedWith(password) })
    }

    /// Changes a user's password; makes the user (an administrator) when there is none of that name.
    pub async fn set_password(&self, username: &str, password: &str) -> Result<()> {
        let hash = self.0.passwords.hash(password.to_owned()).await?;
        let tx = self.begin().await?;
        if let Some(row) = Entity::find().filter(Column::Username.eq(username)).one(&tx.inner).await? {
            let mut user = row.into_active_model();
            user.password_hash = Set(hash);
            user.updated = Set(tx.now_micros());
            user.update(&tx.inner).await?;
        } else {
            let user = ActiveModel {
                id: Set(Uuid::now_v7()),
                username: Set(username.to_owned()),
                password_hash: Set(hash),
                is_admin: Set(true),
                created: Set(tx.now_micros()),
                updated: Set(tx.now_micros()),
            };
            Entity::insert(user).exec_without_returning(&tx.inner).await?;
        }
        tx.commit().await
    }
}

/// A hash that no password matches, with the cost of a real one.
const UNKNOWN_USER_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

impl From<Model> for User {
    fn from(row: Model) -> Self {
        Self { id: row.id, username: row.username, is_admin: row.is_admin }
    }
}

/// 24 letters and digits: 142 bits.
fn generate_password() -> String {
    use rand::distr::{Alphanumeric, SampleString};
    Alphanumeric.sample_string(&mut rand::rng(), 24)
}
