//! Remotes.

use poem_openapi::{Enum, Object};

use super::{Labels, Pageable};
use crate::Moment;

/// When blobs are copied.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
pub enum PolicyName {
    /// By the sync.
    Immediate,
    /// When a client first asks for them.
    OnDemand,
    /// Never.
    Streamed,
}

/// A remote to create.
#[derive(Debug, Object)]
#[oai(rename = "container.ContainerRemote")]
pub struct Remote {
    /// A unique name for this remote.
    pub name: String,
    /// The registry's URL, http or https.
    pub url: String,
    /// Labels.
    pub pulp_labels: Option<Labels>,
    /// When blobs are copied. Only immediate is available yet.
    pub policy: Option<PolicyName>,
    /// PEM of the certificates that the server's is checked against, beside the system's.
    pub ca_cert: Option<String>,
    /// PEM of the certificate that is shown to the server.
    pub client_cert: Option<String>,
    /// PEM of the certificate's private key. Write-only.
    pub client_key: Option<String>,
    /// Whether the server's certificate has to be valid. By default true.
    pub tls_validation: Option<bool>,
    /// The proxy, without credentials.
    pub proxy_url: Option<String>,
    /// User name at the proxy. Write-only.
    pub proxy_username: Option<String>,
    /// Password at the proxy. Write-only.
    pub proxy_password: Option<String>,
    /// User name at the registry. Write-only.
    pub username: Option<String>,
    /// Password at the registry. Write-only.
    pub password: Option<String>,
    /// How often a failed request is tried again. By default 3.
    pub max_retries: Option<i64>,
    /// Seconds for a whole request.
    pub total_timeout: Option<f64>,
    /// Seconds for making a connection.
    pub connect_timeout: Option<f64>,
    /// Seconds for connecting a socket.
    pub sock_connect_timeout: Option<f64>,
    /// Seconds between two reads.
    pub sock_read_timeout: Option<f64>,
    /// Headers to send, each an object of one name and value.
    pub headers: Option<Vec<Labels>>,
    /// How many downloads run at once. By default 10.
    pub download_concurrency: Option<i64>,
    /// Requests in a second.
    pub rate_limit: Option<i64>,
    /// The repository in that registry.
    pub upstream_name: String,
    /// Tags to take, with the wildcards * and ?, or digests. Null or empty takes all.
    pub includes: Option<Vec<String>>,
    /// Tags to leave, with the wildcards * and ?.
    pub excludes: Option<Vec<String>>,
    /// The older name of includes. Write-only.
    pub include_tags: Option<Vec<String>>,
    /// The older name of excludes. Write-only.
    pub exclude_tags: Option<Vec<String>>,
    /// A URL where signatures are found.
    pub sigstore: Option<String>,
}

/// What changes of a remote.
#[derive(Debug, Object)]
#[oai(rename = "Patchedcontainer.ContainerRemote")]
pub struct PatchedRemote {
    /// A unique name for this remote.
    pub name: Option<String>,
    /// The registry's URL, http or https.
    pub url: Option<String>,
    /// Labels.
    pub pulp_labels: Option<Labels>,
    /// When blobs are copied. Only immediate is available yet.
    pub policy: Option<PolicyName>,
    /// PEM of the certificates that the server's is checked against, beside the system's.
    pub ca_cert: Option<String>,
    /// PEM of the certificate that is shown to the server.
    pub client_cert: Option<String>,
    /// PEM of the certificate's private key. Write-only.
    pub client_key: Option<String>,
    /// Whether the server's certificate has to be valid. By default true.
    pub tls_validation: Option<bool>,
    /// The proxy, without credentials.
    pub proxy_url: Option<String>,
    /// User name at the proxy. Write-only.
    pub proxy_username: Option<String>,
    /// Password at the proxy. Write-only.
    pub proxy_password: Option<String>,
    /// User name at the registry. Write-only.
    pub username: Option<String>,
    /// Password at the registry. Write-only.
    pub password: Option<String>,
    /// How often a failed request is tried again. By default 3.
    pub max_retries: Option<i64>,
    /// Seconds for a whole request.
    pub total_timeout: Option<f64>,
    /// Seconds for making a connection.
    pub connect_timeout: Option<f64>,
    /// Seconds for connecting a socket.
    pub sock_connect_timeout: Option<f64>,
    /// Seconds between two reads.
    pub sock_read_timeout: Option<f64>,
    /// Headers to send, each an object of one name and value.
    pub headers: Option<Vec<Labels>>,
    /// How many downloads run at once. By default 10.
    pub download_concurrency: Option<i64>,
    /// Requests in a second.
    pub rate_limit: Option<i64>,
    /// The repository in that registry.
    pub upstream_name: Option<String>,
    /// Tags to take, with the wildcards * and ?, or digests. Null or empty takes all.
    pub includes: Option<Vec<String>>,
    /// Tags to leave, with the wildcards * and ?.
    pub excludes: Option<Vec<String>>,
    /// The older name of includes. Write-only.
    pub include_tags: Option<Vec<String>>,
    /// The older name of excludes. Write-only.
    pub exclude_tags: Option<Vec<String>>,
    /// A URL where signatures are found.
    pub sigstore: Option<String>,
}

/// Whether a field that is never shown is set.
#[derive(Debug, Object)]
pub struct HiddenField {
    /// The field.
    pub name: String,
    /// Whether it is set.
    pub is_set: bool,
}

/// A remote.
#[derive(Debug, Object)]
#[oai(rename = "container.ContainerRemoteResponse")]
pub struct RemoteResponse {
    /// Path of this remote.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was created.
    pub pulp_created: Moment,
    /// When it last changed.
    pub pulp_last_updated: Moment,
    /// Its unique name.
    pub name: String,
    /// The registry's URL.
    pub url: String,
    /// Labels.
    pub pulp_labels: Labels,
    /// When blobs are copied.
    pub policy: String,
    /// Which write-only fields are set.
    pub hidden_fields: Vec<HiddenField>,
    /// PEM of the certificates that the server's is checked against, beside the system's.
    pub ca_cert: Option<String>,
    /// PEM of the certificate that is shown to the server.
    pub client_cert: Option<String>,
    /// Whether the server's certificate has to be valid.
    pub tls_validation: bool,
    /// The proxy, without credentials.
    pub proxy_url: Option<String>,
    /// How often a failed request is tried again.
    pub max_retries: Option<i64>,
    /// Seconds for a whole request.
    pub total_timeout: Option<f64>,
    /// Seconds for making a connection.
    pub connect_timeout: Option<f64>,
    /// Seconds for connecting a socket.
    pub sock_connect_timeout: Option<f64>,
    /// Seconds between two reads.
    pub sock_read_timeout: Option<f64>,
    /// Headers to send, each an object of one name and value.
    pub headers: Option<Vec<Labels>>,
    /// How many downloads run at once.
    pub download_concurrency: Option<i64>,
    /// Requests in a second.
    pub rate_limit: Option<i64>,
    /// The repository in that registry.
    pub upstream_name: String,
    /// Tags to take, with the wildcards * and ?, or digests. Null or empty takes all.
    pub includes: Option<Vec<String>>,
    /// Tags to leave, with the wildcards * and ?.
    pub excludes: Option<Vec<String>>,
    /// A URL where signatures are found.
    pub sigstore: Option<String>,
}

impl Pageable for RemoteResponse {}
