//! Tasks.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub seq: i64,
    pub id: Uuid,
    pub name: String,
    pub state: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub work: Json,
    pub logging_cid: String,
    pub created_by: Option<Uuid>,
    pub dedupe_key: Option<String>,
    pub dispatch_no: i64,
    pub worker_id: Option<Uuid>,
    pub attempt: i32,
    pub failures: i32,
    pub not_before: i64,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub error: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub progress: Json,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub result: Option<Json>,
    pub created: i64,
    pub updated: i64,
    pub unblocked_at: Option<i64>,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub deaths: i32,
    pub queue: String,
    pub upstream: Option<String>,
    pub parent_seq: Option<i64>,
    pub group_id: Option<Uuid>,
    pub trace_parent: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
