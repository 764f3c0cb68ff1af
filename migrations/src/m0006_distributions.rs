//! Distributions: the names that content is served under. Each serves a repository's latest version, or the one
//! that `version_number` fixes.

use sea_orm_migration::prelude::*;

use crate::columns::{
    flag, id_null, index, json, number, number_null, primary_id, reference, text, text_null, unique,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("distribution")
                    .col(primary_id("id"))
                    .col(text("name"))
                    .col(text("base_path"))
                    .col(json("labels"))
                    .col(id_null("repository_id"))
                    .col(number_null("version_number"))
                    .col(flag("private"))
                    .col(text_null("description"))
                    .col(flag("hidden"))
                    .col(number("created"))
                    .col(number("updated"))
                    .foreign_key(&mut reference(
                        "distribution_repository_fkey",
                        ("distribution", "repository_id"),
                        "repository",
                        ForeignKeyAction::Restrict,
                    ))
                    .foreign_key(
                        ForeignKey::create()
                            .name("distribution_version_fkey")
                            .from_tbl("distribution")
                            .from_col("repository_id")
                            .from_col("version_number")
                            .to_tbl("repository_version")
                            .to_col("repository_id")
                            .to_col("number")
                            .on_delete(ForeignKeyAction::Restrict),
                    )
                    .check(Expr::col("version_number").is_null().or(Expr::col("repository_id").is_not_null()))
                    .to_owned(),
            )
            .await?;
        manager.create_index(unique("distribution_name_key", "distribution", &["name"])).await?;
        manager.create_index(unique("distribution_base_path_key", "distribution", &["base_path"])).await?;
        manager.create_index(index("distribution_created_idx", "distribution", &["created"])).await?;
        manager
            .create_index(index(
                "distribution_repository_idx",
                "distribution",
                &["repository_id", "version_number"],
            ))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("distribution").to_owned()).await
    }
}
