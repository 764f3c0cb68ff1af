//! The proxy that a remote names, and how to tell its failures from the registry's.

use std::io::ErrorKind;

use url::Url;

use crate::error::{has_io_error, root};
use crate::{SafeUrl, UpstreamConfig, UpstreamError};

/// The proxy that the settings name.
#[derive(Debug)]
pub(crate) struct Proxy {
    shown: SafeUrl,
    has_username: bool,
}

impl Proxy {
    /// `None` where the settings name none.
    pub(crate) fn of(config: &UpstreamConfig) -> Option<Self> {
        let url: Url = config.proxy_url.as_deref()?.parse().ok()?;
        let has_username = config.proxy_username.is_some() || !url.username().is_empty();
        Some(Self { shown: SafeUrl::of(&url, &url), has_username })
    }

    /// What a failure to connect means. Only the proxy is connected to, so that a refused connection is its own.
    pub(crate) fn failure(
        &self,
        url: SafeUrl,
        source: &reqwest::Error,
        is_first_contact: bool,
    ) -> UpstreamError {
        let cause = root(source);
        // The tunnel's errors are of no public type; this is the text of its 407.
        if cause.ends_with("proxy authorization required") {
            return self.refusal(url);
        }
        let is_absent = has_io_error(source, ErrorKind::ConnectionRefused) || names_no_host(source);
        let reason = if is_absent { format!("the proxy cannot be reached: {cause}") } else { cause };
        UpstreamError::Proxy { url, proxy: self.shown.clone(), reason, is_first_contact }
    }

    /// The proxy answered with status 407.
    pub(crate) fn refusal(&self, url: SafeUrl) -> UpstreamError {
        let reason = if self.has_username {
            "the user name or the password for the proxy was not accepted"
        } else {
            "it asks for a user name and a password, and none are set for the proxy"
        };
        UpstreamError::ProxyUnauthorized { url, proxy: self.shown.clone(), reason }
    }
}

/// Whether a name could not be resolved, which the connector says by text alone.
fn names_no_host(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.to_string().contains("dns error") {
            return true;
        }
        cause = error.source();
    }
    false
}
