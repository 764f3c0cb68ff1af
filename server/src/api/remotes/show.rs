//! A remote as the API shows it: without its secrets.

use openapi::Moment;
use openapi::objects::{HiddenField, RemoteResponse};
use registry::href::Kind;
use storage::Remote;

pub(crate) fn show(remote: Remote) -> RemoteResponse {
    let secrets = &remote.secrets;
    let hidden = |name: &str, is_set| HiddenField { name: name.to_owned(), is_set };
    RemoteResponse {
        pulp_href: Kind::Remote.href(remote.id),
        prn: Kind::Remote.prn(remote.id),
        pulp_created: Moment(remote.created),
        pulp_last_updated: Moment(remote.updated),
        name: remote.name,
        url: remote.url,
        pulp_labels: remote.labels,
        policy: remote.policy.as_str().to_owned(),
        hidden_fields: vec![
            hidden("client_key", secrets.client_key.is_some()),
            hidden("proxy_username", secrets.proxy_username.is_some()),
            hidden("proxy_password", secrets.proxy_password.is_some()),
            hidden("username", secrets.username.is_some()),
            hidden("password", secrets.password.is_some()),
            // Older names of includes and excludes, which are shown.
            hidden("include_tags", false),
            hidden("exclude_tags", false),
        ],
        ca_cert: remote.ca_cert,
        client_cert: remote.client_cert,
        tls_validation: remote.tls_validation,
        proxy_url: remote.proxy_url,
        max_retries: remote.max_retries,
        total_timeout: remote.total_timeout,
        connect_timeout: remote.connect_timeout,
        sock_connect_timeout: remote.sock_connect_timeout,
        sock_read_timeout: remote.sock_read_timeout,
        headers: (!remote.headers.is_empty()).then_some(remote.headers),
        download_concurrency: remote.download_concurrency,
        rate_limit: remote.rate_limit,
        upstream_name: remote.upstream_name,
        includes: remote.includes,
        excludes: remote.excludes,
        sigstore: remote.sigstore,
    }
}
