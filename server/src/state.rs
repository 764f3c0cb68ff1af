//! What every handler shares.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use registry::Timestamp;
use storage::{BlobStore, Catalog};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::origin::PublicOrigin;
use crate::token::TokenIssuer;
use crate::{ServerConfig, ServerError};

/// The name that the signing key is stored under, the same for all servers of one catalog.
const SIGNING_KEY: &str = "token-signing-key";

/// The parts that requests are answered from. Clones are cheap and share everything.
#[derive(Clone)]
pub struct AppState {
    /// All durable state but the blobs' bytes.
    pub catalog: Catalog,
    /// The blobs' bytes.
    pub blobs: BlobStore,
    /// The settings.
    pub config: Arc<ServerConfig>,
    /// When this server started.
    pub started: Timestamp,
    pub(crate) tokens: Arc<TokenIssuer>,
    pub(crate) public_origin: Option<Arc<PublicOrigin>>,
    pub(crate) metrics: Metrics,
    /// A permit for each stream of events.
    pub(crate) event_streams: Arc<Semaphore>,
    /// Canceled when the server shuts down: answers without an end end then.
    pub(crate) closing: CancellationToken,
}

impl AppState {
    /// Checks the settings and loads the token signing key, which the first server makes.
    pub async fn new(
        catalog: Catalog,
        blobs: BlobStore,
        config: Arc<ServerConfig>,
    ) -> Result<Self, ServerError> {
        let public_origin = config.public_url.as_deref().map(PublicOrigin::parse).transpose()?.map(Arc::new);
        let key = catalog.stored_secret(SIGNING_KEY, TokenIssuer::make_key).await?;
        let tokens = Arc::new(TokenIssuer::from_key(&key, catalog.clock().clone())?);
        let started = catalog.now();
        Ok(Self {
            metrics: Metrics::new(Registry::default()),
            event_streams: Arc::new(Semaphore::new(config.max_event_streams)),
            closing: CancellationToken::new(),
            catalog,
            blobs,
            config,
            started,
            tokens,
            public_origin,
        })
    }

    /// Shows at `/metrics` what others have entered into `registry`, too.
    #[must_use]
    pub fn with_metrics(self, registry: Registry) -> Self {
        Self { metrics: Metrics::new(registry), ..self }
    }
}
