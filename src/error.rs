//! Why a command ends without having done what it should.

use std::net::SocketAddr;
use std::path::PathBuf;

use registry::{Digest, NameError, RepositoryName};
use storage::StorageError;
use thiserror::Error;
use upstream::UpstreamError;

use crate::settings::{Key, SettingsError, Source};

/// Why a command ends without having done what it should.
#[derive(Debug, Error)]
pub enum Error {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The data folder cannot be made or opened.
    #[error("the data folder {} (from {from}) cannot be used", .path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// Who set it.
        from: Source,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Another process works with the data folder.
    #[error(
        "the data folder {} is in use by another entrepot process{holder}: stop that one first, \
         or choose another folder by --data-dir or ENTREPOT_DATA_DIR",
        .path.display()
    )]
    DataFolderBusy {
        /// The folder.
        path: PathBuf,
        /// ` (process 42)` when that is known.
        holder: String,
    },
    /// There is nothing in the data folder that a command could work on.
    #[error("there is no database in the data folder {} yet: start entrepot first, or name the folder by --data-dir", .0.display())]
    NothingThere(PathBuf),
    /// The address is taken.
    #[error(
        "another program listens on {address} already ({}, from {from}): choose another port by {} or {}",
        .key.name, .key.flag.unwrap_or_default(), .key.variable
    )]
    AddressTaken {
        /// The setting.
        key: &'static Key,
        /// The address.
        address: SocketAddr,
        /// Who set it.
        from: Source,
    },
    /// The address cannot be listened on.
    #[error("the address {address} cannot be listened on ({}, from {from})", .key.name)]
    Listen {
        /// The setting.
        key: &'static Key,
        /// The address.
        address: SocketAddr,
        /// Who set it.
        from: Source,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Several processes cannot work on SQLite.
    #[error(
        "`entrepot {command}` shares the database with other processes, which takes PostgreSQL, but the database \
         (database_url, from {from}) is SQLite: give postgres://… by --database-url or ENTREPOT_DATABASE_URL, or \
         run all in one process by `entrepot serve`"
    )]
    NeedsPostgres {
        /// The command.
        command: &'static str,
        /// Who set the database.
        from: Source,
    },
    /// The database cannot be opened.
    #[error("the database (database_url, from {from}) cannot be used")]
    Database {
        /// Who set it.
        from: Source,
        /// The cause.
        #[source]
        source: StorageError,
    },
    /// The catalog or the blob store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The HTTP surfaces cannot start.
    #[error(transparent)]
    Server(#[from] server::ServerError),
    /// The HTTP surfaces ended.
    #[error("the server ended unexpectedly")]
    Serving(#[source] std::io::Error),
    /// The worker cannot start.
    #[error(transparent)]
    Worker(#[from] worker::WorkerError),
    /// A part of the service ended that should have gone on.
    #[error("the {0} ended unexpectedly; the log has the cause")]
    Ended(&'static str),
    /// The process cannot be told about signals.
    #[error("signals cannot be listened for")]
    Signals(#[source] std::io::Error),
    /// A tag pattern can match nothing.
    #[error("--tags and --exclude-tags: {0}")]
    TagPattern(#[source] NameError),
    /// The password could not be read from the standard input.
    #[error("the password cannot be read from the standard input")]
    PasswordInput(#[source] std::io::Error),
    /// The name belongs to a mirror of something else.
    #[error("{name} is here already, as a mirror of {held}: choose another name for {wanted} by --name")]
    OtherUpstream {
        /// The name.
        name: RepositoryName,
        /// What it mirrors.
        held: String,
        /// What it should mirror.
        wanted: String,
    },
    /// The name belongs to a repository that was filled by pushes.
    #[error("{0} is a repository of its own here, not a mirror: choose another name by --name")]
    NotAMirror(RepositoryName),
    /// What is wanted cannot be served under the name.
    #[error("nothing new can be served under {name}: {reason}; choose another name by --name")]
    NameTaken {
        /// The name.
        name: RepositoryName,
        /// Why.
        reason: String,
    },
    /// The sync failed.
    #[error("{image} could not be mirrored: {reason}")]
    SyncFailed {
        /// What should be mirrored.
        image: String,
        /// Why not.
        reason: String,
    },
    /// The sync was canceled, by whomever.
    #[error("the sync was canceled")]
    Canceled,
    /// Somebody asked to stop before the command had done its work.
    #[error("interrupted: what has arrived is kept, and the same command goes on from there")]
    Interrupted,
    /// The demo's images cannot be made.
    #[error("the demo's images cannot be made")]
    Images(#[source] std::io::Error),
    /// Pulling back failed.
    #[error("pulling {name} back failed")]
    PullBack {
        /// What was pulled.
        name: RepositoryName,
        /// The cause.
        #[source]
        source: UpstreamError,
    },
    /// What was pulled back isn't what was put in.
    #[error("{name} has {actual} where {expected} should be: {what}")]
    Mismatch {
        /// The repository.
        name: RepositoryName,
        /// The tag or part.
        what: String,
        /// The digest it should have.
        expected: Digest,
        /// The digest it has.
        actual: Digest,
    },
    /// Something that was put in is not there.
    #[error("{name} lacks {what}")]
    Lacking {
        /// The repository.
        name: RepositoryName,
        /// The tag or part.
        what: String,
    },
}
