//! What tasks made.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task_created_resource")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub task_seq: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    pub href: String,
    pub prn: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
