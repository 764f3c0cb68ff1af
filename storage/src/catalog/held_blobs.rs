//! Which blobs are held, and where they came from: what a repair asks.

use registry::Digest;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::Catalog;
use super::membership::{Kind, present_at};
use super::remotes::{Remote, from_row};
use super::sync::{read_digest, read_size};
use crate::entity::{blob, remote, repository, repository_content};
use crate::error::Result;

/// A blob that the catalog has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBlob {
    /// Its content id.
    pub id: Uuid,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

impl Catalog {
    /// The next blobs of a version (repository and number), or of all versions, in the order of their ids.
    pub async fn held_blobs(
        &self,
        version: Option<(Uuid, i64)>,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<HeldBlob>> {
        use repository_content::Column as Membership;
        let mut select = blob::Entity::find().order_by_asc(blob::Column::Id).limit(limit);
        if let Some(after) = after {
            select = select.filter(blob::Column::Id.gt(after));
        }
        if let Some((repository, number)) = version {
            let mut members = Query::select();
            members
                .column(Membership::ContentId)
                .from(repository_content::Entity)
                .and_where(Expr::col(Membership::RepositoryId).eq(repository))
                .and_where(Expr::col(Membership::Kind).eq(Kind::Blob.number()))
                .cond_where(present_at(number));
            select = select.filter(Expr::col((blob::Entity, blob::Column::Id)).in_subquery(members));
        }
        let rows = select.all(self.reader()).await?;
        let held = rows.into_iter().map(|row| {
            Ok(HeldBlob {
                id: row.id,
                digest: read_digest(&row.digest)?,
                size_bytes: read_size(row.size_bytes)?,
            })
        });
        held.collect()
    }

    /// The remotes of the repositories that hold a blob, or have held it.
    pub async fn remotes_of_blob(&self, blob: Uuid) -> Result<Vec<Remote>> {
        let mut holders = Query::select();
        holders
            .column(repository_content::Column::RepositoryId)
            .from(repository_content::Entity)
            .and_where(Expr::col(repository_content::Column::ContentId).eq(blob));
        let mut named = Query::select();
        named
            .column(repository::Column::RemoteId)
            .from(repository::Entity)
            .and_where(Expr::col(repository::Column::RemoteId).is_not_null())
            .and_where(Expr::col(repository::Column::Id).in_subquery(holders));
        let rows = remote::Entity::find()
            .filter(Expr::col((remote::Entity, remote::Column::Id)).in_subquery(named))
            .order_by_asc(remote::Column::Id)
            .all(self.reader())
            .await?;
        rows.into_iter().map(|row| from_row(row, &self.0.key)).collect()
    }
}
