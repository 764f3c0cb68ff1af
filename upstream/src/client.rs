//! The client: what is shared by all requests to one repository of one registry.

use std::sync::Arc;

use registry::Clock;

use crate::{Limits, UpstreamConfig, UpstreamError};

/// Reads one repository of one registry. A clone is cheap and shares everything: connections, tokens,
/// the rate limit and the number of requests at a time.
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: UpstreamConfig,
}

impl Client {
    /// A client with the default limits. Fails with [`UpstreamError::Setting`] if a setting cannot be used.
    pub fn new(config: UpstreamConfig, clock: Clock) -> Result<Self, UpstreamError> {
        Self::with_limits(config, clock, Limits::default())
    }

    /// As [`Client::new`], with other limits; tests shorten the times.
    pub fn with_limits(
        config: UpstreamConfig,
        _clock: Clock,
        _limits: Limits,
    ) -> Result<Self, UpstreamError> {
        Ok(Self(Arc::new(Inner { config })))
    }

    /// The settings that the client was made with.
    pub fn config(&self) -> &UpstreamConfig {
        &self.0.config
    }

    /// How many HTTP requests were made so far, tokens, redirects and retries included.
    pub fn request_count(&self) -> u64 {
        0
    }

    pub(crate) fn unfinished(&self) -> UpstreamError {
        UpstreamError::NotFound { url: crate::SafeUrl::of(&self.0.config.url, &self.0.config.url) }
    }
}
