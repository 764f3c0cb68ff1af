//! Schedules of recurring tasks.
//!
//! `next_fire` is the fire that is waited for, and `due_at` the moment at which it comes due, which jitter puts off.
//! Both are absent while the schedule is disabled. `repository_id` and `remote_id` repeat what `work` names.

use sea_orm_migration::prelude::*;

use crate::columns::{
    flag, id_null, index, json, number, number_null, primary_id, reference, text, text_null, unique,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let both_or_none = Expr::col("next_fire").is_null().eq(Expr::col("due_at").is_null());
        manager
            .create_table(
                Table::create()
                    .table("schedule")
                    .col(primary_id("id"))
                    .col(text("name"))
                    .col(text("expression"))
                    .col(text("time_zone"))
                    .col(json("work"))
                    .col(text("task_name"))
                    .col(id_null("repository_id"))
                    .col(id_null("remote_id"))
                    .col(number("jitter_secs").check(Expr::col("jitter_secs").gte(0)))
                    .col(text("on_overlap").check(Expr::col("on_overlap").is_in(["skip", "queue"])))
                    .col(text("on_missed").check(Expr::col("on_missed").is_in(["skip", "run_once"])))
                    .col(flag("enabled"))
                    .col(number_null("next_fire"))
                    .col(number_null("due_at"))
                    .col(number_null("last_fire"))
                    .col(id_null("last_task"))
                    .col(number("missed_fires"))
                    .col(number("skipped_fires"))
                    .col(text_null("last_error"))
                    .col(id_null("created_by"))
                    .col(number("created"))
                    .col(number("updated"))
                    .foreign_key(&mut reference(
                        "schedule_repository_fkey",
                        ("schedule", "repository_id"),
                        "repository",
                        ForeignKeyAction::Cascade,
                    ))
                    .foreign_key(&mut reference(
                        "schedule_remote_fkey",
                        ("schedule", "remote_id"),
                        "remote",
                        ForeignKeyAction::Restrict,
                    ))
                    .check(both_or_none)
                    .check(Expr::col("enabled").eq(true).or(Expr::col("next_fire").is_null()))
                    .to_owned(),
            )
            .await?;
        manager.create_index(unique("schedule_name_key", "schedule", &["name"])).await?;
        manager.create_index(index("schedule_created_idx", "schedule", &["created"])).await?;
        manager.create_index(index("schedule_due_idx", "schedule", &["due_at"])).await?;
        manager.create_index(index("schedule_repository_idx", "schedule", &["repository_id"])).await?;
        manager.create_index(index("schedule_remote_idx", "schedule", &["remote_id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("schedule").to_owned()).await
    }
}
