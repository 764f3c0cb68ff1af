//! Users, and secrets that all servers of an installation share (sealed with the installation's key).

use sea_orm_migration::prelude::*;

use crate::columns::{flag, number, primary_id, text, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("user_account")
                    .col(primary_id("id"))
                    .col(text("username"))
                    .col(text("password_hash"))
                    .col(flag("is_admin"))
                    .col(number("created"))
                    .col(number("updated"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(unique("user_account_username_key", "user_account", &["username"])).await?;
        let mut name = text("name");
        manager
            .create_table(
                Table::create()
                    .table("secret")
                    .col(name.primary_key())
                    .col(text("sealed"))
                    .col(number("created"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("secret").to_owned()).await?;
        manager.drop_table(Table::drop().table("user_account").to_owned()).await
    }
}
