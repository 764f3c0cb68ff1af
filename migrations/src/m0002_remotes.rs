//! Remotes: where content is copied from. Passwords and keys are one sealed document.

use sea_orm_migration::prelude::*;

use crate::columns::{
    flag, index, json, json_null, number, number_null, primary_id, seconds_null, text, text_null, unique,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("remote")
                    .col(primary_id("id"))
                    .col(text("name"))
                    .col(text("url"))
                    .col(text("upstream_name"))
                    .col(json("labels"))
                    .col(text("policy").check(Expr::col("policy").is_in([
                        "immediate",
                        "on_demand",
                        "streamed",
                    ])))
                    .col(flag("tls_validation"))
                    .col(text_null("ca_cert"))
                    .col(text_null("client_cert"))
                    .col(text_null("proxy_url"))
                    .col(number_null("max_retries"))
                    .col(seconds_null("total_timeout"))
                    .col(seconds_null("connect_timeout"))
                    .col(seconds_null("sock_connect_timeout"))
                    .col(seconds_null("sock_read_timeout"))
                    .col(json_null("headers"))
                    .col(number_null("download_concurrency"))
                    .col(number_null("rate_limit"))
                    .col(json_null("includes"))
                    .col(json_null("excludes"))
                    .col(text_null("sigstore"))
                    .col(text_null("secrets_sealed"))
                    .col(number("created"))
                    .col(number("updated"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(unique("remote_name_key", "remote", &["name"])).await?;
        manager.create_index(index("remote_created_idx", "remote", &["created"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("remote").to_owned()).await
    }
}
