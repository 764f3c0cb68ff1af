//! Under which names a blob can be pulled.

use registry::{Digest, RepositoryName};
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Catalog;
use super::membership::present_in;
use crate::entity::{blob, distribution, pushed_blob, repository_content};
use crate::error::{Result, StorageError};

impl Catalog {
    /// Names under which the blob can be pulled, with whether that needs a login; public ones first.
    pub async fn find_names_with_blob(
        &self,
        digest: &Digest,
        limit: u64,
    ) -> Result<Vec<(RepositoryName, bool)>> {
        let row = blob::Entity::find().filter(blob::Column::Digest.eq(digest.as_str()));
        let Some(blob) = row.one(self.reader()).await? else { return Ok(Vec::new()) };
        let column = |column| Expr::col((distribution::Entity, column));
        let fixed = column(distribution::Column::VersionNumber);
        let of_latest = Condition::all().add(fixed.clone().is_null()).add(
            Expr::col((repository_content::Entity, repository_content::Column::VersionRemoved)).is_null(),
        );
        let held = Query::select()
            .expr(Expr::value(1))
            .from(repository_content::Entity)
            .and_where(
                Expr::col((repository_content::Entity, repository_content::Column::RepositoryId))
                    .eq(column(distribution::Column::RepositoryId)),
            )
            .and_where(
                Expr::col((repository_content::Entity, repository_content::Column::ContentId)).eq(blob.id),
            )
            .cond_where(Condition::any().add(of_latest).add(present_in(&fixed)))
            .take();
        let pushed = Query::select()
            .expr(Expr::value(1))
            .from(pushed_blob::Entity)
            .and_where(
                Expr::col((pushed_blob::Entity, pushed_blob::Column::RepositoryId))
                    .eq(column(distribution::Column::RepositoryId)),
            )
            .and_where(Expr::col((pushed_blob::Entity, pushed_blob::Column::BlobId)).eq(blob.id))
            .take();
        let pushed = Condition::all().add(fixed.is_null()).add(Expr::exists(pushed));
        let rows: Vec<(String, bool)> = distribution::Entity::find()
            .select_only()
            .column(distribution::Column::BasePath)
            .column(distribution::Column::Private)
            .filter(Condition::any().add(Expr::exists(held)).add(pushed))
            .order_by_asc(distribution::Column::Private)
            .limit(limit)
            .into_tuple()
            .all(self.reader())
            .await?;
        let read = |(path, private): (String, bool)| match path.parse() {
            Ok(name) => Ok((name, private)),
            Err(error) => Err(StorageError::corrupt("base path", error)),
        };
        rows.into_iter().map(read).collect()
    }
}
