//! Remotes.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "remote")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub url: String,
    pub upstream_name: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub labels: Json,
    pub policy: String,
    pub tls_validation: bool,
    pub ca_cert: Option<String>,
    pub client_cert: Option<String>,
    pub proxy_url: Option<String>,
    pub max_retries: Option<i64>,
    pub total_timeout: Option<f64>,
    pub connect_timeout: Option<f64>,
    pub sock_connect_timeout: Option<f64>,
    pub sock_read_timeout: Option<f64>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub headers: Option<Json>,
    pub download_concurrency: Option<i64>,
    pub rate_limit: Option<i64>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub includes: Option<Json>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub excludes: Option<Json>,
    pub sigstore: Option<String>,
    pub secrets_sealed: Option<String>,
    pub created: i64,
    pub updated: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
