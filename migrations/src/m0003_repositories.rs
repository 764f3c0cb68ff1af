//! Repositories: content over time. Only versions hold content.

use sea_orm_migration::prelude::*;

use crate::columns::{
    id_null, index, json, number, number_null, primary_id, reference, text, text_null, unique,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("repository")
                    .col(primary_id("id"))
                    .col(text("name"))
                    .col(text_null("description"))
                    .col(json("labels"))
                    .col(id_null("remote_id"))
                    .col(number_null("retain_repo_versions").check(Expr::col("retain_repo_versions").gte(1)))
                    .col(number("latest_version"))
                    .col(number("next_version"))
                    .col(number_null("synced_at"))
                    .col(number("created"))
                    .col(number("updated"))
                    .foreign_key(&mut reference(
                        "repository_remote_fkey",
                        ("repository", "remote_id"),
                        "remote",
                        ForeignKeyAction::Restrict,
                    ))
                    .check(Expr::col("latest_version").lt(Expr::col("next_version")))
                    .to_owned(),
            )
            .await?;
        manager.create_index(unique("repository_name_key", "repository", &["name"])).await?;
        manager.create_index(index("repository_created_idx", "repository", &["created"])).await?;
        manager.create_index(index("repository_remote_idx", "repository", &["remote_id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("repository").to_owned()).await
    }
}
