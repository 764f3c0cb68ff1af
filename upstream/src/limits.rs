//! What this client accepts at most, each limit with its reason.

use std::time::Duration;

/// A page of tags, in bytes. Docker Hub and distribution send at most 1,000 tags of 128 bytes a page unless
/// asked for all at once; 16 MiB hold 120,000 of the longest tags.
pub const TAGS_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// A token answer, in bytes. Real ones are below 16 KiB; the limit only has to keep memory bounded.
pub const TOKEN_BYTES: usize = 16 * 1024 * 1024;

/// The body of an error, in bytes: enough for any OCI error document, of which one line is shown.
pub const ERROR_BODY_BYTES: usize = 64 * 1024;

/// Pages of one tag listing. With pages of 100 tags (quay.io, ghcr.io) this is the limit of tags.
pub const TAG_PAGES: usize = 10_000;

/// Tags of one repository. The largest public ones have some 100,000.
pub const TAGS: usize = 1_000_000;

/// Redirects of one request. A registry needs one (to its storage), a mirror in front of it a second.
pub const REDIRECTS: usize = 5;

/// Requests for the rest of one blob, progress or not: an upstream that breaks each connection after some
/// bytes must not keep a worker busy for ever.
pub const BLOB_RESUMES: u32 = 100;

/// How many open blobs and requests there may be at a time (Pulp's default).
pub const DOWNLOAD_CONCURRENCY: usize = 10;

/// How often a failed request is tried again (Pulp's default).
pub const MAX_RETRIES: u32 = 3;

/// The limits that a [`crate::Client`] keeps. The defaults are right for production; tests shorten the times.
///
/// JSON needs no depth limit here: `serde_json` refuses to descend deeper than 128 by itself, and skips what
/// is not asked for without recursion.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest time to get a connection with its TLS handshake.
    pub connect: Duration,
    /// Longest silence within an answer.
    pub read: Duration,
    /// Longest time for a small answer (manifest, page of tags, token), from request to last byte.
    pub small_answer: Duration,
    /// The least bytes a second of a blob, averaged over [`Self::floor_window`] of waiting for the upstream.
    pub floor_bytes_per_second: u64,
    /// See [`Self::floor_bytes_per_second`].
    pub floor_window: Duration,
    /// Upper bound of the first pause before trying again; it doubles each time.
    pub backoff_base: Duration,
    /// Upper bound of any pause that this client chooses itself.
    pub backoff_max: Duration,
    /// Upper bound of a pause that `Retry-After` asks for.
    pub retry_after_max: Duration,
    /// See [`TAG_PAGES`].
    pub tag_pages: usize,
    /// See [`TAGS`].
    pub tags: usize,
    /// See [`BLOB_RESUMES`].
    pub blob_resumes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_mins(1),
            small_answer: Duration::from_mins(1),
            floor_bytes_per_second: 1024,
            floor_window: Duration::from_mins(1),
            backoff_base: Duration::from_millis(250),
            backoff_max: Duration::from_secs(30),
            retry_after_max: Duration::from_mins(5),
            tag_pages: TAG_PAGES,
            tags: TAGS,
            blob_resumes: BLOB_RESUMES,
        }
    }
}
