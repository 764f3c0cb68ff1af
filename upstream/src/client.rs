//! The client: what is shared by all requests to one repository of one registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use registry::Clock;
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::auth::Auth;
use crate::contacts::Contacts;
use crate::exchange::{Answer, Request};
use crate::limits::{DOWNLOAD_CONCURRENCY, MAX_RETRIES};
use crate::pace::Pace;
use crate::proxy::Proxy;
use crate::retry::{Retries, RetryPolicy};
use crate::{Limits, UpstreamConfig, UpstreamError, transport};

/// Reads one repository of one registry. A clone is cheap and shares everything: connections, tokens,
/// the rate limit, and the permits for requests at a time.
///
/// Each listing, manifest and open blob holds a permit; a [`crate::BlobReader`] gives its back when dropped.
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: UpstreamConfig,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) connections: reqwest::Client,
    /// The user's own headers.
    pub(crate) headers: HeaderMap,
    pub(crate) auth: Auth,
    pub(crate) contacts: Contacts,
    /// The proxy that the settings name.
    pub(crate) proxy: Option<Proxy>,
    pub(crate) pace: Pace,
    pub(crate) requests: AtomicU64,
    pub(crate) retry_policy: RetryPolicy,
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) small_answer_timeout: Duration,
    permits: Arc<Semaphore>,
}

impl Client {
    /// A client with the default limits. Fails with [`UpstreamError::Setting`] if a setting cannot be used.
    pub fn new(config: UpstreamConfig, clock: Clock) -> Result<Self, UpstreamError> {
        Self::with_limits(config, clock, Limits::default())
    }

    /// As [`Client::new`], with other limits; tests shorten the times.
    pub fn with_limits(
        mut config: UpstreamConfig,
        clock: Clock,
        limits: Limits,
    ) -> Result<Self, UpstreamError> {
        transport::check_url(&config.url)?;
        config.url.set_query(None);
        config.url.set_fragment(None);
        let concurrency = config.download_concurrency.unwrap_or(DOWNLOAD_CONCURRENCY);
        Ok(Self(Arc::new(Inner {
            connections: transport::connections(&config, &limits)?,
            headers: transport::custom_headers(&config)?,
            auth: Auth::default(),
            contacts: Contacts::default(),
            proxy: Proxy::of(&config),
            pace: Pace::new(config.rate_limit),
            requests: AtomicU64::new(0),
            retry_policy: RetryPolicy::new(config.max_retries.unwrap_or(MAX_RETRIES), &limits),
            connect_timeout: transport::connect_timeout(&config, &limits),
            read_timeout: config.sock_read_timeout.unwrap_or(limits.read),
            small_answer_timeout: config.total_timeout.unwrap_or(limits.small_answer),
            permits: Arc::new(Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS))),
            config,
            clock,
            limits,
        })))
    }

    /// The settings that the client was made with.
    pub fn config(&self) -> &UpstreamConfig {
        &self.0.config
    }

    /// How many HTTP requests were made so far, tokens, redirects and retries included.
    pub fn request_count(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// Waits until one more request may be under way.
    pub(crate) async fn permit(&self) -> OwnedSemaphorePermit {
        let permits = Arc::clone(&self.0.permits);
        permits.acquire_owned().await.expect("the semaphore lives as long as the client and is never closed")
    }

    /// Does the work until it succeeds, fails for good, or has failed too often.
    pub(crate) async fn retrying<T, W>(&self, mut work: impl FnMut() -> W) -> Result<T, UpstreamError>
    where
        W: Future<Output = Result<T, UpstreamError>>,
    {
        let mut retries = Retries::new(&self.0.retry_policy);
        loop {
            match work().await {
                Ok(done) => return Ok(done),
                Err(error) => retries.wait_after(error).await?,
            }
        }
    }
}

impl Inner {
    /// The URL of something in the repository, such as `manifests/latest`.
    pub(crate) fn url_of(&self, tail: &str) -> Url {
        let mut url = self.config.url.clone();
        let base = url.path().trim_end_matches('/');
        let path = format!("{base}/v2/{}/{tail}", self.config.repository);
        url.set_path(&path);
        url
    }

    /// A request for a small answer, not yet authorised.
    pub(crate) fn request(&self, method: reqwest::Method, url: Url, accept: Option<HeaderValue>) -> Request {
        let total = Some(self.small_answer_timeout);
        Request { method, url, accept, range: None, authorization: None, total }
    }

    /// The error that an unwelcome answer means.
    pub(crate) async fn refusal(&self, answer: Answer) -> UpstreamError {
        let reason = match self.config.username {
            _ if !answer.is_from_origin => {
                "a redirect led there, and credentials are not sent to other hosts"
            }
            Some(_) => "the user name or the password was not accepted",
            None => "no user name and password are set",
        };
        match answer.into_refusal(&self.clock, self.small_answer_timeout).await {
            UpstreamError::Unauthorized { url, reason: said } if said.is_empty() => {
                UpstreamError::Unauthorized { url, reason: reason.to_owned() }
            }
            error => error,
        }
    }
}
