//! What the cleanup of orphans needs: since when nobody cared for a piece of content, and the files that are to go.

use sea_orm_migration::prelude::*;

use crate::columns::{number, number_null, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // When it was last recorded, found by a sync, or given up by a version.
        let mut touched = number("touched").default(0).to_owned();
        let mut table = Table::alter();
        manager.alter_table(table.table("content").add_column(&mut touched).to_owned()).await?;
        manager.get_connection().execute_unprepared("UPDATE content SET touched = created").await?;
        let mut digest = text("digest");
        manager
            .create_table(
                Table::create()
                    .table("doomed_file")
                    .col(digest.primary_key())
                    .col(number("size_bytes"))
                    .col(number_null("deleted"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("doomed_file").to_owned()).await?;
        let mut table = Table::alter();
        manager.alter_table(table.table("content").drop_column("touched").to_owned()).await
    }
}
