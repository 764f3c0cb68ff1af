//! Distributions.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "distribution")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub base_path: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub labels: Json,
    pub repository_id: Option<Uuid>,
    pub version_number: Option<i64>,
    pub private: bool,
    pub description: Option<String>,
    pub hidden: bool,
    pub created: i64,
    pub updated: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
