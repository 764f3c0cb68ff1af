//! Workers and their leases. `last_seen` is in the database's own time, so that hosts need not agree on theirs.

use sea_orm_migration::prelude::*;

use crate::columns::{index, number, primary_id, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("worker_node")
                    .col(primary_id("id"))
                    .col(text("name"))
                    .col(number("started"))
                    .col(number("last_seen"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("worker_node_last_seen_idx", "worker_node", &["last_seen"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("worker_node").to_owned()).await
    }
}
