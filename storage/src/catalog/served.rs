//! What the registry serves, answered from memory wherever that can't be wrong.
//!
//! A version never changes, so what it holds is remembered by version. Only *which* version a distribution serves
//! now is looked up: at once after a commit of this process, and within `FRESH_FOR` after one of another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::sync::Cache;
use registry::{Digest, MediaType, RepositoryName, Tag};
use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::Catalog;
use super::membership::{Kind, present_at};
use super::sync::{membership_of, read_digest, read_media_type, read_size, tag_manifest};
use crate::entity::{blob, distribution, manifest, repository, repository_content, tag};
use crate::error::{Result, StorageError};

/// How long another process's change may go unseen.
const FRESH_FOR: Duration = Duration::from_millis(900);
/// Bytes of manifests that are kept in memory.
const MANIFEST_CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Names, tags and memberships that are kept in memory, of each kind.
const CACHE_ENTRIES: u64 = 20_000;

/// What a name stands for at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The distribution's id.
    pub distribution: Uuid,
    /// The name that clients pull.
    pub base_path: RepositoryName,
    /// Whether pulling needs a login.
    pub private: bool,
    /// The repository, when there is something to serve.
    pub repository: Option<Uuid>,
    /// The version's number, when there is something to serve.
    pub version: Option<i64>,
    /// Whether the repository was ever synced, or has a remote to sync from: then nothing can be pushed to it.
    pub is_mirror: bool,
    /// Whether the name serves one version for good, rather than the latest one.
    pub is_fixed: bool,
}

/// A manifest as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its type.
    pub media_type: MediaType,
    /// Its bytes.
    pub bytes: Bytes,
}

type VersionKey = (Uuid, i64);

pub(crate) struct ServedCache {
    names: Cache<RepositoryName, Name>,
    tags: Cache<(VersionKey, Tag), Digest>,
    members: Cache<(VersionKey, Digest), ()>,
    manifests: Cache<Digest, Arc<ServedManifest>>,
    blobs: Cache<(VersionKey, Digest), u64>,
}

/// What a name stood for, and how long that can be relied on.
#[derive(Clone)]
struct Name {
    served: Option<Arc<Served>>,
    generation: u64,
    looked_up: Instant,
}

impl Default for ServedCache {
    fn default() -> Self {
        let weigh = |_: &Digest, manifest: &Arc<ServedManifest>| {
            u32::try_from(manifest.bytes.len() + 256).unwrap_or(u32::MAX)
        };
        Self {
            names: Cache::new(CACHE_ENTRIES),
            tags: Cache::new(CACHE_ENTRIES),
            members: Cache::new(CACHE_ENTRIES),
            manifests: Cache::builder().weigher(weigh).max_capacity(MANIFEST_CACHE_BYTES).build(),
            blobs: Cache::new(CACHE_ENTRIES),
        }
    }
}

impl Served {
    fn key(&self) -> Option<VersionKey> {
        self.repository.zip(self.version)
    }
}

impl Catalog {
    /// What the name stands for now.
    pub async fn find_served(&self, name: &RepositoryName) -> Result<Option<Arc<Served>>> {
        // Read before the lookup: a commit in between makes the entry stale, not wrong.
        let generation = self.generation();
        if let Some(known) = self.0.served.names.get(name)
            && known.generation == generation
            && known.looked_up.elapsed() < FRESH_FOR
        {
            return Ok(known.served);
        }
        let looked_up = Instant::now();
        let served = self.look_up_name(name).await?.map(Arc::new);
        self.0.served.names.insert(name.clone(), Name { served: served.clone(), generation, looked_up });
        Ok(served)
    }

    /// What the name stands for, not from memory: whatever another process has committed is seen.
    pub async fn find_served_now(&self, name: &RepositoryName) -> Result<Option<Arc<Served>>> {
        self.0.served.names.invalidate(name);
        self.find_served(name).await
    }

    async fn look_up_name(&self, name: &RepositoryName) -> Result<Option<Served>> {
        let found = distribution::Entity::find()
            .filter(distribution::Column::BasePath.eq(name.as_str()))
            .one(self.reader())
            .await?;
        let Some(row) = found else { return Ok(None) };
        let repository = match row.repository_id {
            Some(id) => repository::Entity::find_by_id(id).one(self.reader()).await?,
            None => None,
        };
        Ok(Some(Served {
            distribution: row.id,
            base_path: name.clone(),
            private: row.private,
            version: repository
                .as_ref()
                .map(|repository| row.version_number.unwrap_or(repository.latest_version)),
            is_mirror: repository
                .as_ref()
                .is_some_and(|repository| repository.synced_at.is_some() || repository.remote_id.is_some()),
            is_fixed: row.version_number.is_some(),
            repository: repository.map(|repository| repository.id),
        }))
    }

    /// The manifest that a tag names in the served version.
    pub async fn find_served_tag(&self, served: &Served, tag: &Tag) -> Result<Option<Digest>> {
        let Some(key) = served.key() else { return Ok(None) };
        if let Some(digest) = self.0.served.tags.get(&(key, tag.clone())) {
            return Ok(Some(digest));
        }
        let row: Option<String> = tag::Entity::find()
            .select_only()
            .column(manifest::Column::Digest)
            .join(JoinType::InnerJoin, membership_of::<tag::Entity>(tag::Column::Id))
            .join(JoinType::InnerJoin, tag_manifest())
            .filter(tag::Column::Name.eq(tag.as_str()))
            .filter(repository_content::Column::RepositoryId.eq(key.0))
            .filter(present_at(key.1))
            .into_tuple()
            .one(self.reader())
            .await?;
        let Some(digest) = row.map(|text| read_digest(&text)).transpose()? else { return Ok(None) };
        self.0.served.tags.insert((key, tag.clone()), digest.clone());
        Ok(Some(digest))
    }

    /// A manifest of the served version.
    pub async fn find_served_manifest(
        &self,
        served: &Served,
        digest: &Digest,
    ) -> Result<Option<Arc<ServedManifest>>> {
        let Some(key) = served.key() else { return Ok(None) };
        let member = (key, digest.clone());
        if self.0.served.members.contains_key(&member)
            && let Some(manifest) = self.0.served.manifests.get(digest)
        {
            return Ok(Some(manifest));
        }
        let row = manifest::Entity::find()
            .join(JoinType::InnerJoin, membership_of::<manifest::Entity>(manifest::Column::Id))
            .filter(manifest::Column::Digest.eq(digest.as_str()))
            .filter(repository_content::Column::RepositoryId.eq(key.0))
            .filter(present_at(key.1))
            .one(self.reader())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let manifest = Arc::new(ServedManifest {
            digest: digest.clone(),
            media_type: read_media_type(&row.media_type)?,
            bytes: row.body.into(),
        });
        self.0.served.manifests.insert(digest.clone(), Arc::clone(&manifest));
        self.0.served.members.insert(member, ());
        Ok(Some(manifest))
    }

    /// The size in bytes of a blob of the served version.
    pub async fn find_served_blob(&self, served: &Served, digest: &Digest) -> Result<Option<u64>> {
        let Some(key) = served.key() else { return Ok(None) };
        if let Some(size) = self.0.served.blobs.get(&(key, digest.clone())) {
            return Ok(Some(size));
        }
        let row = blob::Entity::find()
            .join(JoinType::InnerJoin, membership_of::<blob::Entity>(blob::Column::Id))
            .filter(blob::Column::Digest.eq(digest.as_str()))
            .filter(repository_content::Column::RepositoryId.eq(key.0))
            .filter(present_at(key.1))
            .one(self.reader())
            .await?;
        let Some(size) = row.map(|row| read_size(row.size_bytes)).transpose()? else {
            // What was pushed to the repository is there before a version has it.
            return if served.is_fixed { Ok(None) } else { self.find_pushed_blob(key.0, digest).await };
        };
        self.0.served.blobs.insert((key, digest.clone()), size);
        Ok(Some(size))
    }

    /// Tags of the served version after `after`, in byte order.
    pub async fn list_served_tags(
        &self,
        served: &Served,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Tag>> {
        let Some(key) = served.key() else { return Ok(Vec::new()) };
        let mut select = tag::Entity::find()
            .select_only()
            .column(tag::Column::Name)
            .join(JoinType::InnerJoin, membership_of::<tag::Entity>(tag::Column::Id))
            .filter(repository_content::Column::RepositoryId.eq(key.0))
            .filter(repository_content::Column::Kind.eq(Kind::Tag.number()))
            .filter(present_at(key.1));
        let name = self.bytewise(tag::Entity, tag::Column::Name);
        if let Some(after) = after {
            select = select.filter(sea_orm::sea_query::ExprTrait::gt(name.clone(), after));
        }
        let names: Vec<String> = select
            .order_by(name, sea_orm::Order::Asc)
            .limit(limit as u64)
            .into_tuple()
            .all(self.reader())
            .await?;
        names.iter().map(|name| name.parse().map_err(|error| StorageError::corrupt("tag", error))).collect()
    }

    /// Names that can be pulled, after `after`, in byte order.
    pub async fn list_served_names(
        &self,
        after: Option<&str>,
        limit: usize,
        include_private: bool,
    ) -> Result<Vec<RepositoryName>> {
        let mut select = distribution::Entity::find()
            .select_only()
            .column(distribution::Column::BasePath)
            .filter(distribution::Column::Hidden.eq(false));
        if !include_private {
            select = select.filter(distribution::Column::Private.eq(false));
        }
        let path = self.bytewise(distribution::Entity, distribution::Column::BasePath);
        if let Some(after) = after {
            select = select.filter(sea_orm::sea_query::ExprTrait::gt(path.clone(), after));
        }
        let names: Vec<String> = select
            .order_by(path, sea_orm::Order::Asc)
            .limit(limit as u64)
            .into_tuple()
            .all(self.reader())
            .await?;
        names
            .iter()
            .map(|name| name.parse().map_err(|error| StorageError::corrupt("base path", error)))
            .collect()
    }

    /// A text column that compares byte by byte whatever the database's collation.
    fn bytewise<E: EntityTrait, C: ColumnTrait>(&self, table: E, column: C) -> sea_orm::sea_query::Expr {
        let plain = super::sync::column(table, column);
        match &self.0.pool {
            super::Pool::Sqlite(_) => plain,
            super::Pool::Postgres(_) => {
                sea_orm::sea_query::Expr::cust_with_exprs("$1 COLLATE \"C\"", [plain])
            }
        }
    }
}
