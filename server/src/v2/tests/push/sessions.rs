//! Sessions outlive what happens to servers and clients, but not for ever.

use std::sync::Arc;

use bytes::Bytes;
use poem::http::{Method, StatusCode};
use poem::test::TestClient;
use poem::{Body, EndpointExt as _};
use registry::Digest;
use storage::BlobStore;

use super::super::fixture::{HOST, PASSWORD, basic, json_of};
use super::pusher::{NAME, Pusher};
use crate::{AppState, ServerConfig, router};

/// What arrived before the connection broke stays, and the client goes on from there.
#[tokio::test]
async fn a_broken_body_leaves_what_arrived() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    let pieces = [
        Ok(Bytes::from_static(b"hel")),
        Ok(Bytes::from_static(b"lo")),
        Err(std::io::Error::other("the cable was cut")),
    ];
    let body = Body::from_bytes_stream(futures::stream::iter(pieces));
    let answer = pusher.request(Method::PATCH, &upload).body(body).send().await;
    answer.assert_status(StatusCode::BAD_REQUEST);
    pusher.get(&upload).await.assert_header("range", "0-4");
    pusher.patch(&upload, Some("5-10"), b" world").await.assert_status(StatusCode::ACCEPTED);
    let digest = Digest::sha256_of(b"hello world");
    pusher.finish(&upload, &digest, b"").await.assert_status(StatusCode::CREATED);
}

/// A last request that breaks is sent again as a whole.
#[tokio::test]
async fn a_broken_last_request_leaves_nothing_of_it() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    pusher.patch(&upload, None, b"hello").await.assert_status(StatusCode::ACCEPTED);
    let digest = Digest::sha256_of(b"hello world");
    let pieces = [Ok(Bytes::from_static(b" wor")), Err(std::io::Error::other("the cable was cut"))];
    let body = Body::from_bytes_stream(futures::stream::iter(pieces));
    let answer = pusher.request(Method::PUT, format!("{upload}?digest={digest}")).body(body).send().await;
    answer.assert_status(StatusCode::BAD_REQUEST);
    pusher.get(&upload).await.assert_header("range", "0-4");
    pusher.finish(&upload, &digest, b" world").await.assert_status(StatusCode::CREATED);
}

/// Another server of the installation, or this one after a restart, knows nothing but what is stored.
#[tokio::test]
async fn a_session_goes_on_at_another_server() {
    let pusher = Pusher::new().await;
    let blobs = BlobStore::open(&pusher.fixture.folder().join("blobs")).await.unwrap();
    let catalog = pusher.fixture.state.catalog.clone();
    let state = AppState::new(catalog, blobs, Arc::new(ServerConfig::default())).await.unwrap();
    let other = TestClient::new(router::routes(state).boxed());

    let upload = pusher.begin(NAME).await;
    pusher.patch(&upload, None, b"one ").await.assert_status(StatusCode::ACCEPTED);
    let request = |method, path: &str, body: &'static str| {
        let request = other.request(method, path).header("host", HOST);
        request.header("authorization", basic("admin", PASSWORD)).body(body)
    };
    let answer = request(Method::PATCH, &upload, "two ").send().await;
    answer.assert_header("range", "0-7");
    // The first server remembers a hash of four bytes, which is of no use now.
    pusher.patch(&upload, None, b"three ").await.assert_header("range", "0-13");
    let digest = Digest::sha256_of(b"one two three four");
    let answer = request(Method::PUT, &format!("{upload}?digest={digest}"), "four").send().await;
    answer.assert_status(StatusCode::CREATED);
    pusher.get(format!("/v2/{NAME}/blobs/{digest}")).await.assert_text("one two three four").await;
    assert_eq!(std::fs::read_dir(pusher.fixture.folder().join("blobs/.pushes")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_session_that_nobody_uses_expires() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    pusher.fixture.clock.advance_seconds(23 * 3600);
    // This counts as use.
    pusher.patch(&upload, None, b"hello").await.assert_status(StatusCode::ACCEPTED);
    pusher.fixture.clock.advance_seconds(23 * 3600);
    pusher.get(&upload).await.assert_status(StatusCode::NO_CONTENT);
    pusher.fixture.clock.advance_seconds(2 * 3600);
    let answer = pusher.get(&upload).await;
    answer.assert_status(StatusCode::NOT_FOUND);
    assert_eq!(json_of(answer).await["errors"][0]["code"], "BLOB_UPLOAD_UNKNOWN");
    let catalog = &pusher.fixture.state.catalog;
    let expired = catalog.now().plus_seconds(-24 * 3600);
    let forgotten = catalog.forget_old_pushes(expired).await.unwrap();
    assert_eq!(
        forgotten.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [upload.rsplit('/').next().unwrap()]
    );
}
