//! Manifests, with their bytes.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "manifest")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub digest: String,
    pub media_type: String,
    pub schema_version: i32,
    pub body: Vec<u8>,
    #[sea_orm(column_type = "JsonBinary")]
    pub annotations: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub image_labels: Json,
    pub architecture: Option<String>,
    pub os: Option<String>,
    pub kind: String,
    pub compressed_image_size: Option<i64>,
    pub is_bootable: bool,
    pub is_flatpak: bool,
    pub subject: Option<String>,
    /// Of a manifest with a subject.
    pub artifact_type: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
