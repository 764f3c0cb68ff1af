//! "Pushing a blob in chunks"

use poem::http::{Method, StatusCode};
use registry::Digest;

use super::super::fixture::{assert_error, json_of};
use super::pusher::{NAME, Pusher, location};

/// Chunks in order: each 202 with Location and Range, the last one 201.
#[tokio::test]
async fn chunks_in_order() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    let answer = pusher.patch(&upload, Some("0-4"), b"hello").await;
    answer.assert_status(StatusCode::ACCEPTED);
    answer.assert_header("range", "0-4");
    assert_eq!(location(&answer), upload);
    let answer = pusher.patch(&upload, Some("5-5"), b" ").await;
    answer.assert_header("range", "0-5");
    let digest = Digest::sha256_of(b"hello world");
    let path = format!("{upload}?digest={digest}");
    let last = pusher.request(Method::PUT, path).header("content-range", "6-10").body("world");
    let answer = last.send().await;
    answer.assert_status(StatusCode::CREATED);
    answer.assert_header("location", format!("/v2/{NAME}/blobs/{digest}"));
    pusher.get(location(&answer)).await.assert_text("hello world").await;
}

/// "The final PUT" may have no body, after chunks or a stream.
#[tokio::test]
async fn the_last_request_may_be_empty() {
    let pusher = Pusher::new().await;
    for range in [Some("0-4"), None] {
        let upload = pusher.begin(NAME).await;
        pusher.patch(&upload, range, b"hello").await.assert_status(StatusCode::ACCEPTED);
        let digest = Digest::sha256_of(b"hello");
        pusher.finish(&upload, &digest, b"").await.assert_status(StatusCode::CREATED);
    }
}

/// "If a chunk is uploaded out of order, the registry MUST respond with 416", and say where it is.
#[tokio::test]
async fn out_of_order() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    let message =
        "the chunk does not begin where the last one ended: the header Range says how much has arrived";
    let first = pusher.patch(&upload, Some("5-9"), b"world").await;
    first.assert_header("range", "0-0");
    assert_error(first, StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", message).await;
    pusher.patch(&upload, Some("0-4"), b"hello").await.assert_status(StatusCode::ACCEPTED);
    // Again, too far, and overlapping.
    for range in ["0-4", "6-10", "3-7"] {
        let answer = pusher.patch(&upload, Some(range), b"world").await;
        answer.assert_header("range", "0-4");
        answer.assert_header("location", &upload);
        assert_error(answer, StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", message).await;
    }
    let digest = Digest::sha256_of(b"hello");
    let path = format!("{upload}?digest={digest}");
    let last = pusher.request(Method::PUT, path).header("content-range", "6-6").body("x").send().await;
    last.assert_status(StatusCode::RANGE_NOT_SATISFIABLE);
    pusher.finish(&upload, &digest, b"").await.assert_status(StatusCode::CREATED);
}

/// "GET … 204 with Location and Range": how much has arrived.
#[tokio::test]
async fn the_status_of_an_upload() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    for (range, sent) in [("0-0", &b""[..]), ("0-4", b"hello"), ("0-10", b" world")] {
        pusher.patch(&upload, None, sent).await.assert_status(StatusCode::ACCEPTED);
        let answer = pusher.get(&upload).await;
        answer.assert_status(StatusCode::NO_CONTENT);
        answer.assert_header("range", range);
        answer.assert_header("location", &upload);
    }
}

/// "Cancel a blob upload"
#[tokio::test]
async fn a_canceled_upload_is_gone() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    pusher.patch(&upload, None, b"hello").await.assert_status(StatusCode::ACCEPTED);
    pusher.request(Method::DELETE, &upload).send().await.assert_status(StatusCode::NO_CONTENT);
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let answer = pusher.request(method, &upload).send().await;
        answer.assert_status(StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn lengths_have_to_agree() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    let bad = pusher.patch(&upload, Some("0-9"), b"hello").await;
    let message = "the body has 5 bytes or more, but Content-Range says 10";
    assert_error(bad, StatusCode::BAD_REQUEST, "SIZE_INVALID", message).await;
    // Without a length in the head, the body shows it: too long, and too short.
    for (range, actual, stated) in [("0-2", 5, 3), ("0-9", 5, 10)] {
        let request = pusher.request(Method::PATCH, &upload).header("content-range", range);
        let answer = request.body("hello").send().await;
        let message = format!("the body has {actual} bytes or more, but Content-Range says {stated}");
        assert_error(answer, StatusCode::BAD_REQUEST, "SIZE_INVALID", &message).await;
        pusher.get(&upload).await.assert_header("range", "0-0");
    }
    let request = pusher.request(Method::PATCH, &upload).header("content-range", "a-b");
    let answer = request.body("hello").send().await;
    let message = "the header Content-Range must read <first byte>-<last byte>";
    assert_error(answer, StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", message).await;
    let digest = Digest::sha256_of(b"hello");
    pusher.finish(&upload, &digest, b"hello").await.assert_status(StatusCode::CREATED);
}

/// A session belongs to its repository.
#[tokio::test]
async fn a_session_of_another_repository_is_unknown() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    pusher.begin("team/other").await;
    let elsewhere = upload.replace(NAME, "team/other");
    for (path, status, code) in [
        (elsewhere, StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
        (format!("/v2/{NAME}/blobs/uploads/none"), StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
        (upload.replace(NAME, "team/absent"), StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
    ] {
        let answer = pusher.patch(&path, None, b"x").await;
        answer.assert_status(status);
        assert_eq!(json_of(answer).await["errors"][0]["code"], code, "{path}");
    }
    pusher.get(&upload).await.assert_header("range", "0-0");
}
