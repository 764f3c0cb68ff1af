//! What tasks logged, and the trace that a task belongs to.

use sea_orm_migration::prelude::*;

use crate::columns::{index, number, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::alter();
        let trace_parent = table.table("task").add_column(text_null("trace_parent")).to_owned();
        manager.alter_table(trace_parent).await?;
        let mut task = ForeignKey::create();
        task.name("task_log_task_fkey")
            .from("task_log", "task_seq")
            .to("task", "seq")
            .on_delete(ForeignKeyAction::Cascade);
        manager
            .create_table(
                Table::create()
                    .table("task_log")
                    .col(number("seq").primary_key().auto_increment())
                    .col(number("task_seq"))
                    .col(number("at"))
                    .col(
                        text("level")
                            .check(Expr::col("level").is_in(["error", "warn", "info", "debug", "trace"])),
                    )
                    .col(text("target"))
                    .col(text("message"))
                    .foreign_key(&mut task)
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("task_log_task_idx", "task_log", &["task_seq", "seq"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("task_log").to_owned()).await?;
        let mut table = Table::alter();
        manager.alter_table(table.table("task").drop_column("trace_parent").to_owned()).await
    }
}
