//! What can be set, under which names, and what is allowed.

/// One setting's names.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// The command line's flag. Secrets have none: everybody on a machine sees command lines.
    pub flag: Option<&'static str>,
    /// The environment variable.
    pub variable: &'static str,
    /// What it may be, as the end of a sentence that begins with "it must be".
    pub allowed: &'static str,
    /// Whether its value is hidden wherever it would be shown.
    pub is_secret: bool,
}

const fn key(name: &'static str, flag: &'static str, variable: &'static str, allowed: &'static str) -> Key {
    Key { name, flag: Some(flag), variable, allowed, is_secret: false }
}

/// Where everything is kept.
pub const DATA_DIR: Key = key("data_dir", "--data-dir", "ENTREPOT_DATA_DIR", "a folder");
/// The address to answer on.
pub const LISTEN: Key = key(
    "listen",
    "--listen",
    "ENTREPOT_LISTEN",
    "an IP address with a port, such as 127.0.0.1:24817, [::1]:24817, or 0.0.0.0:24817 for every address",
);
/// The address at which a worker process tells how it is.
pub const WORKER_LISTEN: Key = key(
    "worker_listen",
    "--worker-listen",
    "ENTREPOT_WORKER_LISTEN",
    "an IP address with a port, such as 127.0.0.1:24818, or 127.0.0.1:0 for any free port",
);
/// The catalog's database.
pub const DATABASE_URL: Key = Key {
    is_secret: true,
    ..key(
        "database_url",
        "--database-url",
        "ENTREPOT_DATABASE_URL",
        "sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE",
    )
};
/// How many connections to it.
pub const DATABASE_CONNECTIONS: Key = key(
    "database_connections",
    "--database-connections",
    "ENTREPOT_DATABASE_CONNECTIONS",
    "a number from 1 to 1000",
);
/// The key that stored secrets are sealed with.
pub const SECRET_KEY_FILE: Key =
    key("secret_key_file", "--secret-key-file", "ENTREPOT_SECRET_KEY_FILE", "a file");
/// The password that the first start gives to the user `admin`.
pub const ADMIN_PASSWORD: Key = Key {
    name: "admin_password",
    flag: None,
    variable: "ENTREPOT_ADMIN_PASSWORD",
    allowed: "at least 8 characters long",
    is_secret: true,
};
/// Where clients reach the service.
pub const PUBLIC_URL: Key = key(
    "public_url",
    "--public-url",
    "ENTREPOT_PUBLIC_URL",
    "http:// or https:// with a host and an optional port, without a path, such as https://registry.example",
);
/// Whether registry clients log in by tokens.
pub const TOKEN_AUTH: Key = key("token_auth", "--token-auth", "ENTREPOT_TOKEN_AUTH", "true or false");
/// Whether anybody may list the public names.
pub const ANONYMOUS_CATALOG: Key =
    key("anonymous_catalog", "--anonymous-catalog", "ENTREPOT_ANONYMOUS_CATALOG", "true or false");
/// Whether anybody may read the metrics.
pub const ANONYMOUS_METRICS: Key =
    key("anonymous_metrics", "--anonymous-metrics", "ENTREPOT_ANONYMOUS_METRICS", "true or false");
/// How many syncs run at once.
pub const WORKER_CONCURRENCY: Key = key(
    "worker_concurrency",
    "--worker-concurrency",
    "ENTREPOT_WORKER_CONCURRENCY",
    "a number from 1 to 100",
);
/// How many tasks talk to one upstream at once.
pub const TASKS_PER_UPSTREAM: Key = key(
    "tasks_per_upstream",
    "--tasks-per-upstream",
    "ENTREPOT_TASKS_PER_UPSTREAM",
    "a number from 1 to 100",
);
/// How long tasks that have ended are kept.
pub const TASK_RETENTION: Key = key(
    "task_retention_days",
    "--task-retention-days",
    "ENTREPOT_TASK_RETENTION_DAYS",
    "a number of days from 0 to 36500, where 0 keeps them for ever",
);
/// How long content that no version holds is let alone.
pub const ORPHAN_PROTECTION: Key = key(
    "orphan_protection_time",
    "--orphan-protection-time",
    "ENTREPOT_ORPHAN_PROTECTION_TIME",
    "a number of minutes from 0 to 5256000",
);
/// How long requests may go on after the stop was asked for.
pub const SHUTDOWN_GRACE: Key = key(
    "shutdown_grace",
    "--shutdown-grace",
    "ENTREPOT_SHUTDOWN_GRACE",
    "a number of seconds from 0 to 3600",
);
/// How many uploads of blobs may be open at once.
pub const MAX_UPLOADS: Key =
    key("max_uploads", "--max-uploads", "ENTREPOT_MAX_UPLOADS", "a number from 1 to 1000000");
/// How long uploads are kept that nobody goes on with.
pub const UPLOAD_EXPIRY: Key = key(
    "upload_expiry_hours",
    "--upload-expiry-hours",
    "ENTREPOT_UPLOAD_EXPIRY_HOURS",
    "a number of hours from 1 to 8760",
);
/// The largest blob that may be pushed.
pub const MAX_BLOB: Key =
    key("max_blob_gib", "--max-blob-gib", "ENTREPOT_MAX_BLOB_GIB", "a number of GiB from 1 to 1048576");
/// How long a push waits for its version.
pub const PUSH_TIMEOUT: Key =
    key("push_timeout", "--push-timeout", "ENTREPOT_PUSH_TIMEOUT", "a number of seconds from 1 to 3600");
/// What is logged.
pub const LOG: Key = key(
    "log",
    "--log",
    "ENTREPOT_LOG",
    "error, warn, info, debug, trace or off, or a list such as info,worker=debug",
);
/// How it is logged.
pub const LOG_FORMAT: Key = key("log_format", "--log-format", "ENTREPOT_LOG_FORMAT", "auto, human or json");

/// Every setting, in the order in which they are shown.
pub const ALL: [&Key; 22] = [
    &DATA_DIR,
    &LISTEN,
    &WORKER_LISTEN,
    &PUBLIC_URL,
    &DATABASE_URL,
    &DATABASE_CONNECTIONS,
    &SECRET_KEY_FILE,
    &ADMIN_PASSWORD,
    &TOKEN_AUTH,
    &ANONYMOUS_CATALOG,
    &ANONYMOUS_METRICS,
    &WORKER_CONCURRENCY,
    &TASKS_PER_UPSTREAM,
    &TASK_RETENTION,
    &ORPHAN_PROTECTION,
    &SHUTDOWN_GRACE,
    &MAX_UPLOADS,
    &UPLOAD_EXPIRY,
    &MAX_BLOB,
    &PUSH_TIMEOUT,
    &LOG,
    &LOG_FORMAT,
];
