//! Content: blobs, manifests and tags, each stored once whoever refers to it.
//!
//! `content` gives every piece its identity. What a manifest needs is named by digest (`manifest_blob`,
//! `manifest_child`), so that a manifest can be recorded before its parts have arrived; a version is only
//! published once all of them have.

use sea_orm_migration::prelude::*;

use crate::columns::{
    flag, id, index, json, number, number_null, primary_id, reference, small, text, text_null, unique,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let content = |table| reference("content_fkey", (table, "id"), "content", ForeignKeyAction::Cascade);
        let manifest =
            |table| reference("manifest_fkey", (table, "manifest_id"), "manifest", ForeignKeyAction::Cascade);
        manager
            .create_table(
                Table::create()
                    .table("content")
                    .col(primary_id("id"))
                    // 1 blob, 2 manifest, 3 tag
                    .col(small("kind").check(Expr::col("kind").is_in([1, 2, 3])))
                    .col(json("labels"))
                    .col(number("created"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("blob")
                    .col(primary_id("id"))
                    .col(text("digest"))
                    .col(number("size_bytes").check(Expr::col("size_bytes").gte(0)))
                    .foreign_key(&mut content("blob"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(unique("blob_digest_key", "blob", &["digest"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("manifest")
                    .col(primary_id("id"))
                    .col(text("digest"))
                    .col(text("media_type"))
                    .col(small("schema_version"))
                    .col(ColumnDef::new("body").binary().not_null())
                    .col(json("annotations"))
                    .col(json("image_labels"))
                    .col(text_null("architecture"))
                    .col(text_null("os"))
                    .col(text("kind"))
                    .col(number_null("compressed_image_size"))
                    .col(flag("is_bootable"))
                    .col(flag("is_flatpak"))
                    .foreign_key(&mut content("manifest"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(unique("manifest_digest_key", "manifest", &["digest"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("manifest_blob")
                    .col(id("manifest_id"))
                    .col(small("position"))
                    .col(text("digest"))
                    .col(flag("is_config"))
                    .primary_key(Index::create().col("manifest_id").col("position"))
                    .foreign_key(&mut manifest("manifest_blob"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("manifest_blob_digest_idx", "manifest_blob", &["digest"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("manifest_child")
                    .col(id("manifest_id"))
                    .col(small("position"))
                    .col(text("digest"))
                    .primary_key(Index::create().col("manifest_id").col("position"))
                    .foreign_key(&mut manifest("manifest_child"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("manifest_child_digest_idx", "manifest_child", &["digest"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("tag")
                    .col(primary_id("id"))
                    .col(text("name"))
                    .col(id("manifest_id"))
                    .foreign_key(&mut content("tag"))
                    .foreign_key(&mut reference(
                        "tag_manifest_fkey",
                        ("tag", "manifest_id"),
                        "manifest",
                        ForeignKeyAction::Restrict,
                    ))
                    .to_owned(),
            )
            .await?;
        manager.create_index(unique("tag_name_manifest_key", "tag", &["name", "manifest_id"])).await?;
        manager.create_index(index("tag_manifest_idx", "tag", &["manifest_id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["tag", "manifest_child", "manifest_blob", "manifest", "blob", "content"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
