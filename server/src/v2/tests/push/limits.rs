//! What a client can't do to the others.

use std::time::Duration;

use bytes::Bytes;
use poem::Body;
use poem::http::{Method, StatusCode};
use registry::Digest;

use super::super::fixture::assert_error;
use super::pusher::{NAME, Pusher};
use crate::ServerConfig;

#[tokio::test]
async fn uploads_are_counted() {
    let pusher = Pusher::with(ServerConfig { max_uploads: 2, ..ServerConfig::default() }).await;
    let first = pusher.begin(NAME).await;
    pusher.begin("team/other").await;
    let start = format!("/v2/{NAME}/blobs/uploads/");
    let answer = pusher.request(Method::POST, &start).send().await;
    answer.assert_header("retry-after", "10");
    let message = "2 uploads are open already: finish or cancel some, or try again later";
    assert_error(answer, StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message).await;
    pusher.request(Method::DELETE, &first).send().await.assert_status(StatusCode::NO_CONTENT);
    pusher.begin(NAME).await;
}

#[tokio::test]
async fn blobs_have_a_limit_on_every_way() {
    let pusher = Pusher::with(ServerConfig { max_blob_bytes: 8, ..ServerConfig::default() }).await;
    let message = "the blob is larger than 8 bytes, which is the limit";
    let digest = Digest::sha256_of(b"123456789");
    let path = format!("/v2/{NAME}/blobs/uploads/?digest={digest}");
    let answer = pusher.request(Method::POST, path).body("123456789").send().await;
    assert_error(answer, StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message).await;
    let upload = pusher.begin(NAME).await;
    pusher.patch(&upload, None, b"1234").await.assert_status(StatusCode::ACCEPTED);
    let answer = pusher.patch(&upload, None, b"56789").await;
    assert_error(answer, StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message).await;
    let answer = pusher.finish(&upload, &digest, b"56789").await;
    assert_error(answer, StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message).await;
    pusher.get(&upload).await.assert_header("range", "0-3");
    let digest = Digest::sha256_of(b"12345678");
    pusher.finish(&upload, &digest, b"5678").await.assert_status(StatusCode::CREATED);
}

/// A client that stops sending is given up, and others can go on with its session.
#[tokio::test]
async fn a_client_that_stops_sending_is_given_up() {
    let config = ServerConfig {
        stall_timeout: Duration::from_millis(30),
        body_timeout: Duration::from_millis(30),
        ..ServerConfig::default()
    };
    let pusher = Pusher::with(config).await;
    let upload = pusher.begin(NAME).await;
    let stalled = || {
        use futures::StreamExt as _;
        let sent = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"hello"))]);
        Body::from_bytes_stream(sent.chain(futures::stream::pending()))
    };
    let answer = pusher.request(Method::PATCH, &upload).body(stalled()).send().await;
    let message = "the body took too long";
    assert_error(answer, StatusCode::REQUEST_TIMEOUT, "BLOB_UPLOAD_INVALID", message).await;
    pusher.get(&upload).await.assert_header("range", "0-4");
    let manifest = format!("/v2/{NAME}/manifests/v1");
    let answer = pusher.request(Method::PUT, manifest).body(stalled()).send().await;
    assert_error(answer, StatusCode::REQUEST_TIMEOUT, "BLOB_UPLOAD_INVALID", message).await;
    let digest = Digest::sha256_of(b"hello");
    pusher.finish(&upload, &digest, b"").await.assert_status(StatusCode::CREATED);
}

/// Nobody publishes: the client is told so instead of waiting for ever.
#[tokio::test]
async fn a_push_does_not_wait_for_ever() {
    let config = ServerConfig { push_timeout: Duration::from_secs(1), ..ServerConfig::default() };
    let pusher = Pusher::with(config).await;
    let document = pusher.image(NAME, "layer").await;
    pusher.stop_publishing();
    let answer = pusher.put(NAME, "v1", &document).await;
    answer.assert_header("retry-after", "10");
    let message = "the change was not published within 1 seconds; it will be once a worker gets to it";
    assert_error(answer, StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message).await;
}
