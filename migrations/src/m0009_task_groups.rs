//! Groups of tasks, parents and children, limits for each upstream, and what workers of mixed versions need.

use sea_orm_migration::prelude::*;

use crate::columns::{flag, id_null, index, number, number_null, primary_id, small, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 5] = ["deaths", "queue", "upstream", "parent_seq", "group_id"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("task_group")
                    .col(primary_id("id"))
                    .col(text("description"))
                    .col(flag("all_dispatched"))
                    .col(number("created"))
                    .col(number("updated"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("task_group_created_idx", "task_group", &["created"])).await?;
        // SQLite adds one column at a time.
        for mut column in [
            small("deaths").default(0).to_owned(),
            text("queue").default("entrepot.short").to_owned(),
            text_null("upstream"),
            number_null("parent_seq"),
            id_null("group_id"),
        ] {
            let mut table = Table::alter();
            manager.alter_table(table.table("task").add_column(&mut column).to_owned()).await?;
        }
        let syncs = "UPDATE task SET queue = 'entrepot.sync' \
                     WHERE name = 'pulp_container.app.tasks.synchronize.synchronize'";
        manager.get_connection().execute_unprepared(syncs).await?;
        manager.create_index(index("task_upstream_idx", "task", &["upstream", "state"])).await?;
        manager.create_index(index("task_parent_idx", "task", &["parent_seq"])).await?;
        manager.create_index(index("task_group_idx", "task", &["group_id", "state"])).await?;
        // Releases that know no versions leave it empty.
        let mut version = text("version").default("").to_owned();
        let mut table = Table::alter();
        manager.alter_table(table.table("worker_node").add_column(&mut version).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["task_upstream_idx", "task_parent_idx", "task_group_idx"] {
            manager.drop_index(Index::drop().name(name).table("task").to_owned()).await?;
        }
        for column in COLUMNS {
            let mut table = Table::alter();
            manager.alter_table(table.table("task").drop_column(column).to_owned()).await?;
        }
        let mut table = Table::alter();
        manager.alter_table(table.table("worker_node").drop_column("version").to_owned()).await?;
        manager.drop_table(Table::drop().table("task_group").to_owned()).await
    }
}
