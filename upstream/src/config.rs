//! What a remote's settings say about how to reach a registry.

use std::fmt;
use std::time::Duration;

use registry::RepositoryName;
use url::Url;

/// How to reach one repository of one upstream registry. What is `None` has the default of
/// [`crate::Limits`]. `Debug` hides everything that may be secret.
#[derive(Clone)]
pub struct UpstreamConfig {
    /// The registry's base: `https://registry-1.docker.io`, or `http://host:port/with/a/prefix`.
    pub url: Url,
    /// The repository there.
    pub repository: RepositoryName,
    /// User name, sent only after a challenge that asks for it.
    pub username: Option<String>,
    /// Password, sent only after a challenge that asks for it.
    pub password: Option<String>,
    /// PEM certificates to trust instead of the system's.
    pub ca_cert: Option<String>,
    /// PEM certificate chain that this client shows.
    pub client_cert: Option<String>,
    /// PEM private key of [`Self::client_cert`].
    pub client_key: Option<String>,
    /// Whether the other side's certificate is checked.
    pub tls_validation: bool,
    /// Proxy for all requests; without one, the environment's proxy is used, except for loopback hosts.
    pub proxy_url: Option<String>,
    /// User name at the proxy.
    pub proxy_username: Option<String>,
    /// Password at the proxy.
    pub proxy_password: Option<String>,
    /// Headers for each request to the registry itself, never to another origin.
    pub headers: Vec<(String, String)>,
    /// At most so many requests start in a second.
    pub rate_limit: Option<u32>,
    /// How often a failed request is tried again.
    pub max_retries: Option<u32>,
    /// Longest time for one HTTP request with its answer.
    pub total_timeout: Option<Duration>,
    /// Longest time to get a connection.
    pub connect_timeout: Option<Duration>,
    /// Longest time to open a socket; the shorter of this and [`Self::connect_timeout`] holds.
    pub sock_connect_timeout: Option<Duration>,
    /// Longest time between two pieces of an answer.
    pub sock_read_timeout: Option<Duration>,
    /// How many requests and open blobs there may be at a time.
    pub download_concurrency: Option<usize>,
}

impl UpstreamConfig {
    /// Everything but the place at its default; certificates are checked.
    pub fn new(url: Url, repository: RepositoryName) -> Self {
        Self {
            url,
            repository,
            username: None,
            password: None,
            ca_cert: None,
            client_cert: None,
            client_key: None,
            tls_validation: true,
            proxy_url: None,
            proxy_username: None,
            proxy_password: None,
            headers: Vec::new(),
            rate_limit: None,
            max_retries: None,
            total_timeout: None,
            connect_timeout: None,
            sock_connect_timeout: None,
            sock_read_timeout: None,
            download_concurrency: None,
        }
    }
}

/// Stands for a value that is set but not shown.
struct Hidden;

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

fn hide<T>(value: Option<&T>) -> Option<Hidden> {
    value.map(|_| Hidden)
}

impl fmt::Debug for UpstreamConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("UpstreamConfig")
            .field("url", &crate::SafeUrl::of(&self.url, &self.url).as_str())
            .field("repository", &self.repository.as_str())
            .field("username", &hide(self.username.as_ref()))
            .field("password", &hide(self.password.as_ref()))
            .field("ca_cert", &hide(self.ca_cert.as_ref()))
            .field("client_cert", &hide(self.client_cert.as_ref()))
            .field("client_key", &hide(self.client_key.as_ref()))
            .field("tls_validation", &self.tls_validation)
            .field("proxy_url", &hide(self.proxy_url.as_ref()))
            .field("proxy_username", &hide(self.proxy_username.as_ref()))
            .field("proxy_password", &hide(self.proxy_password.as_ref()))
            .field("headers", &names)
            .field("rate_limit", &self.rate_limit)
            .field("max_retries", &self.max_retries)
            .field("total_timeout", &self.total_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("sock_connect_timeout", &self.sock_connect_timeout)
            .field("sock_read_timeout", &self.sock_read_timeout)
            .field("download_concurrency", &self.download_concurrency)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let url = "https://u:secret@example.com/?secret".parse().unwrap();
        let secret = Some("secret".to_owned());
        let config = UpstreamConfig {
            username: secret.clone(),
            password: secret.clone(),
            ca_cert: secret.clone(),
            client_cert: secret.clone(),
            client_key: secret.clone(),
            proxy_url: secret.clone(),
            proxy_username: secret.clone(),
            proxy_password: secret,
            headers: vec![("X-Key".into(), "secret".into())],
            ..UpstreamConfig::new(url, "a/b".parse().unwrap())
        };
        let text = format!("{config:?}");
        assert!(!text.contains("secret"), "{text}");
        assert!(text.contains("https://example.com/") && text.contains("X-Key"), "{text}");
    }
}
