//! What tasks reserve; those held are locks.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task_resource")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub task_seq: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource: String,
    pub exclusive: bool,
    pub held: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
