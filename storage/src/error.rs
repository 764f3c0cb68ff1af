//! Why storage refuses or fails.

use registry::Digest;
use thiserror::Error;

/// What every function of this crate can end with.
#[derive(Debug, Error)]
pub enum StorageError {
    /// A rule of the data would be broken; names the field in the API's words.
    #[error("{field}: {message}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The thing that was named doesn't exist.
    #[error("no {kind} matches the given query")]
    NotFound {
        /// `Repository`, `Remote`…
        kind: &'static str,
    },
    /// It can't go while something else needs it.
    #[error("{field}: {message}")]
    InUse {
        /// The field by which it is needed.
        field: &'static str,
        /// By what, and what to do first.
        message: String,
    },
    /// This worker no longer owns the task: nothing of what it does may take effect.
    #[error("the task was taken over by another worker")]
    Fenced,
    /// The bytes are not what their digest says.
    #[error("the content has the digest {actual}, not {expected}")]
    DigestMismatch {
        /// The digest they should have.
        expected: Digest,
        /// The digest they have.
        actual: Digest,
    },
    /// There are more or fewer bytes than there should be.
    #[error("the content has {actual} bytes, not {expected}")]
    SizeMismatch {
        /// How many there should be.
        expected: u64,
        /// How many there are.
        actual: u64,
    },
    /// A blob or manifest that something needs is not in the store.
    #[error("{0} is not in the store")]
    BlobMissing(Digest),
    /// The store's disk is full.
    #[error("no space is left in the store: free some, then try again")]
    DiskFull(#[source] std::io::Error),
    /// Reading or writing a file failed.
    #[error("the store failed to {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The object store failed.
    #[error("the blob store failed")]
    ObjectStore(#[from] object_store::Error),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
    /// The database's driver failed.
    #[error("the database failed")]
    Driver(#[from] sqlx::Error),
    /// The migrations of the queue's tables failed.
    #[error("the queue's tables could not be brought up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The database's URL is of no kind that is supported.
    #[error("the database URL must start with sqlite: or postgres://")]
    UnknownDatabase,
    /// Something was stored that can't be read: a bug, or a database that somebody edited.
    #[error("the database holds a {what} that cannot be read")]
    Corrupt {
        /// What it is.
        what: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stored secret can't be opened: the key file isn't the one it was sealed with.
    #[error(
        "a stored secret cannot be opened: is the secret key file the one that this database was made with?"
    )]
    WrongKey,
    /// Hashing a password failed.
    #[error("the password could not be hashed: {0}")]
    PasswordHash(String),
    /// A background thread died.
    #[error("a blocking operation was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl StorageError {
    /// Whether trying again later can help: the database or the disk was away, or what was there a moment ago went as an
    /// orphan; the request isn't wrong.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Database(_)
                | Self::Driver(_)
                | Self::ObjectStore(_)
                | Self::Interrupted(_)
                | Self::BlobMissing(_)
        )
    }

    pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }

    pub(crate) fn corrupt(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Corrupt { what, source: source.into() }
    }

    /// A failed file operation; a full disk gets its own variant, since operators can mend that.
    pub(crate) fn io(action: &'static str, path: &std::path::Path, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::StorageFull
            || source.kind() == std::io::ErrorKind::QuotaExceeded
        {
            Self::DiskFull(source)
        } else {
            Self::Io { action, path: path.display().to_string(), source }
        }
    }
}

/// The result of every function of this crate.
pub(crate) type Result<T> = std::result::Result<T, StorageError>;
