//! Repositories.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "repository")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub description: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub labels: Json,
    pub remote_id: Option<Uuid>,
    pub retain_repo_versions: Option<i64>,
    pub latest_version: i64,
    pub next_version: i64,
    pub synced_at: Option<i64>,
    pub created: i64,
    pub updated: i64,
    pub is_push: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
