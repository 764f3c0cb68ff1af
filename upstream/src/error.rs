//! Why reading from an upstream failed. Each variant names the URL, without anything secret, and the cause.

use std::time::Duration;
use std::{fmt, io};

use registry::Digest;
use thiserror::Error;

use crate::SafeUrl;

/// Why reading from an upstream failed.
#[derive(Debug, Error)]
pub enum UpstreamError {
    /// A setting of the remote cannot be used.
    #[error("the setting {field} cannot be used: {reason}")]
    Setting {
        /// The field of [`crate::UpstreamConfig`].
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The credentials were refused, or are missing.
    #[error("{url} refused access (401): {reason}")]
    Unauthorized {
        /// Where.
        url: SafeUrl,
        /// What is known of the cause.
        reason: String,
    },
    /// The credentials are known but do not allow this.
    #[error("{url} forbids access (403){}", detail(.message))]
    Forbidden {
        /// Where.
        url: SafeUrl,
        /// The registry's own words; may be empty.
        message: String,
    },
    /// There is no such repository, manifest or blob.
    #[error("{url} was not found (404)")]
    NotFound {
        /// What.
        url: SafeUrl,
    },
    /// Too many requests, even after waiting.
    #[error("{url} has had too many requests (429){}", detail(.message))]
    RateLimited {
        /// Where.
        url: SafeUrl,
        /// How long the registry asks to wait.
        retry_after: Option<Duration>,
        /// The registry's own words; may be empty.
        message: String,
    },
    /// Another status that is not the one hoped for.
    #[error("{url} answered with status {code}{}", detail(.message))]
    Status {
        /// Where.
        url: SafeUrl,
        /// The HTTP status.
        code: u16,
        /// How long the registry asks to wait (503).
        retry_after: Option<Duration>,
        /// The registry's own words; may be empty.
        message: String,
    },
    /// A redirect leads to a URL that was already asked.
    #[error("{url} redirects in a loop, back to {to}")]
    RedirectLoop {
        /// The request.
        url: SafeUrl,
        /// The URL that came again.
        to: SafeUrl,
    },
    /// A chain of redirects does not end.
    #[error("{url} redirects more than {limit} times")]
    TooManyRedirects {
        /// The request.
        url: SafeUrl,
        /// The limit.
        limit: usize,
    },
    /// A redirect leads from https to http.
    #[error("{url} redirects from https to {to}, which is not encrypted")]
    InsecureRedirect {
        /// The request.
        url: SafeUrl,
        /// The target.
        to: SafeUrl,
    },
    /// A challenge asks to send credentials in the clear, though the registry speaks https.
    #[error("{url} wants credentials to be sent to {realm}, which is not encrypted")]
    InsecureRealm {
        /// The request that was challenged.
        url: SafeUrl,
        /// The token server.
        realm: SafeUrl,
    },
    /// An answer is larger than is accepted.
    #[error("{url} sent more than the limit of {limit} {unit}")]
    TooLarge {
        /// Where.
        url: SafeUrl,
        /// The limit.
        limit: usize,
        /// What is counted: `bytes`, `pages of tags`, `tags`.
        unit: &'static str,
    },
    /// An answer arrives, but so slowly that it would keep a worker busy for ever.
    #[error("{url} is too slow: {received_bytes} bytes in {} s", .waited.as_secs_f32())]
    TooSlow {
        /// Where.
        url: SafeUrl,
        /// How much came while waiting.
        received_bytes: u64,
        /// How long the client waited.
        waited: Duration,
    },
    /// The answer ended before the length that it announced.
    #[error("{url} ended after {received_bytes} of {expected_bytes} bytes")]
    Truncated {
        /// Where.
        url: SafeUrl,
        /// The announced length.
        expected_bytes: u64,
        /// What came.
        received_bytes: u64,
    },
    /// The bytes, or the header `Docker-Content-Digest`, do not have the digest that they should.
    #[error("{url} should have the digest {expected}, but has {actual}")]
    DigestMismatch {
        /// Where.
        url: SafeUrl,
        /// The digest that was asked for or announced.
        expected: Box<Digest>,
        /// The digest of the bytes.
        actual: Box<Digest>,
    },
    /// The blob has another size than its manifest says.
    #[error("{url} should have {expected_bytes} bytes, but has {actual_bytes}")]
    SizeMismatch {
        /// Where.
        url: SafeUrl,
        /// The size in the manifest.
        expected_bytes: u64,
        /// The size found; where the end was not reached, what had come or was announced.
        actual_bytes: u64,
    },
    /// The answer is compressed or otherwise coded, though that was declined.
    #[error("{url} sent the content encoding \"{encoding}\", though only identity was asked for")]
    ContentEncoding {
        /// Where.
        url: SafeUrl,
        /// The encoding.
        encoding: String,
    },
    /// The answer is JSON of another shape, or none.
    #[error("{url} sent JSON that cannot be used: {source}")]
    Json {
        /// Where.
        url: SafeUrl,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The answer breaks the protocol in another way.
    #[error("{url} sent an answer that cannot be used: {reason}")]
    BadAnswer {
        /// Where.
        url: SafeUrl,
        /// What is wrong.
        reason: String,
    },
    /// No connection could be made.
    #[error("cannot connect to {url}: {}", root(.source))]
    Connect {
        /// Where.
        url: SafeUrl,
        /// The cause.
        source: reqwest::Error,
        /// Whether the host has never answered this client: then a wrong name or port is more likely than a
        /// passing failure.
        is_first_contact: bool,
    },
    /// No connection could be made, because of the proxy that is set.
    #[error("cannot connect to {url} through the proxy {proxy}: {reason}")]
    Proxy {
        /// Where to.
        url: SafeUrl,
        /// The proxy, without credentials.
        proxy: SafeUrl,
        /// What is known of the cause.
        reason: String,
        /// Whether the host has never answered this client.
        is_first_contact: bool,
    },
    /// The proxy that is set wants other credentials.
    #[error("the proxy {proxy} refused access to {url} (407): {reason}")]
    ProxyUnauthorized {
        /// Where to.
        url: SafeUrl,
        /// The proxy, without credentials.
        proxy: SafeUrl,
        /// What is known of the cause.
        reason: &'static str,
    },
    /// The TLS handshake failed.
    #[error("cannot connect to {url} securely: {}", root(.source))]
    Tls {
        /// Where.
        url: SafeUrl,
        /// The cause.
        source: reqwest::Error,
    },
    /// The connection broke while a request or its answer was under way.
    #[error("the connection to {url} broke: {}", root(.source))]
    Broken {
        /// Where.
        url: SafeUrl,
        /// The cause.
        source: reqwest::Error,
    },
    /// Nothing came for too long.
    #[error("{url} took longer than {} s {waiting}", .limit.as_secs_f32())]
    Timeout {
        /// Where.
        url: SafeUrl,
        /// What the client was waiting for.
        waiting: Waiting,
        /// The limit.
        limit: Duration,
    },
}

/// What a client was waiting for when its patience ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// A connection.
    Connect,
    /// The status and headers of an answer.
    Answer,
    /// The next piece of an answer.
    More,
    /// The end of an answer, which was arriving.
    End,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "to accept a connection",
            Self::Answer => "to answer",
            Self::More => "to send more of an answer",
            Self::End => "to send a whole answer",
        })
    }
}

fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// The innermost cause: what the layers above only wrap.
pub(crate) fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Whether an I/O error of this kind is among the causes.
pub(crate) fn has_io_error(error: &reqwest::Error, kind: io::ErrorKind) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let found = error.downcast_ref::<io::Error>();
        if found.is_some_and(|found| found.kind() == kind) {
            return true;
        }
        // An I/O error passes over what it wraps when it is asked for its source.
        cause = match found.and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

impl UpstreamError {
    /// Whether the same request may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Status { code, .. } => *code >= 500 || *code == 408,
            Self::RateLimited { .. }
            | Self::TooSlow { .. }
            | Self::Truncated { .. }
            | Self::Connect { .. }
            | Self::Proxy { .. }
            | Self::Broken { .. }
            | Self::Timeout { .. } => true,
            _ => false,
        }
    }

    /// Whether trying again at once is worth it. An upstream that drips would only take as long again.
    pub(crate) fn is_worth_retrying(&self) -> bool {
        self.is_transient() && !matches!(self, Self::TooSlow { .. })
    }

    /// Whether no connection could be made to a host that has never answered this client.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Connect { is_first_contact: true, .. } | Self::Proxy { is_first_contact: true, .. }
        )
    }

    /// How long the upstream asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
