//! Versions of repositories.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "repository_version")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub repository_id: Uuid,
    pub number: i64,
    pub base: Option<i64>,
    pub added_blobs: i64,
    pub added_manifests: i64,
    pub added_tags: i64,
    pub removed_blobs: i64,
    pub removed_manifests: i64,
    pub removed_tags: i64,
    pub present_blobs: i64,
    pub present_manifests: i64,
    pub present_tags: i64,
    pub created: i64,
    pub updated: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
