//! Schedules.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "schedule")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub expression: String,
    pub time_zone: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub work: Json,
    pub task_name: String,
    pub repository_id: Option<Uuid>,
    pub remote_id: Option<Uuid>,
    pub jitter_secs: i64,
    pub on_overlap: String,
    pub on_missed: String,
    pub enabled: bool,
    pub next_fire: Option<i64>,
    pub due_at: Option<i64>,
    pub last_fire: Option<i64>,
    pub last_task: Option<Uuid>,
    pub missed_fires: i64,
    pub skipped_fires: i64,
    pub last_error: Option<String>,
    pub created_by: Option<Uuid>,
    pub created: i64,
    pub updated: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
