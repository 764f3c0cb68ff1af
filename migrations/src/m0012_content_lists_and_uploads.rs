//! What lists of content and versions are ordered and selected by, and files that arrive in pieces.

use sea_orm_migration::prelude::*;

use crate::columns::{id, index, number, primary_id, reference};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What is ordered by, and by the newest within what is alike.
const ORDERINGS: [(&str, &str, &str); 11] = [
    ("blob_size_idx", "blob", "size_bytes"),
    ("content_created_idx", "content", "created"),
    ("manifest_schema_version_idx", "manifest", "schema_version"),
    ("manifest_media_type_idx", "manifest", "media_type"),
    ("manifest_kind_idx", "manifest", "kind"),
    ("manifest_architecture_idx", "manifest", "architecture"),
    ("manifest_os_idx", "manifest", "os"),
    ("manifest_image_size_idx", "manifest", "compressed_image_size"),
    ("repository_version_created_idx", "repository_version", "created"),
    ("repository_version_updated_idx", "repository_version", "updated"),
    ("repository_version_order_idx", "repository_version", "number"),
];

/// Of what few values are ordered by, the newest within what is alike must be found in the other direction, too.
const BACKWARDS: [(&str, &str); 4] = [
    ("manifest_media_type_back_idx", "media_type"),
    ("manifest_kind_back_idx", "kind"),
    ("manifest_architecture_back_idx", "architecture"),
    ("manifest_os_back_idx", "os"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, column) in ORDERINGS {
            let mut index = Index::create();
            index.name(name).table(table).col(column).col(("id", IndexOrder::Desc));
            manager.create_index(index).await?;
        }
        for (name, column) in BACKWARDS {
            manager.create_index(index(name, "manifest", &[column, "id"])).await?;
        }
        let mut of_kind = Index::create();
        of_kind.name("content_kind_created_idx").table("content").col("kind").col("created");
        of_kind.col(("id", IndexOrder::Desc));
        manager.create_index(of_kind).await?;
        // Hardly any content has labels: looking for those that do must not read all the others.
        let labelled = "CREATE INDEX content_labelled_idx ON content (id) WHERE labels <> '{}'";
        manager.get_connection().execute_unprepared(labelled).await?;
        manager
            .create_table(
                Table::create()
                    .table("artifact_upload")
                    .col(primary_id("id"))
                    .col(number("size_bytes").check(Expr::col("size_bytes").gte(0)))
                    .col(number("created"))
                    .col(number("updated"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("artifact_upload_updated_idx", "artifact_upload", &["updated"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("artifact_upload_chunk")
                    .col(id("upload_id"))
                    .col(number("offset_bytes").check(Expr::col("offset_bytes").gte(0)))
                    .col(number("size_bytes").check(Expr::col("size_bytes").gte(0)))
                    .primary_key(Index::create().col("upload_id").col("offset_bytes"))
                    .foreign_key(&mut reference(
                        "artifact_upload_chunk_upload_fkey",
                        ("artifact_upload_chunk", "upload_id"),
                        "artifact_upload",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["artifact_upload_chunk", "artifact_upload"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        manager.drop_index(Index::drop().name("content_labelled_idx").to_owned()).await?;
        let more = BACKWARDS.iter().map(|(name, _)| *name).chain(["content_kind_created_idx"]);
        for name in ORDERINGS.iter().map(|(name, ..)| *name).chain(more) {
            manager.drop_index(Index::drop().name(name).to_owned()).await?;
        }
        Ok(())
    }
}
