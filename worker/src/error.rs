//! Why a task fails, and what clients are told of it.

use std::time::Duration;

use registry::task::TaskError;
use registry::{Digest, ManifestError, NameError};
use storage::StorageError;
use thiserror::Error;
use upstream::UpstreamError;

/// The code of a failure to connect to a host that had not answered before: a mistyped name, most likely.
pub const UNREACHABLE: &str = "upstream.unreachable";

/// Why a worker could not start or had to end.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// The worker could not be entered into the catalog.
    #[error("the worker could not be registered")]
    Register(#[source] StorageError),
}

/// Why a job failed. Every text can be shown to clients: it names the URL and the cause, and no secret.
#[derive(Debug, Error)]
pub enum JobError {
    /// The upstream could not be read.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The catalog or the blob store refused or failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What was received is not what was asked for.
    #[error("{url} sent something else: {source}")]
    Received {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        #[source]
        source: StorageError,
    },
    /// A manifest cannot be kept.
    #[error("{url} sent a manifest that cannot be used: {source}")]
    Manifest {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        #[source]
        source: ManifestError,
    },
    /// Indexes list indexes that list indexes, and so on.
    #[error("{url} is nested more than {limit} levels deep")]
    TooDeep {
        /// The first manifest that is too deep.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// A manifest names a blob with another size than another manifest or the store does.
    #[error("a manifest says that the blob {digest} has {stated} bytes, but it has {actual}")]
    BlobSize {
        /// The blob.
        digest: Digest,
        /// What the manifest says.
        stated: u64,
        /// What it is.
        actual: u64,
    },
    /// The upstream has none of the tags that the remote names.
    #[error("{url} has none of the tags that the remote includes: {tags}")]
    NothingFound {
        /// The repository.
        url: String,
        /// The first of the tags.
        tags: String,
    },
    /// An exact mirror would lose all its tags.
    #[error(
        "{url} lists {listed} tags, of which the remote takes none ({filter}): an exact mirror would remove all {held} \
         tags of the repository"
    )]
    WouldEmpty {
        /// The repository.
        url: String,
        /// What the remote takes.
        filter: String,
        /// How many tags there are upstream.
        listed: usize,
        /// How many tags the repository has.
        held: usize,
    },
    /// A field of the remote cannot be used.
    #[error("the remote's {field} cannot be used: {reason}")]
    Remote {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A filter of the remote cannot be used.
    #[error("the remote's filters cannot be used: {0}")]
    Filter(#[from] NameError),
    /// A later release accepted the task.
    #[error("this worker's release does not know this kind of task; one of a later release has to run it")]
    LaterRelease,
    /// The code that ran the job panicked.
    #[error("the job ended unexpectedly; the log of the worker has the cause")]
    Panicked,
}

impl JobError {
    /// Whether another attempt may succeed without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Upstream(error) => error.is_transient(),
            Self::Storage(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether somebody else has the task by now.
    pub(crate) fn is_fenced(&self) -> bool {
        matches!(self, Self::Storage(StorageError::Fenced))
    }

    /// How long the upstream asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Upstream(
                UpstreamError::RateLimited { retry_after, .. } | UpstreamError::Status { retry_after, .. },
            ) => *retry_after,
            _ => None,
        }
    }

    /// A stable word for the kind of cause.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Upstream(error) => upstream_code(error),
            Self::Storage(error) => storage_code(error),
            Self::Received { source: StorageError::SizeMismatch { .. }, .. } => "upstream.size_mismatch",
            Self::Received { .. } => "upstream.digest_mismatch",
            Self::Manifest { .. } => "manifest.invalid",
            Self::TooDeep { .. } => "manifest.too_deep",
            Self::BlobSize { .. } => "manifest.blob_size",
            Self::NothingFound { .. } | Self::WouldEmpty { .. } => "upstream.not_found",
            Self::Remote { .. } | Self::Filter(_) => "remote.setting",
            Self::LaterRelease => "worker.release",
            Self::Panicked => "internal",
        }
    }

    /// What clients are told.
    pub fn to_task_error(&self) -> TaskError {
        TaskError { description: self.to_string(), code: self.code().to_owned() }
    }
}

fn upstream_code(error: &UpstreamError) -> &'static str {
    match error {
        UpstreamError::Setting { .. } => "remote.setting",
        UpstreamError::Unauthorized { .. } => "upstream.unauthorized",
        UpstreamError::Forbidden { .. } => "upstream.forbidden",
        UpstreamError::NotFound { .. } => "upstream.not_found",
        UpstreamError::RateLimited { .. } => "upstream.rate_limited",
        UpstreamError::Status { .. } => "upstream.status",
        UpstreamError::RedirectLoop { .. }
        | UpstreamError::TooManyRedirects { .. }
        | UpstreamError::InsecureRedirect { .. } => "upstream.redirect",
        UpstreamError::TooLarge { .. } => "upstream.too_large",
        UpstreamError::TooSlow { .. } => "upstream.too_slow",
        UpstreamError::Truncated { .. } => "upstream.truncated",
        UpstreamError::DigestMismatch { .. } => "upstream.digest_mismatch",
        UpstreamError::SizeMismatch { .. } => "upstream.size_mismatch",
        error if error.is_unreachable() => UNREACHABLE,
        UpstreamError::Connect { .. } => "upstream.connect",
        UpstreamError::Proxy { .. } | UpstreamError::ProxyUnauthorized { .. } => "upstream.proxy",
        UpstreamError::Tls { .. } | UpstreamError::InsecureRealm { .. } => "upstream.tls",
        UpstreamError::Broken { .. } => "upstream.broken",
        UpstreamError::Timeout { .. } => "upstream.timeout",
        _ => "upstream.bad_answer",
    }
}

fn storage_code(error: &StorageError) -> &'static str {
    match error {
        StorageError::Invalid { .. } => "invalid",
        StorageError::NotFound { .. } => "not_found",
        StorageError::InUse { .. } => "in_use",
        StorageError::DiskFull(_) => "storage.disk_full",
        StorageError::BlobMissing(_) => "storage.blob_missing",
        StorageError::Io { .. } | StorageError::ObjectStore(_) => "storage.io",
        StorageError::Database(_) | StorageError::Driver(_) => "storage.database",
        _ => "storage.failed",
    }
}
