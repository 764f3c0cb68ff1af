//! The service: the HTTP surfaces and the worker on one catalog and one blob store, in one process or in several.

mod folder;
mod place;
mod signals;
mod stores;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use server::{AppState, ServerConfig, Surface};
use storage::{BlobStore, Catalog};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use worker::WorkerConfig;

pub use folder::FolderLock;
pub use place::Place;
pub use signals::stop_on_signals;
pub use stores::{Stores, open_catalog};

use crate::settings::{Key, Setting, keys};
use crate::{Error, Settings, telemetry};

/// The user that the first start makes.
pub const ADMIN: &str = "admin";

/// How long the database may take to close when everything else has ended.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// What of the service a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// All of it, alone with its data folder.
    All,
    /// The HTTP surfaces. Others like it, and workers, share the database.
    Server,
    /// The worker, likewise.
    Worker,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::All => "serve",
            Self::Server => "server",
            Self::Worker => "worker",
        }
    }

    /// Where it answers: workers tell only how they are.
    const fn address(self, settings: &Settings) -> (&'static Key, &Setting<SocketAddr>) {
        match self {
            Self::All | Self::Server => (&keys::LISTEN, &settings.listen),
            Self::Worker => (&keys::WORKER_LISTEN, &settings.worker_listen),
        }
    }

    fn lock(self, settings: &Settings) -> Result<FolderLock, Error> {
        match self {
            Self::All => FolderLock::take(&settings.data_dir),
            Self::Server | Self::Worker if settings.is_sqlite() => {
                Err(Error::NeedsPostgres { command: self.name(), from: settings.database_url.source.clone() })
            }
            Self::Server | Self::Worker => FolderLock::share(&settings.data_dir),
        }
    }
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    /// The catalog that it works on.
    pub catalog: Catalog,
    /// The blobs that it works on.
    pub blobs: BlobStore,
    /// Where it is reached.
    pub place: Place,
    parts: JoinSet<Result<&'static str, Error>>,
    shutdown: CancellationToken,
    _lock: FolderLock,
}

/// `entrepot serve`, `entrepot server` and `entrepot worker`
pub async fn run(settings: &Settings, role: Role) -> Result<(), Error> {
    let stop = stop_on_signals()?;
    let service = Service::start(settings, role).await?;
    let url = service.place.url();
    if telemetry::is_for_people(settings) {
        eprintln!("Entrepot is ready: {url}");
    } else {
        tracing::info!(url, "Entrepot is ready: {url}");
    }
    service.run_until(&stop).await
}

impl Service {
    /// Opens the stores and starts what the role runs. What is likely to be wrong is found out first: nothing is
    /// made in vain.
    pub async fn start(settings: &Settings, role: Role) -> Result<Self, Error> {
        let lock = role.lock(settings)?;
        let listener = listen(role.address(settings)).await?;
        let Stores { catalog, blobs, lock } = Stores::open(settings, lock).await?;
        let address = listener.local_addr().map_err(Error::Serving)?;
        let mut registry = Registry::default();
        let metrics = registry.sub_registry_with_prefix("entrepot");
        catalog.queue_metrics().register(metrics);
        let worker_config = worker_config(settings);
        worker_config.metrics.register(metrics);
        let state = AppState::new(catalog.clone(), blobs.clone(), Arc::new(server_config(settings))).await?;
        let state = state.with_metrics(registry);
        let shutdown = CancellationToken::new();
        let mut parts = JoinSet::new();
        let surface = if role == Role::Worker { Surface::Health } else { Surface::All };
        let serving = server::serve(state, surface, listener, shutdown.clone());
        parts.spawn(async { serving.await.map(|()| "server").map_err(Error::Serving) });
        if role == Role::Server {
            let firing = worker::fire_schedules(catalog.clone(), shutdown.clone());
            parts.spawn(async {
                firing.await;
                Ok("scheduler")
            });
        } else {
            let working = worker::run(catalog.clone(), blobs.clone(), worker_config, shutdown.clone());
            parts.spawn(async { Ok(working.await.map(|()| "worker")?) });
        }
        let public_url = settings.public_url.as_ref().map(|url| url.value.clone());
        Ok(Self { catalog, blobs, place: Place::new(address, public_url), parts, shutdown, _lock: lock })
    }

    /// Goes on until `stop`, then ends in order. Ends with an error if a part does not go on so long.
    pub async fn run_until(mut self, stop: &CancellationToken) -> Result<(), Error> {
        let ended = tokio::select! {
            () = stop.cancelled() => None,
            ended = self.parts.join_next() => ended,
        };
        let stopped = self.stop().await;
        match ended {
            None => stopped,
            Some(Ok(Ok(part))) => Err(Error::Ended(part)),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err(Error::Ended("service")),
        }
    }

    /// Accepts nothing more, lets requests finish, hands tasks back, and closes the catalog.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.shutdown.cancel();
        let mut outcome = Ok(());
        while let Some(ended) = self.parts.join_next().await {
            match ended {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => outcome = Err(error),
                Err(_) => outcome = Err(Error::Ended("service")),
            }
        }
        if tokio::time::timeout(CLOSE_PATIENCE, self.catalog.close()).await.is_err() {
            tracing::warn!("the database took too long to close");
        }
        outcome
    }
}

async fn listen((key, listen): (&'static Key, &Setting<SocketAddr>)) -> Result<TcpListener, Error> {
    let address = listen.value;
    let from = listen.source.clone();
    let listener = TcpListener::bind(address).await.map_err(|source| {
        if source.kind() == std::io::ErrorKind::AddrInUse {
            Error::AddressTaken { key, address, from }
        } else {
            Error::Listen { key, address, from, source }
        }
    })?;
    if !is_loopback(address) {
        tracing::warn!(
            address = %address,
            "{address} can be reached from other machines, by plain HTTP: put a proxy with TLS before it"
        );
    }
    Ok(listener)
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn worker_config(settings: &Settings) -> WorkerConfig {
    let days = settings.task_retention_days.value;
    WorkerConfig {
        concurrency: settings.worker_concurrency.value,
        upload_expiry: settings.upload_expiry.value,
        task_retention: (days > 0).then(|| Duration::from_hours(24 * u64::from(days))),
        logs: telemetry::task_logs(),
        ..WorkerConfig::default()
    }
}

fn server_config(settings: &Settings) -> ServerConfig {
    ServerConfig {
        public_url: settings.public_url.as_ref().map(|url| url.value.clone()),
        token_auth: settings.token_auth.value,
        anonymous_catalog: settings.anonymous_catalog.value,
        anonymous_metrics: settings.anonymous_metrics.value,
        orphan_protection_minutes: settings.orphan_protection_time.value,
        shutdown_grace: settings.shutdown_grace.value,
        max_uploads: settings.max_uploads.value,
        upload_expiry: settings.upload_expiry.value,
        max_blob_bytes: settings.max_blob_gib.value << 30,
        push_timeout: settings.push_timeout.value,
        ..ServerConfig::default()
    }
}
