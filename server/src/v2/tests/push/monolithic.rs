//! "Pushing a blob monolithically"

use poem::http::{Method, StatusCode};
use registry::{Algorithm, Digest};

use super::super::fixture::{assert_error, header};
use super::pusher::{NAME, Pusher, location};

/// "POST then PUT": 202 with a Location, then 201 with a Location from which the blob can be pulled.
#[tokio::test]
async fn post_then_put() {
    let pusher = Pusher::new().await;
    let answer = pusher.request(Method::POST, format!("/v2/{NAME}/blobs/uploads/")).send().await;
    answer.assert_status(StatusCode::ACCEPTED);
    let upload = location(&answer);
    let id = upload.strip_prefix(&format!("/v2/{NAME}/blobs/uploads/")).unwrap().to_owned();
    answer.assert_header("docker-upload-uuid", &id);
    answer.assert_header("range", "0-0");
    answer.assert_header("oci-chunk-min-length", "65536");
    let digest = Digest::sha256_of(b"hello");
    let answer = pusher.finish(&upload, &digest, b"hello").await;
    answer.assert_status(StatusCode::CREATED);
    answer.assert_header("location", format!("/v2/{NAME}/blobs/{digest}"));
    answer.assert_header("docker-content-digest", digest.as_str());
    let pulled = pusher.get(location(&answer)).await;
    pulled.assert_status_is_ok();
    pulled.assert_text("hello").await;
    // The session is over.
    let again = pusher.finish(&upload, &digest, b"hello").await;
    let message =
        "there is no such upload: it was finished or canceled, or it has expired; begin another one";
    assert_error(again, StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message).await;
}

/// "Single POST": 201 at once.
#[tokio::test]
async fn single_post() {
    let pusher = Pusher::new().await;
    let digest = Digest::sha256_of(b"hello");
    let path = format!("/v2/{NAME}/blobs/uploads/?digest={digest}");
    let answer = pusher.request(Method::POST, &path).body("hello").send().await;
    answer.assert_status(StatusCode::CREATED);
    answer.assert_header("location", format!("/v2/{NAME}/blobs/{digest}"));
    pusher.get(location(&answer)).await.assert_text("hello").await;
    // And once more, though it is there.
    pusher.request(Method::POST, &path).body("hello").send().await.assert_status(StatusCode::CREATED);
}

/// "The registry … MUST match": a wrong digest shows nothing, whatever way it came.
#[tokio::test]
async fn a_wrong_digest_is_refused() {
    let pusher = Pusher::new().await;
    let (right, wrong) = (Digest::sha256_of(b"right"), Digest::sha256_of(b"wrong"));
    let message = format!("the content has the digest {wrong}, not {right}");
    let path = format!("/v2/{NAME}/blobs/uploads/?digest={right}");
    let answer = pusher.request(Method::POST, path).body("wrong").send().await;
    assert_error(answer, StatusCode::BAD_REQUEST, "DIGEST_INVALID", &message).await;
    let upload = pusher.begin(NAME).await;
    let answer = pusher.finish(&upload, &right, b"wrong").await;
    assert_error(answer, StatusCode::BAD_REQUEST, "DIGEST_INVALID", &message).await;
    for digest in [&right, &wrong] {
        pusher.get(format!("/v2/{NAME}/blobs/{digest}")).await.assert_status(StatusCode::NOT_FOUND);
    }
    // What was wrong is forgotten, and the session goes on.
    pusher.finish(&upload, &right, b"right").await.assert_status(StatusCode::CREATED);
}

#[tokio::test]
async fn a_digest_is_needed_and_has_to_be_one() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    let answer = pusher.request(Method::PUT, &upload).body("x").send().await;
    let message = "the parameter digest is missing: say which digest the blob has";
    assert_error(answer, StatusCode::BAD_REQUEST, "DIGEST_INVALID", message).await;
    for path in [
        format!("{upload}?digest=sha256:0"),
        format!("/v2/{NAME}/blobs/uploads/?digest=md5:d41d8cd98f00b204e9800998ecf8427e"),
    ] {
        let method = if path.contains("md5") { Method::POST } else { Method::PUT };
        let answer = pusher.request(method, &path).body("x").send().await;
        answer.assert_status(StatusCode::BAD_REQUEST);
        assert_eq!(super::super::fixture::json_of(answer).await["errors"][0]["code"], "DIGEST_INVALID");
    }
}

/// Other algorithms of the image specification work on every way.
#[tokio::test]
async fn sha512_is_a_digest_too() {
    let pusher = Pusher::new().await;
    let digest = Digest::of(Algorithm::Sha512, b"hello");
    let upload = pusher.begin(NAME).await;
    pusher.patch(&upload, None, b"hel").await.assert_status(StatusCode::ACCEPTED);
    pusher.finish(&upload, &digest, b"lo").await.assert_status(StatusCode::CREATED);
    let pulled = pusher.get(format!("/v2/{NAME}/blobs/{digest}")).await;
    assert_eq!(header(pulled.0.headers(), "docker-content-digest"), digest.as_str());
    pulled.assert_text("hello").await;
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let pusher = Pusher::new().await;
    let upload = pusher.begin(NAME).await;
    let digest = Digest::sha256_of(b"");
    pusher.finish(&upload, &digest, b"").await.assert_status(StatusCode::CREATED);
    pusher.get(format!("/v2/{NAME}/blobs/{digest}")).await.assert_status_is_ok();
}

/// The same blob, pushed at once from many sides.
#[tokio::test]
async fn everybody_who_pushes_the_same_blob_succeeds() {
    let pusher = Pusher::new().await;
    let content = vec![7; 1_000_000];
    let digest = Digest::sha256_of(&content);
    let sent = (0..8).map(async |_| {
        let upload = pusher.begin(NAME).await;
        pusher.patch(&upload, None, &content[..400_000]).await.assert_status(StatusCode::ACCEPTED);
        pusher.finish(&upload, &digest, &content[400_000..]).await.assert_status(StatusCode::CREATED);
    });
    futures::future::join_all(sent).await;
    let pulled = pusher.get(format!("/v2/{NAME}/blobs/{digest}")).await;
    assert_eq!(pulled.0.into_body().into_vec().await.unwrap(), content);
}

/// A pushed blob is pulled from where it was pushed to, never by its digest alone.
#[tokio::test]
async fn a_blob_is_where_it_was_pushed() {
    let pusher = Pusher::new().await;
    let digest = pusher.blob(NAME, b"hello").await;
    pusher.blob("team/other", b"else").await;
    let head = pusher.request(Method::HEAD, format!("/v2/{NAME}/blobs/{digest}")).send().await;
    head.assert_status_is_ok();
    head.assert_header("content-length", "5");
    let elsewhere = pusher.get(format!("/v2/team/other/blobs/{digest}")).await;
    let message = format!("team/other has no blob {digest}");
    assert_error(elsewhere, StatusCode::NOT_FOUND, "BLOB_UNKNOWN", &message).await;
}
