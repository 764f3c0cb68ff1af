//! Files that arrive in pieces, to become artifacts. What the pieces hold, the blob store has.

use std::collections::HashMap;

use registry::Timestamp;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::list::{self, Field};
use super::sync::read_size;
use super::versions::CHUNK;
use super::{Catalog, Tx};
use crate::entity::artifact_upload::{ActiveModel, Column, Entity, Model};
use crate::entity::artifact_upload_chunk as chunk;
use crate::error::{Result, StorageError};
use registry::query::{ListQuery, Page};

/// A file that arrives in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactUpload {
    /// Identifies it.
    pub id: Uuid,
    /// When it was begun.
    pub created: Timestamp,
    /// When the last piece arrived.
    pub updated: Timestamp,
    /// How large the whole will be.
    pub size_bytes: u64,
    /// The pieces that have arrived, in order.
    pub chunks: Vec<Chunk>,
}

/// A piece that has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins.
    pub offset_bytes: u64,
    /// How long it is.
    pub size_bytes: u64,
}

impl ArtifactUpload {
    /// The first bytes that are missing: from where, up to but without which.
    pub fn first_gap(&self) -> Option<(u64, u64)> {
        let mut end = 0;
        for chunk in &self.chunks {
            if chunk.offset_bytes > end {
                return Some((end, chunk.offset_bytes));
            }
            end = end.max(chunk.offset_bytes.saturating_add(chunk.size_bytes));
        }
        (end < self.size_bytes).then_some((end, self.size_bytes))
    }
}

fn field(name: &str) -> Option<Field> {
    let column = match name {
        "pulp_id" => Column::Id,
        "pulp_created" => Column::Created,
        "pulp_last_updated" => Column::Updated,
        "size" => Column::SizeBytes,
        _ => return None,
    };
    Some(Field::Plain(Expr::col((Entity, column))))
}

impl Catalog {
    /// Begins a file of this size; gives its id.
    pub async fn create_artifact_upload(&self, size_bytes: u64) -> Result<ArtifactUpload> {
        let tx = self.begin().await?;
        let now = tx.now_micros();
        let row = ActiveModel {
            id: Set(Uuid::now_v7()),
            size_bytes: Set(i64::try_from(size_bytes).unwrap_or(i64::MAX)),
            created: Set(now),
            updated: Set(now),
        };
        let row = row.insert(&tx.inner).await?;
        tx.commit().await?;
        read(&row, Vec::new())
    }

    /// Notes that a piece has arrived.
    pub async fn add_artifact_chunk(&self, id: Uuid, arrived: Chunk) -> Result<()> {
        let tx = self.begin().await?;
        let touched = Entity::update_many()
            .col_expr(Column::Updated, Expr::value(tx.now_micros()))
            .filter(Column::Id.eq(id))
            .exec(&tx.inner)
            .await?;
        if touched.rows_affected == 0 {
            return Err(StorageError::NotFound { kind: "Upload" });
        }
        let row = chunk::ActiveModel {
            upload_id: Set(id),
            offset_bytes: Set(i64::try_from(arrived.offset_bytes).unwrap_or(i64::MAX)),
            size_bytes: Set(i64::try_from(arrived.size_bytes).unwrap_or(i64::MAX)),
        };
        let again = OnConflict::columns([chunk::Column::UploadId, chunk::Column::OffsetBytes])
            .update_column(chunk::Column::SizeBytes)
            .to_owned();
        chunk::Entity::insert(row).on_conflict(again).exec_without_returning(&tx.inner).await?;
        tx.commit().await
    }

    /// The file with this id.
    pub async fn find_artifact_upload(&self, id: Uuid) -> Result<Option<ArtifactUpload>> {
        let rows = Entity::find_by_id(id).all(self.reader()).await?;
        Ok(self.with_chunks(rows).await?.pop())
    }

    /// Files that arrive, newest first unless ordered otherwise.
    pub async fn list_artifact_uploads(&self, query: &ListQuery) -> Result<Page<ArtifactUpload>> {
        let ties = [Expr::col((Entity, Column::Created)), Expr::col((Entity, Column::Id))];
        let page = list::fetch(self.reader(), Entity::find(), query, field, ties).await?;
        Ok(Page { total: page.total, items: self.with_chunks(page.items).await? })
    }

    /// Forgets the files for which nothing has arrived since `before`; gives the ids of some of them, none once all are
    /// forgotten.
    pub async fn delete_artifact_uploads(&self, before: Timestamp) -> Result<Vec<Uuid>> {
        let tx = self.begin().await?;
        let old = || Column::Updated.lt(before.as_micros());
        let ids: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(old())
            .limit(CHUNK as u64)
            .into_tuple()
            .all(&tx.inner)
            .await?;
        let some = Column::Id.is_in(ids.iter().copied());
        // A piece that has arrived meanwhile keeps its file.
        Entity::delete_many().filter(some).filter(old()).exec(&tx.inner).await?;
        tx.commit().await?;
        Ok(ids)
    }

    /// Those of `ids` that are not known.
    pub async fn unknown_artifact_uploads(&self, ids: &[Uuid]) -> Result<Vec<Uuid>> {
        let mut unknown = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            let some = Column::Id.is_in(chunk.iter().copied());
            let select = Entity::find().select_only().column(Column::Id).filter(some);
            let known: Vec<Uuid> = select.into_tuple().all(self.reader()).await?;
            unknown.extend(chunk.iter().filter(|id| !known.contains(id)));
        }
        Ok(unknown)
    }

    async fn with_chunks(&self, rows: Vec<Model>) -> Result<Vec<ArtifactUpload>> {
        let mut chunks: HashMap<Uuid, Vec<Chunk>> = HashMap::new();
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        for some in ids.chunks(CHUNK) {
            let found = chunk::Entity::find()
                .filter(chunk::Column::UploadId.is_in(some.iter().copied()))
                .order_by_asc(chunk::Column::OffsetBytes)
                .all(self.reader())
                .await?;
            for row in found {
                chunks.entry(row.upload_id).or_default().push(Chunk {
                    offset_bytes: read_size(row.offset_bytes)?,
                    size_bytes: read_size(row.size_bytes)?,
                });
            }
        }
        rows.into_iter()
            .map(|row| {
                let chunks = chunks.remove(&row.id).unwrap_or_default();
                read(&row, chunks)
            })
            .collect()
    }
}

impl Tx {
    /// Forgets a file.
    pub async fn delete_artifact_upload(&self, id: Uuid) -> Result<()> {
        let gone = Entity::delete_by_id(id).exec(&self.inner).await?;
        if gone.rows_affected == 0 { Err(StorageError::NotFound { kind: "Upload" }) } else { Ok(()) }
    }
}

fn read(row: &Model, chunks: Vec<Chunk>) -> Result<ArtifactUpload> {
    Ok(ArtifactUpload {
        id: row.id,
        created: Timestamp::from_micros(row.created),
        updated: Timestamp::from_micros(row.updated),
        size_bytes: read_size(row.size_bytes)?,
        chunks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_found() {
        let gap = |size_bytes, chunks: &[(u64, u64)]| {
            let chunks =
                chunks.iter().map(|(offset, size)| Chunk { offset_bytes: *offset, size_bytes: *size });
            let moment = Timestamp::from_micros(0);
            let upload = ArtifactUpload {
                id: Uuid::nil(),
                created: moment,
                updated: moment,
                size_bytes,
                chunks: chunks.collect(),
            };
            upload.first_gap()
        };
        assert_eq!(gap(10, &[(0, 4), (4, 6)]), None);
        assert_eq!(gap(10, &[(0, 8), (2, 3), (5, 5)]), None);
        assert_eq!(gap(10, &[]), Some((0, 10)));
        assert_eq!(gap(10, &[(0, 4), (6, 4)]), Some((4, 6)));
        assert_eq!(gap(10, &[(0, 4), (4, 5)]), Some((9, 10)));
        assert_eq!(gap(10, &[(1, 9)]), Some((0, 1)));
        assert_eq!(gap(0, &[]), None);
    }
}
