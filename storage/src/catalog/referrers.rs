//! Referrers: the manifests of a served version that name another one as their subject.

use registry::{Digest, MediaType};
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect};

use super::membership::present_at;
use super::served::Served;
use super::sync::{membership_of, read_digest, read_media_type, read_size};
use super::{Catalog, labels};
use crate::Labels;
use crate::entity::{manifest, repository_content};
use crate::error::Result;

/// A manifest that refers to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// Its type.
    pub media_type: MediaType,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What kind of artifact it is.
    pub artifact_type: Option<MediaType>,
    /// Its annotations.
    pub annotations: Labels,
}

/// Digest, media type, artifact type, annotations, size.
type Row = (String, String, Option<String>, serde_json::Value, i32);

impl Catalog {
    /// At most `limit` of the manifests in the served version that refer to `subject`, by digest, after `after`; only
    /// those of `artifact_type` if one is given. The subject itself need not be there.
    pub async fn list_referrers(
        &self,
        served: &Served,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: u64,
    ) -> Result<Vec<Referrer>> {
        let Some((repository, version)) = served.repository.zip(served.version) else {
            return Ok(Vec::new());
        };
        let mut select = manifest::Entity::find()
            .select_only()
            .column(manifest::Column::Digest)
            .column(manifest::Column::MediaType)
            .column(manifest::Column::ArtifactType)
            .column(manifest::Column::Annotations)
            .expr_as(
                Func::cust("length").arg(Expr::col((manifest::Entity, manifest::Column::Body))),
                "size_bytes",
            )
            .join(JoinType::InnerJoin, membership_of::<manifest::Entity>(manifest::Column::Id))
            .filter(manifest::Column::Subject.eq(subject.as_str()))
            .filter(repository_content::Column::RepositoryId.eq(repository))
            .filter(present_at(version));
        if let Some(artifact_type) = artifact_type {
            select = select.filter(manifest::Column::ArtifactType.eq(artifact_type));
        }
        if let Some(after) = after {
            select = select.filter(manifest::Column::Digest.gt(after.as_str()));
        }
        let rows: Vec<Row> = select
            .order_by_asc(manifest::Column::Digest)
            .limit(limit)
            .into_tuple()
            .all(self.reader())
            .await?;
        rows.into_iter()
            .map(|(digest, media_type, artifact_type, annotations, size_bytes)| {
                Ok(Referrer {
                    digest: read_digest(&digest)?,
                    media_type: read_media_type(&media_type)?,
                    size_bytes: read_size(i64::from(size_bytes))?,
                    artifact_type: artifact_type.as_deref().map(read_media_type).transpose()?,
                    annotations: labels::from_json(annotations)?,
                })
            })
            .collect()
    }
}
