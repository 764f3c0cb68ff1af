//! What tasks logged, a line a row.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task_log")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub seq: i64,
    pub task_seq: i64,
    pub at: i64,
    pub level: String,
    pub target: String,
    pub message: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
