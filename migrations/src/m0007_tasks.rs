//! Tasks, the truth about all asynchronous work; apalis only delivers them.
//!
//! `task_resource` keeps what a task reserved; `held` marks the reservations of tasks that are not finished, which
//! are the locks.

use sea_orm_migration::prelude::*;

use crate::columns::{
    flag, id, id_null, index, json, json_null, number, number_null, small, text, text_null, unique,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let task = |table| {
            let mut key = ForeignKey::create();
            key.name("task_fkey")
                .from(table, "task_seq")
                .to("task", "seq")
                .on_delete(ForeignKeyAction::Cascade);
            key
        };
        manager
            .create_table(
                Table::create()
                    .table("task")
                    .col(number("seq").primary_key().auto_increment())
                    .col(id("id"))
                    .col(text("name"))
                    .col(text("state").check(Expr::col("state").is_in([
                        "waiting",
                        "queued",
                        "running",
                        "canceling",
                        "completed",
                        "failed",
                        "canceled",
                    ])))
                    .col(json("work"))
                    .col(text("logging_cid"))
                    .col(id_null("created_by"))
                    .col(text_null("dedupe_key"))
                    .col(number("dispatch_no"))
                    .col(id_null("worker_id"))
                    .col(small("attempt"))
                    .col(small("failures"))
                    .col(number("not_before"))
                    .col(json_null("error"))
                    .col(json("progress"))
                    .col(json_null("result"))
                    .col(number("created"))
                    .col(number("updated"))
                    .col(number_null("unblocked_at"))
                    .col(number_null("started_at"))
                    .col(number_null("finished_at"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(unique("task_id_key", "task", &["id"])).await?;
        manager.create_index(unique("task_dedupe_key", "task", &["dedupe_key"])).await?;
        manager.create_index(index("task_state_idx", "task", &["state", "seq"])).await?;
        manager.create_index(index("task_created_idx", "task", &["created"])).await?;
        manager.create_index(index("task_finished_idx", "task", &["finished_at"])).await?;
        manager.create_index(index("task_worker_idx", "task", &["worker_id"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("task_resource")
                    .col(number("task_seq"))
                    .col(text("resource"))
                    .col(flag("exclusive"))
                    .col(flag("held"))
                    .primary_key(Index::create().col("task_seq").col("resource"))
                    .foreign_key(&mut task("task_resource"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(index("task_resource_held_idx", "task_resource", &["resource", "held", "task_seq"]))
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("task_created_resource")
                    .col(number("task_seq"))
                    .col(small("position"))
                    .col(text("href"))
                    .col(text("prn"))
                    .primary_key(Index::create().col("task_seq").col("position"))
                    .foreign_key(&mut task("task_created_resource"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(index("task_created_resource_href_idx", "task_created_resource", &["href"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["task_created_resource", "task_resource", "task"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
