//! "Content Management"

use poem::http::{Method, StatusCode};
use registry::{Digest, MediaType};
use serde_json::json;

use super::super::fixture::{assert_error, json_of};
use super::pusher::{NAME, Pusher, bytes_of, digest_of};

async fn delete(pusher: &Pusher, tail: &str) -> poem::test::TestResponse {
    pusher.request(Method::DELETE, format!("/v2/{NAME}/{tail}")).send().await
}

async fn status(pusher: &Pusher, tail: &str) -> StatusCode {
    pusher.get(format!("/v2/{NAME}/{tail}")).await.0.status()
}

/// "Deleting tags": 202, and only the tag is gone.
#[tokio::test]
async fn a_tag() {
    let pusher = Pusher::new().await;
    let digest = pusher.push(NAME, "v1", "layer").await;
    pusher.push(NAME, "v2", "layer").await;
    delete(&pusher, "manifests/v1").await.assert_status(StatusCode::ACCEPTED);
    assert_eq!(status(&pusher, "manifests/v1").await, StatusCode::NOT_FOUND);
    assert_eq!(status(&pusher, &format!("manifests/{digest}")).await, StatusCode::OK);
    assert_eq!(pusher.tags(NAME).await, ["v2"]);
    assert_eq!(pusher.latest_version(NAME).await, 3);
    let again = delete(&pusher, "manifests/v1").await;
    assert_error(again, StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "team/app has no manifest v1").await;
}

/// "Deleting Manifests": 202, and it is gone with its tags and the blobs that nothing else needs.
#[tokio::test]
async fn a_manifest() {
    let pusher = Pusher::new().await;
    let digest = pusher.push(NAME, "v1", "layer one").await;
    pusher.push(NAME, "v2", "layer one").await;
    let other = pusher.push(NAME, "v3", "layer two").await;
    let repository = pusher.fixture.state.catalog.find_repository_by_name(NAME).await.unwrap().unwrap();
    delete(&pusher, &format!("manifests/{digest}")).await.assert_status(StatusCode::ACCEPTED);
    for reference in ["v1", "v2", digest.as_str()] {
        assert_eq!(status(&pusher, &format!("manifests/{reference}")).await, StatusCode::NOT_FOUND);
    }
    assert_eq!(status(&pusher, &format!("manifests/{other}")).await, StatusCode::OK);
    assert_eq!(pusher.tags(NAME).await, ["v3"]);
    let again = delete(&pusher, &format!("manifests/{digest}")).await;
    let message = format!("team/app has no manifest {digest}");
    assert_error(again, StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", &message).await;
    // Each is a version: the one before still has everything.
    let catalog = &pusher.fixture.state.catalog;
    let counts = async |number| {
        let present = catalog.find_version(repository.id, number).await.unwrap().unwrap().summary.present;
        (present.blobs, present.manifests, present.tags)
    };
    assert_eq!(counts(3).await, (3, 2, 3));
    assert_eq!(counts(4).await, (2, 1, 1));
}

/// What an index lists stays until the index goes; what it listed stays after it.
#[tokio::test]
async fn a_manifest_that_an_index_lists() {
    let pusher = Pusher::new().await;
    let child = pusher.image(NAME, "layer").await;
    let child_digest = digest_of(&child).to_string();
    pusher.put(NAME, &child_digest, &child).await.assert_status(StatusCode::CREATED);
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [
        {"mediaType": MediaType::OCI_MANIFEST, "digest": child_digest, "size": bytes_of(&child).len()},
    ]});
    pusher.put(NAME, "multi", &index).await.assert_status(StatusCode::CREATED);
    let index = digest_of(&index);
    let answer = delete(&pusher, &format!("manifests/{child_digest}")).await;
    let message =
        format!("manifest: The index {index} of the repository lists {child_digest}: delete that first.");
    assert_error(answer, StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", &message).await;
    delete(&pusher, &format!("manifests/{index}")).await.assert_status(StatusCode::ACCEPTED);
    assert_eq!(status(&pusher, &format!("manifests/{child_digest}")).await, StatusCode::OK);
    delete(&pusher, &format!("manifests/{child_digest}")).await.assert_status(StatusCode::ACCEPTED);
}

/// "Deleting Blobs": 202; not while a manifest needs it.
#[tokio::test]
async fn a_blob() {
    let pusher = Pusher::new().await;
    let digest = pusher.push(NAME, "v1", "layer").await;
    let layer = Digest::sha256_of(b"layer");
    let blob = format!("blobs/{layer}");
    let answer = delete(&pusher, &blob).await;
    let message = format!("blob: The manifest {digest} of the repository needs {layer}: delete that first.");
    answer.assert_header("allow", "GET, HEAD");
    assert_error(answer, StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", &message).await;
    delete(&pusher, &format!("manifests/{digest}")).await.assert_status(StatusCode::ACCEPTED);
    delete(&pusher, &blob).await.assert_status(StatusCode::ACCEPTED);
    assert_eq!(status(&pusher, &blob).await, StatusCode::NOT_FOUND);
    let again = delete(&pusher, &blob).await;
    let message = format!("team/app has no blob {layer}");
    assert_error(again, StatusCode::NOT_FOUND, "BLOB_UNKNOWN", &message).await;
    // What was deleted is no longer there for a manifest either.
    let mut document = pusher.image(NAME, "other").await;
    document["layers"][0] = json!({"mediaType": MediaType::OCI_LAYER_GZIP, "digest": layer, "size": 5});
    let answer = pusher.put(NAME, "v2", &document).await;
    assert_eq!(json_of(answer).await["errors"][0]["code"], "MANIFEST_BLOB_UNKNOWN");
}

#[tokio::test]
async fn of_what_is_not_there() {
    let pusher = Pusher::new().await;
    pusher.push(NAME, "v1", "layer").await;
    let answer = pusher.request(Method::DELETE, "/v2/team/absent/manifests/v1").send().await;
    let message = "no repository is served under the name team/absent";
    assert_error(answer, StatusCode::NOT_FOUND, "NAME_UNKNOWN", message).await;
    let absent = Digest::sha256_of(b"absent");
    for (tail, code) in [
        (format!("blobs/{absent}"), "BLOB_UNKNOWN"),
        (format!("manifests/{absent}"), "MANIFEST_UNKNOWN"),
        ("manifests/absent".to_owned(), "MANIFEST_UNKNOWN"),
    ] {
        let answer = delete(&pusher, &tail).await;
        answer.assert_status(StatusCode::NOT_FOUND);
        assert_eq!(json_of(answer).await["errors"][0]["code"], code, "{tail}");
    }
}
