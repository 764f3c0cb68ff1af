//! The client against a registry that does wrong, over real sockets.

#![expect(clippy::unwrap_used, reason = "these are tests, their helpers included")]

mod auth;
mod blob_resume;
mod blobs;
#[path = "../../../tests/harness/faults.rs"]
pub mod faults;
mod manifests;
mod proxies;
mod redirects;
mod retries;
mod settings;
mod tags;
mod tls_front;

use std::time::Duration;

use faults::FakeRegistry;
use registry::{Clock, Digest, Reference};
use upstream::{Client, Limits, UpstreamConfig};

const REPOSITORY: &str = "library/alpine";

/// Production's limits with times that a test can wait for.
fn quick() -> Limits {
    Limits {
        backoff_base: Duration::from_millis(2),
        retry_after_max: Duration::from_millis(100),
        read: Duration::from_millis(500),
        ..Limits::default()
    }
}

fn config(url: &str) -> UpstreamConfig {
    UpstreamConfig::new(url.parse().unwrap(), REPOSITORY.parse().unwrap())
}

fn client(fake: &FakeRegistry) -> Client {
    client_with(config(&fake.url()))
}

fn client_with(config: UpstreamConfig) -> Client {
    Client::with_limits(config, Clock::system(), quick()).unwrap()
}

fn by_tag(tag: &str) -> Reference {
    Reference::Tag(tag.parse().unwrap())
}

fn by_digest(digest: &Digest) -> Reference {
    Reference::Digest(digest.clone())
}

/// Reads a blob to its end.
async fn read(
    client: &Client,
    digest: &Digest,
    offset: u64,
    size: Option<u64>,
) -> Result<Vec<u8>, upstream::UpstreamError> {
    let mut reader = client.open_blob(digest, offset, size).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        bytes.extend_from_slice(&chunk);
    }
    assert_eq!(reader.size_bytes(), Some(offset + bytes.len() as u64));
    Ok(bytes)
}

/// The `(method, path, status)` of each request that the registry got.
fn seen(fake: &FakeRegistry) -> Vec<(String, u16)> {
    fake.requests()
        .into_iter()
        .map(|request| (format!("{} {}", request.method, request.path), request.status))
        .collect()
}

/// Asserts which error it is.
macro_rules! assert_error {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {
        let error = $result.err().expect("it should have failed");
        assert!(matches!(&error, $pattern $(if $guard)?), "{error:?}");
    };
}
pub(crate) use assert_error;

/// Callers spawn this work: its futures have to be `Send`.
#[test]
fn everything_can_be_spawned() {
    fn spawnable<T: Send>(_: T) {}
    let client = client_with(config("http://127.0.0.1:9/"));
    let digest = Digest::sha256_of(b"");
    spawnable(client.list_tags());
    spawnable(client.head_manifest(&by_tag("x")));
    spawnable(client.get_manifest(&by_tag("x")));
    spawnable(read(&client, &digest, 0, None));
}
