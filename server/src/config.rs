//! What can be set. Where settings come from (flags, environment, files) is the binary's business.

use std::time::Duration;

/// The settings of the HTTP surfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where clients reach this server, such as `https://registry.example`; it goes into token challenges.
    /// Without it they are built from the request's Host.
    pub public_url: Option<String>,
    /// Whether registry clients log in by tokens (`/token/`). Otherwise they are asked for Basic credentials.
    pub token_auth: bool,
    /// Whether `_catalog` lists the public names to anybody. Otherwise it asks for credentials.
    pub anonymous_catalog: bool,
    /// Whether anybody may read `/metrics`. Otherwise it asks for an administrator's credentials.
    pub anonymous_metrics: bool,
    /// For how many minutes nobody must have touched content that no version holds, before a cleanup deletes it.
    pub orphan_protection_minutes: u32,
    /// How many streams of tasks' events may be open at a time.
    pub max_event_streams: usize,
    /// How long requests may go on after the shutdown began.
    pub shutdown_grace: Duration,
    /// How long a client may take to send a request's head, and to sit idle between two requests.
    pub header_timeout: Duration,
    /// How long a client may leave an answer unread before its connection is cut.
    pub stall_timeout: Duration,
    /// How long a client may take to send a management request's body.
    pub body_timeout: Duration,
    /// The largest body of a management request, in bytes.
    pub max_body_bytes: usize,
    /// How many upload sessions may be open at a time, on all servers together.
    pub max_uploads: u64,
    /// How long an upload session is kept that nobody uses, and a pushed blob that no manifest names.
    pub upload_expiry: Duration,
    /// The largest blob that may be pushed, in bytes.
    pub max_blob_bytes: u64,
    /// How long a push or a deletion waits for its version to be published.
    pub push_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            public_url: None,
            token_auth: true,
            anonymous_catalog: true,
            anonymous_metrics: false,
            orphan_protection_minutes: 24 * 60,
            max_event_streams: 64,
            shutdown_grace: Duration::from_secs(30),
            header_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_mins(1),
            body_timeout: Duration::from_secs(30),
            max_body_bytes: 8 * 1024 * 1024,
            max_uploads: 1000,
            upload_expiry: Duration::from_hours(24),
            max_blob_bytes: 100 * 1024 * 1024 * 1024,
            push_timeout: Duration::from_mins(1),
        }
    }
}
