//! The state of the installation.

use poem_openapi::Object;

use super::Labels;
use crate::Moment;

/// The version of a part.
#[derive(Debug, Object)]
#[oai(rename = "VersionResponse")]
pub struct Version {
    /// core or container.
    pub component: String,
    /// Its version.
    pub version: String,
    /// What it is part of.
    pub package: String,
    /// Its module there.
    pub module: String,
    /// Always true.
    pub domain_compatible: bool,
}

/// A process of the installation.
#[derive(Debug, Object)]
#[oai(rename = "AppStatusResponse")]
pub struct AppStatus {
    /// Its process and host.
    pub name: String,
    /// When it was last seen.
    pub last_heartbeat: Moment,
    /// Versions of what it runs.
    pub versions: Labels,
}

/// Whether the database answers.
#[derive(Debug, Object)]
#[oai(rename = "DatabaseConnectionResponse")]
pub struct DatabaseConnection {
    /// Whether it does.
    pub connected: bool,
}

/// There is no Redis.
#[derive(Debug, Object)]
#[oai(rename = "RedisConnectionResponse")]
pub struct RedisConnection {
    /// Always false.
    pub connected: bool,
}

/// The room in the blob store, in bytes.
#[derive(Debug, Object)]
#[oai(rename = "StorageResponse")]
pub struct Storage {
    /// All there is.
    pub total: Option<u64>,
    /// Taken.
    pub used: Option<u64>,
    /// Free.
    pub free: Option<u64>,
}

/// Where content is served.
#[derive(Debug, Object)]
#[oai(rename = "ContentSettingsResponse")]
pub struct ContentSettings {
    /// Scheme, host and port.
    pub content_origin: Option<String>,
    /// Path.
    pub content_path_prefix: String,
}

/// The state of the installation.
#[derive(Debug, Object)]
#[oai(rename = "StatusResponse")]
pub struct Status {
    /// Versions.
    pub versions: Vec<Version>,
    /// Workers.
    pub online_workers: Vec<AppStatus>,
    /// Servers of the management API.
    pub online_api_apps: Vec<AppStatus>,
    /// Servers of the registry API.
    pub online_content_apps: Vec<AppStatus>,
    /// The database.
    pub database_connection: DatabaseConnection,
    /// Redis.
    pub redis_connection: RedisConnection,
    /// The blob store.
    pub storage: Option<Storage>,
    /// Where content is served.
    pub content_settings: ContentSettings,
    /// Always false.
    pub domain_enabled: bool,
}
