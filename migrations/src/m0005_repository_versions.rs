//! Versions, and membership as intervals: a row says in which versions a repository has a piece of content,
//! from `version_added` up to but without `version_removed`.

use sea_orm_migration::prelude::*;

use crate::columns::{id, index, number, number_null, primary_id, reference, small, unique};

const COUNTS: [&str; 9] = [
    "added_blobs",
    "added_manifests",
    "added_tags",
    "removed_blobs",
    "removed_manifests",
    "removed_tags",
    "present_blobs",
    "present_manifests",
    "present_tags",
];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let repository = |table| {
            reference("repository_fkey", (table, "repository_id"), "repository", ForeignKeyAction::Cascade)
        };
        let mut versions = Table::create();
        versions
            .table("repository_version")
            .col(primary_id("id"))
            .col(id("repository_id"))
            .col(number("number").check(Expr::col("number").gte(0)))
            .col(number_null("base"))
            .col(number("created"))
            .col(number("updated"))
            .foreign_key(&mut repository("repository_version"));
        for count in COUNTS {
            versions.col(number(count));
        }
        manager.create_table(versions).await?;
        manager
            .create_index(unique(
                "repository_version_number_key",
                "repository_version",
                &["repository_id", "number"],
            ))
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("repository_content")
                    .col(id("repository_id"))
                    .col(id("content_id"))
                    .col(small("kind"))
                    .col(number("version_added"))
                    .col(number_null("version_removed"))
                    .primary_key(Index::create().col("repository_id").col("content_id").col("version_added"))
                    .foreign_key(&mut repository("repository_content"))
                    .foreign_key(&mut reference(
                        "content_fkey",
                        ("repository_content", "content_id"),
                        "content",
                        ForeignKeyAction::Restrict,
                    ))
                    .check(
                        Expr::col("version_removed")
                            .is_null()
                            .or(Expr::col("version_added").lt(Expr::col("version_removed"))),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("repository_content_content_idx", &["content_id"][..]),
            ("repository_content_added_idx", &["repository_id", "kind", "version_added"]),
            ("repository_content_removed_idx", &["repository_id", "kind", "version_removed"]),
        ] {
            manager.create_index(index(name, "repository_content", columns)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("repository_content").to_owned()).await?;
        manager.drop_table(Table::drop().table("repository_version").to_owned()).await
    }
}
