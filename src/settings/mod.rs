//! The settings: what they are, and how flags, environment and file are merged into them.

mod error;
pub mod keys;
mod layers;
mod show;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use error::SettingsError;
pub use keys::Key;
use layers::Layers;
pub use layers::{Environment, Flags, Source};

/// The data folder unless another is named.
pub const DEFAULT_DATA_DIR: &str = "./entrepot-data";
/// The port says nothing else: Pulp's API server has 24817 too, so its clients need no new one.
const DEFAULT_LISTEN: &str = "127.0.0.1:24817";
const DEFAULT_WORKER_LISTEN: &str = "127.0.0.1:24818";
const DEFAULT_LOG: &str = "info";

/// A value, and who set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Who set it.
    pub source: Source,
}

/// A text that is hidden wherever it would be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The effective settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where everything is kept.
    pub data_dir: Setting<PathBuf>,
    /// The address to answer on.
    pub listen: Setting<SocketAddr>,
    /// The address at which a worker process tells how it is.
    pub worker_listen: Setting<SocketAddr>,
    /// Where clients reach the service, when that is not `listen`.
    pub public_url: Option<Setting<String>>,
    /// The catalog's database.
    pub database_url: Setting<Secret>,
    /// How many connections to it.
    pub database_connections: Setting<u32>,
    /// The key that stored secrets are sealed with.
    pub secret_key_file: Setting<PathBuf>,
    /// The password that the first start gives to the user `admin`.
    pub admin_password: Option<Setting<Secret>>,
    /// Whether registry clients log in by tokens.
    pub token_auth: Setting<bool>,
    /// Whether anybody may list the public names.
    pub anonymous_catalog: Setting<bool>,
    /// Whether anybody may read the metrics.
    pub anonymous_metrics: Setting<bool>,
    /// How many syncs run at once.
    pub worker_concurrency: Setting<usize>,
    /// How many tasks talk to one upstream at once, on all workers together.
    pub tasks_per_upstream: Setting<u32>,
    /// How many days tasks are kept after they ended; 0 keeps them for ever.
    pub task_retention_days: Setting<u32>,
    /// For how many minutes nobody must have touched content that no version holds, before a cleanup deletes it.
    pub orphan_protection_time: Setting<u32>,
    /// How long requests may go on after the stop was asked for.
    pub shutdown_grace: Setting<Duration>,
    /// How many uploads of blobs may be open at once, on all servers together.
    pub max_uploads: Setting<u64>,
    /// How long uploads are kept that nobody goes on with, and pushed blobs that no manifest names.
    pub upload_expiry: Setting<Duration>,
    /// The largest blob that may be pushed, in GiB.
    pub max_blob_gib: Setting<u64>,
    /// How long a push waits for its version to be published.
    pub push_timeout: Setting<Duration>,
    /// What is logged.
    pub log: Setting<String>,
    /// How it is logged.
    pub log_format: Setting<LogFormat>,
    /// The settings file that was read.
    pub file: Option<PathBuf>,
}

impl Settings {
    /// Merges what was given: flags win over the environment, that over the file, that over the defaults.
    pub fn read(flags: Flags, environment: Environment<'_>) -> Result<Self, SettingsError> {
        let layers = Layers::read(flags, environment)?;
        let data_dir = layers.get(&keys::DATA_DIR, DEFAULT_DATA_DIR, path)?;
        let in_data_dir = |name: &str| data_dir.value.join(name).display().to_string();
        Ok(Self {
            listen: layers.get(&keys::LISTEN, DEFAULT_LISTEN, |text| text.parse().ok())?,
            worker_listen: layers
                .get(&keys::WORKER_LISTEN, DEFAULT_WORKER_LISTEN, |text| text.parse().ok())?,
            public_url: layers.get_optional(&keys::PUBLIC_URL, public_url)?,
            database_url: layers.get(
                &keys::DATABASE_URL,
                &format!("sqlite:{}", in_data_dir("entrepot.sqlite")),
                database_url,
            )?,
            database_connections: layers
                .get(&keys::DATABASE_CONNECTIONS, "8", |text| number(text, 1, 1000))?,
            secret_key_file: layers.get(&keys::SECRET_KEY_FILE, &in_data_dir("secret.key"), path)?,
            admin_password: layers.get_optional(&keys::ADMIN_PASSWORD, |text| {
                (text.chars().count() >= 8).then(|| Secret(text.to_owned()))
            })?,
            token_auth: layers.get(&keys::TOKEN_AUTH, "true", boolean)?,
            anonymous_catalog: layers.get(&keys::ANONYMOUS_CATALOG, "true", boolean)?,
            anonymous_metrics: layers.get(&keys::ANONYMOUS_METRICS, "false", boolean)?,
            worker_concurrency: layers.get(&keys::WORKER_CONCURRENCY, "4", |text| number(text, 1, 100))?,
            tasks_per_upstream: layers.get(&keys::TASKS_PER_UPSTREAM, "3", |text| number(text, 1, 100))?,
            task_retention_days: layers.get(&keys::TASK_RETENTION, "30", |text| number(text, 0, 36_500))?,
            orphan_protection_time: layers
                .get(&keys::ORPHAN_PROTECTION, "1440", |text| number(text, 0, 5_256_000))?,
            shutdown_grace: layers
                .get(&keys::SHUTDOWN_GRACE, "30", |text| number(text, 0, 3600).map(Duration::from_secs))?,
            max_uploads: layers.get(&keys::MAX_UPLOADS, "1000", |text| number(text, 1, 1_000_000))?,
            upload_expiry: layers
                .get(&keys::UPLOAD_EXPIRY, "24", |text| number(text, 1, 8760).map(Duration::from_hours))?,
            max_blob_gib: layers.get(&keys::MAX_BLOB, "100", |text| number(text, 1, 1 << 20))?,
            push_timeout: layers
                .get(&keys::PUSH_TIMEOUT, "60", |text| number(text, 1, 3600).map(Duration::from_secs))?,
            log: layers.get(&keys::LOG, DEFAULT_LOG, |text| {
                // A bare word that is no level would be a target's name: then everything else went silent.
                let is_misspelled = |part: &str| {
                    !part.contains(['=', '[', ':'])
                        && part.trim().parse::<tracing::level_filters::LevelFilter>().is_err()
                };
                let usable = !text.split(',').any(is_misspelled);
                tracing_subscriber::EnvFilter::try_new(text).ok().filter(|_| usable).map(|_| text.to_owned())
            })?,
            log_format: layers.get(&keys::LOG_FORMAT, "auto", log_format)?,
            file: layers.file().map(PathBuf::from),
            data_dir,
        })
    }

    /// Whether the catalog is a file rather than a server.
    pub fn is_sqlite(&self) -> bool {
        self.database_url.value.0.starts_with("sqlite:")
    }
}

impl Layers<'_> {
    fn get<T>(
        &self,
        key: &Key,
        default: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Setting<T>, SettingsError> {
        if let Some(setting) = self.get_optional(key, &parse)? {
            return Ok(setting);
        }
        let quoted = || layers::refuse(key, Source::Default, &format!("\"{default}\""));
        Ok(Setting { value: parse(default).ok_or_else(quoted)?, source: Source::Default })
    }

    fn get_optional<T>(
        &self,
        key: &Key,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Setting<T>>, SettingsError> {
        let Some((text, source)) = self.find(key)? else { return Ok(None) };
        match parse(&text) {
            Some(value) => Ok(Some(Setting { value, source })),
            None if key.is_secret => Err(layers::refuse(key, source, "something else (not shown here)")),
            None => Err(layers::refuse(key, source, &format!("\"{}\"", text.escape_debug()))),
        }
    }
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

fn number<T: TryFrom<u64>>(text: &str, least: u64, most: u64) -> Option<T> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number))?;
    number.try_into().ok()
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn log_format(text: &str) -> Option<LogFormat> {
    match text {
        "auto" => Some(LogFormat::Auto),
        "human" => Some(LogFormat::Human),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

fn database_url(text: &str) -> Option<Secret> {
    let is_usable = match text.split_once(':')? {
        ("sqlite", rest) => !rest.is_empty(),
        ("postgres" | "postgresql", _) => url::Url::parse(text).is_ok_and(|url| url.has_host()),
        _ => false,
    };
    is_usable.then(|| Secret(text.to_owned()))
}

fn public_url(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let is_origin = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && matches!(url.path(), "" | "/")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    is_origin.then(|| text.trim_end_matches('/').to_owned())
}
