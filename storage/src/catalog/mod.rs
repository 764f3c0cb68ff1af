//! The catalog: everything but the blobs' bytes, in SQLite or PostgreSQL.
//!
//! [`Catalog`] is a cheap handle; [`Tx`] is one writing transaction. On SQLite there is one writing connection and
//! every transaction begins IMMEDIATE, since a transaction that reads first and writes later fails under load.

pub mod any_content;
pub mod artifact_uploads;
mod artifacts;
mod blob_places;
mod change;
mod changes;
pub mod content;
mod delete_version;
pub mod distributions;
pub mod held_blobs;
pub(crate) mod labels;
pub(crate) mod list;
mod membership;
mod modify;
pub mod orphans;
mod parts;
mod passwords;
mod publish;
mod push;
pub mod push_target;
pub mod referrers;
pub mod remotes;
mod removal;
pub mod repositories;
pub mod schedule_fires;
pub mod schedules;
mod secrets;
pub mod served;
pub mod sync;
pub mod task_groups;
pub mod task_logs;
pub mod tasks;
pub mod uploads;
pub mod users;
pub mod versions;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use registry::{Clock, Timestamp};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgConnection, PgPool, SqlitePool};

use crate::error::{Result, StorageError};
use crate::secret_key::SecretKey;
use served::ServedCache;
use users::CredentialCache;

/// How long a writer on SQLite waits for another process before it gives up.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long PostgreSQL lets a transaction wait for its process. A process that is frozen in the middle of one, or whose
/// host is gone, would keep its locks for hours, and with them every task of all the others.
const POSTGRES_IDLE_TIMEOUT: &str = "10s";
/// `pg_advisory_lock` key that migrations run under, so that replicas may start together: "entrepot" in ASCII.
const MIGRATION_LOCK: i64 = 0x656e_7472_6570_6f74;

/// `pg_advisory_xact_lock` key of changes of resources: "resource" in ASCII.
const RESOURCE_LOCK: i64 = 0x7265_736f_7572_6365;

/// `pg_advisory_xact_lock` key of the recording of content: "contents" in ASCII.
const CONTENT_LOCK: i64 = 0x636f_6e74_656e_7473;

/// `pg_advisory_xact_lock` key of the cleanup of orphans: "cleaning" in ASCII.
const CLEANUP_LOCK: i64 = 0x636c_6561_6e69_6e67;

/// How often the cleanup looks whether nobody publishes, before it makes those who want to wait behind it.
const CLEANUP_TRIES: u32 = 400;
const CLEANUP_PAUSE: Duration = Duration::from_millis(25);

/// What the catalog needs to start.
#[derive(Debug)]
pub struct CatalogConfig {
    /// `sqlite:path` or `postgres://…`.
    pub database_url: String,
    /// Seals the secrets that are stored.
    pub secret_key: SecretKey,
    /// Most connections to PostgreSQL, or most readers of SQLite.
    pub max_connections: u32,
    /// How many tasks may talk to the same upstream at once, on all workers together.
    pub tasks_per_upstream: u32,
}

/// A handle to the catalog. Clones share everything.
#[derive(Clone)]
pub struct Catalog(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) read: DatabaseConnection,
    pub(crate) write: DatabaseConnection,
    /// Heartbeats must get through when every other connection is busy.
    pub(crate) heartbeat: DatabaseConnection,
    pub(crate) pool: Pool,
    pub(crate) tasks_per_upstream: u32,
    pub(crate) clock: Clock,
    pub(crate) key: SecretKey,
    /// Grows with every commit of this process: caches of what may change compare it.
    pub(crate) generation: AtomicU64,
    pub(crate) served: ServedCache,
    pub(crate) credentials: CredentialCache,
    pub(crate) passwords: passwords::Passwords,
    pub(crate) signals: crate::queue::Signals,
    pub(crate) metrics: crate::queue::QueueMetrics,
}

/// The pool that apalis shares with us.
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog")
            .field("backend", &self.0.write.get_database_backend())
            .finish_non_exhaustive()
    }
}

impl Catalog {
    /// Opens the database, and makes an empty one where a SQLite file is missing. Changes no tables:
    /// see [`Catalog::migrate`].
    pub async fn connect(config: CatalogConfig, clock: Clock) -> Result<Self> {
        let url = &config.database_url;
        let (read, write, heartbeat, pool) = if url.starts_with("sqlite:") {
            connect_sqlite(url, config.max_connections).await?
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            connect_postgres(url, config.max_connections).await?
        } else {
            return Err(StorageError::UnknownDatabase);
        };
        Ok(Self(Arc::new(Inner {
            read,
            write,
            heartbeat,
            pool,
            tasks_per_upstream: config.tasks_per_upstream.max(1),
            clock,
            key: config.secret_key,
            generation: AtomicU64::new(0),
            served: ServedCache::default(),
            credentials: CredentialCache::default(),
            passwords: passwords::Passwords::default(),
            signals: crate::queue::Signals::default(),
            metrics: crate::queue::QueueMetrics::default(),
        })))
    }

    /// Brings the tables up to date, ours and apalis's. Several processes may call this at once.
    pub async fn migrate(&self) -> Result<()> {
        use migrations::MigratorTrait;
        match &self.0.pool {
            Pool::Sqlite(pool) => {
                apalis_sqlite::SqliteStorage::migrations().set_ignore_missing(true).run(pool).await?;
                migrations::Migrator::up(&self.0.write, None).await?;
            }
            Pool::Postgres(pool) => {
                // A lock of the session, on a connection of its own: one from the pool could be the last.
                let mut guard = PgConnection::connect_with(&pool.connect_options()).await?;
                sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATION_LOCK).execute(&mut guard).await?;
                let outcome = async {
                    apalis_postgres::PostgresStorage::migrations().set_ignore_missing(true).run(pool).await?;
                    migrations::Migrator::up(&self.0.write, None).await?;
                    Ok(())
                }
                .await;
                sqlx::query("SELECT pg_advisory_unlock($1)").bind(MIGRATION_LOCK).execute(&mut guard).await?;
                return outcome;
            }
        }
        Ok(())
    }

    /// What this process did with tasks.
    pub fn queue_metrics(&self) -> &crate::queue::QueueMetrics {
        &self.0.metrics
    }

    /// Where the time comes from.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        Ok(self.0.read.execute_unprepared("SELECT 1").await.map(drop)?)
    }

    /// Begins a writing transaction. Dropping it without [`Tx::commit`] undoes it.
    pub async fn begin(&self) -> Result<Tx> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let inner = self.0.write.begin_with_options(options).await?;
        Ok(Tx {
            inner,
            catalog: self.clone(),
            now: self.now(),
            dispatched: Vec::new(),
            canceling: false,
            happenings: Vec::new(),
        })
    }

    /// Closes all connections, after those that are in use have been given back.
    pub async fn close(self) {
        match &self.0.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
        // The last connection to close folds SQLite's log into the database.
        for connection in [&self.0.read, &self.0.heartbeat, &self.0.write] {
            if let Err(error) = connection.close_by_ref().await {
                tracing::warn!(%error, "a database connection could not be closed");
            }
        }
    }

    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.0.read
    }

    pub(crate) fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }
}

/// One writing transaction.
pub struct Tx {
    pub(crate) inner: DatabaseTransaction,
    pub(crate) catalog: Catalog,
    now: Timestamp,
    /// The queues that jobs were given to: their workers are woken after the commit.
    pub(crate) dispatched: Vec<crate::queue::JobQueue>,
    /// Running tasks were asked to end: their workers look after the commit.
    pub(crate) canceling: bool,
    /// What happened to tasks: counted after the commit.
    pub(crate) happenings: Vec<crate::queue::Happening>,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Tx {
    /// Makes the changes durable and visible, all at once.
    pub async fn commit(self) -> Result<()> {
        let Self { inner, catalog, dispatched, canceling, happenings, .. } = self;
        inner.commit().await?;
        catalog.0.generation.fetch_add(1, Ordering::AcqRel);
        catalog.0.metrics.count(happenings);
        catalog.0.signals.after_commit(&dispatched);
        if canceling {
            catalog.0.signals.cancel_asked();
        }
        Ok(())
    }

    /// The moment that all changes of this transaction are dated with.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Encrypts `value`, for fields of [`registry::task::Work`] that may hold secrets.
    pub fn seal<T: serde::Serialize>(&self, value: &T) -> Result<serde_json::Value> {
        let plain = serde_json::to_vec(value).map_err(|error| StorageError::corrupt("document", error))?;
        Ok(serde_json::Value::String(self.catalog.0.key.seal(&plain)))
    }

    /// Opens what [`Tx::seal`] made.
    pub(crate) fn unseal<T: serde::de::DeserializeOwned>(&self, sealed: &serde_json::Value) -> Result<T> {
        let text = sealed.as_str().ok_or(StorageError::WrongKey)?;
        serde_json::from_slice(&self.catalog.0.key.open(text)?)
            .map_err(|error| StorageError::corrupt("sealed document", error))
    }

    /// Serialises changes of repositories, remotes and distributions: their rules look at rows before they write some.
    /// Taken before anything is read, and before the queue's lock.
    pub(crate) async fn lock_resources(&self) -> Result<()> {
        self.lock(RESOURCE_LOCK).await
    }

    /// Serialises the recording of content: what one transaction looks for and misses, another must not be adding.
    /// Taken after whatever else but the queue's lock.
    pub(crate) async fn lock_content(&self) -> Result<()> {
        self.lock(CONTENT_LOCK).await
    }

    /// Keeps the cleanup of orphans out until this transaction ends, so that content that it finds is there when it commits.
    /// Taken after the lock of resources and before that of content; many hold it at once.
    pub(crate) async fn keep_content(&self) -> Result<()> {
        self.advise("SELECT pg_advisory_xact_lock_shared($1)", CLEANUP_LOCK).await
    }

    /// Waits until nobody keeps content, without others having to wait behind this transaction.
    pub(crate) async fn lock_cleanup(&self) -> Result<()> {
        if !self.is_postgres() {
            return Ok(());
        }
        let backend = self.inner.get_database_backend();
        for _ in 0..CLEANUP_TRIES {
            let sql = "SELECT pg_try_advisory_xact_lock($1)";
            let asked = Statement::from_sql_and_values(backend, sql, [CLEANUP_LOCK.into()]);
            let answer = self.inner.query_one_raw(asked).await?;
            if answer.map(|row| row.try_get_by_index(0)).transpose()? == Some(true) {
                return Ok(());
            }
            tokio::time::sleep(CLEANUP_PAUSE).await;
        }
        self.lock(CLEANUP_LOCK).await
    }

    /// Holds an advisory lock until the transaction ends. On SQLite the transaction itself is one.
    pub(crate) async fn lock(&self, key: i64) -> Result<()> {
        self.advise("SELECT pg_advisory_xact_lock($1)", key).await
    }

    async fn advise(&self, sql: &str, key: i64) -> Result<()> {
        if self.is_postgres() {
            let backend = self.inner.get_database_backend();
            self.inner.execute_raw(Statement::from_sql_and_values(backend, sql, [key.into()])).await?;
        }
        Ok(())
    }

    pub(crate) fn now_micros(&self) -> i64 {
        self.now.as_micros()
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.inner.get_database_backend() == DbBackend::Postgres
    }
}

type Connections = (DatabaseConnection, DatabaseConnection, DatabaseConnection, Pool);

async fn connect_sqlite(url: &str, readers: u32) -> Result<Connections> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .foreign_keys(true)
        .with_regexp();
    let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    let read = SqlitePoolOptions::new()
        .max_connections(readers.max(1))
        .connect_with(options.clone().pragma("query_only", "ON"))
        .await?;
    // apalis gets connections of its own: one of its futures that is no longer polled must not hold the only writer.
    let queue = SqlitePoolOptions::new().max_connections(2).connect_with(options).await?;
    Ok((
        DatabaseConnection::from(read),
        DatabaseConnection::from(write.clone()),
        DatabaseConnection::from(write),
        Pool::Sqlite(queue),
    ))
}

async fn connect_postgres(url: &str, max_connections: u32) -> Result<Connections> {
    let options = PgConnectOptions::from_str(url)?
        .application_name("entrepot")
        .options([("idle_in_transaction_session_timeout", POSTGRES_IDLE_TIMEOUT)]);
    // A pool would go on trying until its patience ends; one connection tells the cause at once.
    PgConnection::connect_with(&options).await?.close().await?;
    let pool =
        PgPoolOptions::new().max_connections(max_connections.max(4)).connect_with(options.clone()).await?;
    let heartbeat = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
    Ok((
        DatabaseConnection::from(pool.clone()),
        DatabaseConnection::from(pool.clone()),
        DatabaseConnection::from(heartbeat),
        Pool::Postgres(pool),
    ))
}
