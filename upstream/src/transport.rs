//! Turns the settings into a connection pool: TLS, proxy, headers, timeouts.

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::tls::{Certificate, Identity};
use url::Url;

use crate::error::root;
use crate::{Limits, UpstreamConfig, UpstreamError};

const USER_AGENT: &str = concat!("entrepot/", env!("CARGO_PKG_VERSION"));

/// HTTP/2 windows. What is in them may lie in memory when the disk is slower than the network; the
/// protocol's own 64 KiB would hold each stream to 0.6 MB/s at a round trip of 100 ms.
const H2_STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
const H2_CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// Headers that this client has to set itself: each changes what an answer means.
const RESERVED: [HeaderName; 7] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::RANGE,
    header::TRANSFER_ENCODING,
];

fn setting(field: &'static str, reason: impl Into<String>) -> UpstreamError {
    UpstreamError::Setting { field, reason: reason.into() }
}

/// Refuses a base URL that requests cannot be built on.
pub(crate) fn check_url(url: &Url) -> Result<(), UpstreamError> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(setting("url", "it must start with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(setting("url", "credentials belong in the fields username and password"));
    }
    Ok(())
}

/// The user's own headers, checked.
pub(crate) fn custom_headers(config: &UpstreamConfig) -> Result<HeaderMap, UpstreamError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let parsed: HeaderName = name.parse().map_err(|_| {
            setting("headers", format!("{:?} is not the name of a header", name.escape_debug()))
        })?;
        if RESERVED.contains(&parsed) {
            return Err(setting("headers", format!("{parsed} cannot be set")));
        }
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| setting("headers", format!("the value of {parsed} holds forbidden characters")))?;
        value.set_sensitive(true);
        headers.append(parsed, value);
    }
    Ok(headers)
}

/// How long to wait for a connection.
pub(crate) fn connect_timeout(config: &UpstreamConfig, limits: &Limits) -> Duration {
    let set = [config.connect_timeout, config.sock_connect_timeout];
    set.into_iter().flatten().min().unwrap_or(limits.connect)
}

/// The connection pool for these settings.
pub(crate) fn connections(
    config: &UpstreamConfig,
    limits: &Limits,
) -> Result<reqwest::Client, UpstreamError> {
    let ca = config.ca_cert.as_deref().map(|pem| certificates("ca_cert", pem)).transpose()?;
    let identity = identity(config)?;
    let proxy = proxy(config)?;
    let build = |ca: Option<Vec<Certificate>>, identity: Option<Identity>| {
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(connect_timeout(config, limits))
            .http2_initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
            .http2_initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
            .tls_danger_accept_invalid_certs(!config.tls_validation);
        if let Some(certificates) = ca {
            builder = builder.tls_certs_only(certificates);
        }
        if let Some(identity) = identity {
            builder = builder.identity(identity);
        }
        builder = match proxy.clone() {
            Some(proxy) => builder.proxy(proxy),
            None if is_loopback(&config.url) => builder.no_proxy(),
            None => builder,
        };
        builder.build()
    };
    build(ca.clone(), identity.clone()).or_else(|error| {
        if identity.is_some() && build(ca.clone(), None).is_ok() {
            Err(setting("client_key", format!("it does not fit the client certificate: {}", root(&error))))
        } else if ca.is_some() {
            Err(setting("ca_cert", root(&error)))
        } else if config.url.scheme() == "http" {
            // A machine without any CA certificates can still speak plain HTTP.
            build(Some(Vec::new()), identity).map_err(|error| setting("url", root(&error)))
        } else {
            Err(setting("ca_cert", format!("none is given, and the system has none: {}", root(&error))))
        }
    })
}

pub(crate) fn certificates(field: &'static str, pem: &str) -> Result<Vec<Certificate>, UpstreamError> {
    match Certificate::from_pem_bundle(pem.as_bytes()) {
        Ok(found) if found.is_empty() => Err(setting(field, "it holds no PEM certificate")),
        Ok(found) => Ok(found),
        Err(_) => Err(setting(field, "it is not valid PEM")),
    }
}

fn identity(config: &UpstreamConfig) -> Result<Option<Identity>, UpstreamError> {
    match (config.client_cert.as_deref(), config.client_key.as_deref()) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(setting("client_key", "it is missing, though client_cert is given")),
        (None, Some(_)) => Err(setting("client_cert", "it is missing, though client_key is given")),
        (Some(certificate), Some(key)) => {
            certificates("client_cert", certificate)?;
            Identity::from_pem(format!("{certificate}\n{key}\n").as_bytes())
                .map(Some)
                .map_err(|_| setting("client_key", "it holds no unencrypted PEM private key"))
        }
    }
}

fn proxy(config: &UpstreamConfig) -> Result<Option<reqwest::Proxy>, UpstreamError> {
    let Some(text) = &config.proxy_url else { return Ok(None) };
    let url: Url = text.parse().map_err(|error: url::ParseError| setting("proxy_url", error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h")
        || !url.has_host()
    {
        return Err(setting("proxy_url", "it must be an http, https or socks URL with a host"));
    }
    let proxy = reqwest::Proxy::all(url).map_err(|_| setting("proxy_url", "it cannot be used as a proxy"))?;
    Ok(Some(match &config.proxy_username {
        Some(username) => proxy.basic_auth(username, config.proxy_password.as_deref().unwrap_or_default()),
        None => proxy,
    }))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
