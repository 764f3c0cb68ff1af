//! The parts of manifests: which of them a repository has, and how deep they lie.

use std::collections::{HashMap, HashSet};

use registry::Digest;
use sea_orm::sea_query::{Func, JoinType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::Catalog;
use super::membership::present_at;
use super::sync::{column, membership_of, read_digest, read_size};
use super::uploads::pushed_to;
use super::versions::CHUNK;
use crate::entity::{blob, manifest, manifest_child, pushed_blob, repository, repository_content};
use crate::error::Result;

impl Catalog {
    /// Those of the blobs that the repository has, in its latest version or pushed to it, with their sizes in bytes.
    pub async fn blobs_of(&self, repository: Uuid, digests: &[Digest]) -> Result<HashMap<Digest, u64>> {
        let latest: Option<i64> = repository::Entity::find_by_id(repository)
            .select_only()
            .column(repository::Column::LatestVersion)
            .into_tuple()
            .one(self.reader())
            .await?;
        let mut found = HashMap::new();
        for chunk in digests.chunks(CHUNK) {
            let texts = || chunk.iter().map(Digest::as_str);
            let held = blob::Entity::find()
                .join(JoinType::InnerJoin, membership_of::<blob::Entity>(blob::Column::Id))
                .filter(repository_content::Column::RepositoryId.eq(repository))
                .filter(present_at(latest.unwrap_or_default()))
                .filter(blob::Column::Digest.is_in(texts()))
                .all(self.reader())
                .await?;
            let pushed = blob::Entity::find()
                .join(JoinType::InnerJoin, pushed_to())
                .filter(pushed_blob::Column::RepositoryId.eq(repository))
                .filter(blob::Column::Digest.is_in(texts()))
                .all(self.reader())
                .await?;
            for row in held.into_iter().chain(pushed) {
                found.insert(read_digest(&row.digest)?, read_size(row.size_bytes)?);
            }
        }
        Ok(found)
    }

    /// Those of `digests` that the repository's latest version has, with their sizes in bytes.
    pub async fn manifests_of(&self, repository: Uuid, digests: &[Digest]) -> Result<HashMap<Digest, u64>> {
        let mut found = HashMap::new();
        for chunk in digests.chunks(CHUNK) {
            let size = Func::cust("length").arg(column(manifest::Entity, manifest::Column::Body));
            let rows: Vec<(String, i32)> = manifest::Entity::find()
                .select_only()
                .column(manifest::Column::Digest)
                .expr_as(size, "size_bytes")
                .join(JoinType::InnerJoin, membership_of::<manifest::Entity>(manifest::Column::Id))
                .filter(repository_content::Column::RepositoryId.eq(repository))
                .filter(repository_content::Column::VersionRemoved.is_null())
                .filter(manifest::Column::Digest.is_in(chunk.iter().map(Digest::as_str)))
                .into_tuple()
                .all(self.reader())
                .await?;
            for (digest, size_bytes) in rows {
                found.insert(read_digest(&digest)?, read_size(size_bytes.into())?);
            }
        }
        Ok(found)
    }

    /// The recorded manifests that indexes list, and those that these list, and so on.
    pub async fn manifests_below(&self, indexes: &[Digest]) -> Result<HashSet<Digest>> {
        let mut level: HashSet<String> = indexes.iter().map(Digest::to_string).collect();
        let mut found = HashSet::new();
        while !level.is_empty() {
            let listed = self.children_of(level).await?;
            level = listed.into_iter().filter(|digest| found.insert(digest.clone())).collect();
        }
        found.iter().map(|digest| read_digest(digest)).collect()
    }

    async fn children_of(&self, manifests: HashSet<String>) -> Result<HashSet<String>> {
        let mut children = HashSet::new();
        let manifests: Vec<_> = manifests.into_iter().collect();
        for chunk in manifests.chunks(CHUNK) {
            let rows: Vec<String> = manifest_child::Entity::find()
                .select_only()
                .column(manifest_child::Column::Digest)
                .join(
                    JoinType::InnerJoin,
                    manifest_child::Entity::belongs_to(manifest::Entity)
                        .from(manifest_child::Column::ManifestId)
                        .to(manifest::Column::Id)
                        .into(),
                )
                .filter(manifest::Column::Digest.is_in(chunk))
                .into_tuple()
                .all(self.reader())
                .await?;
            children.extend(rows);
        }
        Ok(children)
    }

    /// How many levels of recorded manifests lie below an index that lists `children`; looks no deeper than `limit`.
    pub async fn levels_below(&self, children: &[Digest], limit: usize) -> Result<usize> {
        let mut level: HashSet<String> = children.iter().map(Digest::to_string).collect();
        let mut levels = 0;
        while !level.is_empty() && levels <= limit {
            levels += 1;
            level = self.children_of(level).await?;
        }
        Ok(levels)
    }
}
