//! "Mounting a blob from another repository", and who may.

use poem::http::{Method, StatusCode};
use registry::Digest;

use super::super::fixture::{HOST, PRIVATE_MIRROR, PUBLIC_MIRROR, assert_error};
use super::pusher::{NAME, Pusher};

async fn mount(pusher: &Pusher, digest: &Digest, from: Option<&str>) -> StatusCode {
    let from = from.map(|from| format!("&from={from}")).unwrap_or_default();
    let path = format!("/v2/{NAME}/blobs/uploads/?mount={digest}{from}");
    let answer = pusher.request(Method::POST, path).send().await;
    if answer.0.status() == StatusCode::CREATED {
        answer.assert_header("location", format!("/v2/{NAME}/blobs/{digest}"));
        answer.assert_header("docker-content-digest", digest.as_str());
        pusher.get(format!("/v2/{NAME}/blobs/{digest}")).await.assert_status_is_ok();
    } else {
        assert!(answer.0.headers().contains_key("location"), "{}", answer.0.status());
    }
    answer.0.status()
}

/// 201 when it can be mounted: from a version, and from what was just pushed.
#[tokio::test]
async fn a_blob_of_another_repository_is_mounted() {
    let pusher = Pusher::new().await;
    let image = pusher.fixture.serve("mirror", &PUBLIC_MIRROR, &["t"], b"layer").await;
    let there = pusher.blob("team/other", b"pushed").await;
    assert_eq!(mount(&pusher, &image.layer, Some("mirror")).await, StatusCode::CREATED);
    assert_eq!(mount(&pusher, &there, Some("team/other")).await, StatusCode::CREATED);
}

/// "If the registry does not support … or cannot mount": 202, and an upload begins.
#[tokio::test]
async fn what_cannot_be_mounted_becomes_an_upload() {
    let pusher = Pusher::new().await;
    let there = pusher.blob("team/other", b"pushed").await;
    let absent = Digest::sha256_of(b"absent");
    for (digest, from) in [
        (&absent, Some("team/other")),
        (&there, Some("team/absent")),
        (&there, Some("NO_NAME")),
        (&absent, None),
    ] {
        assert_eq!(mount(&pusher, digest, from).await, StatusCode::ACCEPTED, "{from:?}");
    }
    let path = format!("/v2/{NAME}/blobs/uploads/?mount=latest&from=team/other");
    let answer = pusher.request(Method::POST, path).send().await;
    let message = "\"latest\" is not a digest: it must read algorithm:hex";
    assert_error(answer, StatusCode::BAD_REQUEST, "DIGEST_INVALID", message).await;
}

/// "Automatic content discovery": without `from`.
#[tokio::test]
async fn a_blob_is_found_without_being_told_where() {
    let pusher = Pusher::new().await;
    let image = pusher.fixture.serve("mirror", &PUBLIC_MIRROR, &["t"], b"layer").await;
    let there = pusher.blob("team/other", b"pushed").await;
    assert_eq!(mount(&pusher, &image.layer, None).await, StatusCode::CREATED);
    assert_eq!(mount(&pusher, &there, None).await, StatusCode::CREATED);
}

/// Whoever may not pull a blob gets it by no other name.
#[tokio::test]
async fn private_blobs_are_not_mounted_by_strangers() {
    let pusher = Pusher::new().await;
    let image = pusher.fixture.serve("secret", &PRIVATE_MIRROR, &["t"], b"layer").await;
    let narrow = pusher.fixture.token(&[&format!("repository:{NAME}:pull,push")], true).await;
    let wide = [format!("repository:{NAME}:pull,push"), "repository:secret:pull".to_owned()];
    let wide = pusher.fixture.token(&wide.each_ref().map(String::as_str), true).await;
    for (token, from, expected) in [
        (&narrow, "&from=secret", StatusCode::ACCEPTED),
        (&narrow, "", StatusCode::ACCEPTED),
        (&wide, "&from=secret", StatusCode::CREATED),
    ] {
        let path = format!("/v2/{NAME}/blobs/uploads/?mount={}{from}", image.layer);
        let request = pusher.fixture.client.post(&path).header("host", HOST);
        let answer = request.header("authorization", format!("Bearer {token}")).send().await;
        assert_eq!(answer.0.status(), expected, "{from}");
        let path = format!("/v2/{NAME}/blobs/{}", image.layer);
        let found = pusher.get(path).await.0.status();
        assert_eq!(found == StatusCode::OK, expected == StatusCode::CREATED);
    }
}
