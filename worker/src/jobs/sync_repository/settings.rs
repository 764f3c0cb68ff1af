//! What a remote's fields mean for its upstream and its filters.

use std::time::Duration;

use registry::TagFilter;
use storage::Remote;
use upstream::UpstreamConfig;

use crate::JobError;

/// How many blobs are fetched at a time when the remote doesn't say.
const DEFAULT_CONCURRENCY: usize = 10;

pub(super) fn filter(remote: &Remote) -> Result<TagFilter, JobError> {
    let includes = remote.includes.as_deref().unwrap_or_default();
    let excludes = remote.excludes.as_deref().unwrap_or_default();
    Ok(TagFilter::new(includes, excludes)?)
}

pub(crate) fn upstream(remote: &Remote) -> Result<UpstreamConfig, JobError> {
    let refuse = |field, reason: String| JobError::Remote { field, reason };
    let url = remote.url.parse().map_err(|error: url::ParseError| refuse("url", error.to_string()))?;
    let name = remote.upstream_name.parse();
    let name = name.map_err(|error: registry::NameError| refuse("upstream_name", error.to_string()))?;
    let secrets = remote.secrets.clone();
    Ok(UpstreamConfig {
        username: secrets.username,
        password: secrets.password,
        ca_cert: remote.ca_cert.clone(),
        client_cert: remote.client_cert.clone(),
        client_key: secrets.client_key,
        tls_validation: remote.tls_validation,
        proxy_url: remote.proxy_url.clone(),
        proxy_username: secrets.proxy_username,
        proxy_password: secrets.proxy_password,
        headers: remote.headers.iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect(),
        rate_limit: positive(remote.rate_limit),
        // Zero is a wish of its own here: don't try again.
        max_retries: remote.max_retries.and_then(|count| count.try_into().ok()),
        total_timeout: timeout(remote.total_timeout),
        connect_timeout: timeout(remote.connect_timeout),
        sock_connect_timeout: timeout(remote.sock_connect_timeout),
        sock_read_timeout: timeout(remote.sock_read_timeout),
        download_concurrency: Some(positive(remote.download_concurrency).unwrap_or(DEFAULT_CONCURRENCY)),
        ..UpstreamConfig::new(url, name)
    })
}

/// Zero and less mean "no limit of my own".
fn positive<T: TryFrom<i64>>(number: Option<i64>) -> Option<T> {
    number.filter(|number| *number > 0).and_then(|number| number.try_into().ok())
}

fn timeout(seconds: Option<f64>) -> Option<Duration> {
    seconds.filter(|seconds| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}
