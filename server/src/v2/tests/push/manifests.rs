//! "Pushing Manifests"

use poem::http::StatusCode;
use registry::{Digest, MAX_MANIFEST_BYTES, MediaType};
use serde_json::json;

use super::super::fixture::{assert_error, header, json_of};
use super::pusher::{NAME, Pusher, bytes_of, digest_of, location};

/// "Upon a successful upload, the registry MUST return 201 Created, and MUST have Location", and what is there is, byte
/// by byte, what was sent.
#[tokio::test]
async fn by_tag_and_by_digest() {
    let pusher = Pusher::new().await;
    let document = pusher.image(NAME, "layer").await;
    let digest = digest_of(&document);
    for (reference, tags) in [(digest.as_str(), &[][..]), ("v1", &["v1"]), ("latest", &["latest", "v1"])] {
        let answer = pusher.put(NAME, reference, &document).await;
        answer.assert_status(StatusCode::CREATED);
        answer.assert_header("docker-content-digest", digest.as_str());
        assert_eq!(location(&answer), format!("/v2/{NAME}/manifests/{digest}"));
        assert!(!answer.0.headers().contains_key("oci-subject"));
        let pulled = pusher.get(format!("/v2/{NAME}/manifests/{reference}")).await;
        pulled.assert_header("content-type", MediaType::OCI_MANIFEST);
        assert_eq!(pulled.0.into_body().into_bytes().await.unwrap(), bytes_of(&document));
        assert_eq!(pusher.tags(NAME).await, tags);
    }
    // What changes nothing makes no version.
    let version = pusher.latest_version(NAME).await;
    assert_eq!(version, 3);
    pusher.put(NAME, "v1", &document).await.assert_status(StatusCode::CREATED);
    assert_eq!(pusher.latest_version(NAME).await, version);
}

#[tokio::test]
async fn a_tag_moves() {
    let pusher = Pusher::new().await;
    let first = pusher.push(NAME, "latest", "one").await;
    let second = pusher.push(NAME, "latest", "two").await;
    let pulled = pusher.get(format!("/v2/{NAME}/manifests/latest")).await;
    assert_eq!(header(pulled.0.headers(), "docker-content-digest"), second.as_str());
    pusher.get(format!("/v2/{NAME}/manifests/{first}")).await.assert_status_is_ok();
}

/// A push makes repository and distribution, which anybody may pull from.
#[tokio::test]
async fn a_push_makes_what_is_absent() {
    let pusher = Pusher::new().await;
    pusher.push("team/new", "v1", "layer").await;
    // Names within names, as builders with a cache use them.
    pusher.push("team/new/cache", "v1", "layer").await;
    let catalog = &pusher.fixture.state.catalog;
    let distribution = catalog.find_distribution_by_base_path("team/new").await.unwrap().unwrap();
    assert_eq!((distribution.name.as_str(), distribution.private), ("team/new", false));
    let repository = catalog.find_repository_by_name("team/new").await.unwrap().unwrap();
    assert_eq!(distribution.repository, Some(repository.id));
    let anonymous = pusher.fixture.get("/v2/team/new/manifests/v1").send().await;
    anonymous.assert_status_is_ok();
}

/// "MUST NOT accept a manifest whose parts are absent": `MANIFEST_BLOB_UNKNOWN`, with what is missing.
#[tokio::test]
async fn parts_have_to_be_there() {
    let pusher = Pusher::new().await;
    let mut document = pusher.image(NAME, "layer").await;
    let elsewhere = pusher.blob("team/other", b"elsewhere").await;
    let absent = Digest::sha256_of(b"absent");
    for digest in [&elsewhere, &absent] {
        let layer = json!({"mediaType": MediaType::OCI_LAYER_GZIP, "digest": digest, "size": 9});
        document["layers"].as_array_mut().unwrap().push(layer);
    }
    let answer = pusher.put(NAME, "v1", &document).await;
    answer.assert_status(StatusCode::NOT_FOUND);
    let error = |digest| {
        json!({
            "code": "MANIFEST_BLOB_UNKNOWN",
            "message": "team/app has not all that the manifest needs: push that first",
            "detail": {"digest": digest},
        })
    };
    assert_eq!(json_of(answer).await, json!({"errors": [error(&elsewhere), error(&absent)]}));
    pusher.get(format!("/v2/{NAME}/manifests/v1")).await.assert_status(StatusCode::NOT_FOUND);
    assert_eq!(pusher.latest_version(NAME).await, 0);
}

/// An index needs its manifests, in this repository.
#[tokio::test]
async fn an_index_needs_its_children() {
    let pusher = Pusher::new().await;
    let child = pusher.image(NAME, "layer").await;
    let size = bytes_of(&child).len();
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [
        {"mediaType": MediaType::OCI_MANIFEST, "digest": digest_of(&child), "size": size,
         "platform": {"os": "linux", "architecture": "arm64"}},
    ]});
    let answer = pusher.put(NAME, "multi", &index).await;
    answer.assert_status(StatusCode::NOT_FOUND);
    assert_eq!(json_of(answer).await["errors"][0]["code"], "MANIFEST_BLOB_UNKNOWN");
    let digest = digest_of(&child).to_string();
    pusher.put(NAME, &digest, &child).await.assert_status(StatusCode::CREATED);
    pusher.put(NAME, "multi", &index).await.assert_status(StatusCode::CREATED);
    pusher.get(format!("/v2/{NAME}/manifests/{digest}")).await.assert_status_is_ok();
}

#[tokio::test]
async fn an_index_is_not_nested_for_ever() {
    let pusher = Pusher::new().await;
    let mut inner = pusher.image(NAME, "layer").await;
    let digest = digest_of(&inner).to_string();
    pusher.put(NAME, &digest, &inner).await.assert_status(StatusCode::CREATED);
    for level in 1..=9 {
        let outer = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [
            {"mediaType": inner["mediaType"], "digest": digest_of(&inner), "size": bytes_of(&inner).len()},
        ]});
        let answer = pusher.put(NAME, digest_of(&outer).as_str(), &outer).await;
        if level == 9 {
            let message = "the index is nested more than 8 levels deep";
            assert_error(answer, StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message).await;
        } else {
            answer.assert_status(StatusCode::CREATED);
        }
        inner = outer;
    }
}

/// "OCI-Subject", whether the subject is there or not.
#[tokio::test]
async fn a_subject_is_confirmed() {
    let pusher = Pusher::new().await;
    let subject = Digest::sha256_of(b"not pushed yet");
    let mut document = pusher.image(NAME, "signature").await;
    document["subject"] = json!({"mediaType": MediaType::OCI_MANIFEST, "digest": subject, "size": 7});
    let digest = digest_of(&document).to_string();
    let answer = pusher.put(NAME, &digest, &document).await;
    answer.assert_status(StatusCode::CREATED);
    answer.assert_header("oci-subject", subject.as_str());
}

/// "The digest MUST match": by digest, the bytes decide.
#[tokio::test]
async fn a_digest_has_to_match() {
    let pusher = Pusher::new().await;
    let document = pusher.image(NAME, "layer").await;
    let (wrong, right) = (Digest::sha256_of(b"x"), digest_of(&document));
    let answer = pusher.put(NAME, wrong.as_str(), &document).await;
    let message = format!("the content has the digest {right}, not {wrong}");
    assert_error(answer, StatusCode::BAD_REQUEST, "DIGEST_INVALID", &message).await;
}

/// "The Content-Type header MUST match the mediaType field".
#[tokio::test]
async fn types_have_to_agree() {
    let pusher = Pusher::new().await;
    let document = pusher.image(NAME, "layer").await;
    for sent in [MediaType::OCI_INDEX, MediaType::DOCKER_MANIFEST, "application/vnd.example+json"] {
        let answer = pusher.put_bytes(NAME, "v1", sent, bytes_of(&document)).await;
        let message = format!(
            "the manifest says that it is \"{}\", but was sent as \"{sent}\"",
            MediaType::OCI_MANIFEST
        );
        assert_error(answer, StatusCode::BAD_REQUEST, "MANIFEST_INVALID", &message).await;
    }
    let answer = pusher.put_bytes(NAME, "v1", "nonsense", bytes_of(&document)).await;
    let message = "the header Content-Type must be a manifest's media type";
    assert_error(answer, StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message).await;
    // What says nothing contradicts nothing.
    let vague = pusher.put_bytes(NAME, "v1", "application/json", bytes_of(&document)).await;
    vague.assert_status(StatusCode::CREATED);
    let pulled = pusher.get(format!("/v2/{NAME}/manifests/v1")).await;
    pulled.assert_header("content-type", MediaType::OCI_MANIFEST);
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    let pusher = Pusher::new().await;
    let mut wrong_size = pusher.image(NAME, "layer").await;
    let layer = wrong_size["layers"][0]["digest"].clone();
    wrong_size["layers"][0]["size"] = json!(4);
    let mut bad_digest = wrong_size.clone();
    bad_digest["layers"][0]["digest"] = json!("sha256:../../etc/passwd");
    let schema1 = json!({"schemaVersion": 1, "fsLayers": []});
    for (document, media_type, message) in [
        (
            "{",
            MediaType::OCI_MANIFEST,
            "the manifest is not valid JSON of its kind: EOF while parsing an object at line 1 column 1"
                .to_owned(),
        ),
        ("[]", MediaType::OCI_MANIFEST, String::new()),
        (
            &wrong_size.to_string(),
            MediaType::OCI_MANIFEST,
            format!("the manifest says that {} has 4 bytes, but it has 5", layer.as_str().unwrap()),
        ),
        (&bad_digest.to_string(), MediaType::OCI_MANIFEST, String::new()),
        (
            &schema1.to_string(),
            MediaType::DOCKER_SCHEMA1_SIGNED,
            "manifests of Docker's schema 1 are not accepted: push the image by a current client".to_owned(),
        ),
    ] {
        let answer = pusher.put_bytes(NAME, "v1", media_type, document.to_owned().into()).await;
        answer.assert_status(StatusCode::BAD_REQUEST);
        let errors = json_of(answer).await;
        assert_eq!(errors["errors"][0]["code"], "MANIFEST_INVALID", "{document}");
        assert!(message.is_empty() || errors["errors"][0]["message"] == message, "{errors}");
    }
    let document = pusher.image(NAME, "layer").await;
    for (reference, code) in [(".bad", "MANIFEST_INVALID"), ("sha256:0", "DIGEST_INVALID")] {
        let answer = pusher.put(NAME, reference, &document).await;
        answer.assert_status(StatusCode::BAD_REQUEST);
        assert_eq!(json_of(answer).await["errors"][0]["code"], code, "{reference}");
    }
    assert_eq!(pusher.latest_version(NAME).await, 0);
}

/// "4 MiB": a manifest of that size is taken, one byte more is 413.
#[tokio::test]
async fn manifests_have_a_limit() {
    let pusher = Pusher::new().await;
    let mut document = pusher.image(NAME, "layer").await;
    document["annotations"] = json!({"padding": ""});
    let padding = "x".repeat(MAX_MANIFEST_BYTES - bytes_of(&document).len());
    document["annotations"]["padding"] = json!(padding);
    assert_eq!(bytes_of(&document).len(), MAX_MANIFEST_BYTES);
    pusher.put(NAME, "largest", &document).await.assert_status(StatusCode::CREATED);
    document["annotations"]["padding"] = json!(format!("{padding}x"));
    let answer = pusher.put(NAME, "larger", &document).await;
    let message = "the manifest is larger than 4194304 bytes, which is the limit";
    assert_error(answer, StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID", message).await;
}

/// Many tags at once: each is a version, and all are there.
#[tokio::test]
async fn many_tags_at_once() {
    let pusher = Pusher::new().await;
    let document = pusher.image(NAME, "layer").await;
    let tags: Vec<String> = (10..30).map(|number| format!("v{number}")).collect();
    let sent = tags.iter().map(async |tag| {
        pusher.put(NAME, tag, &document).await.assert_status(StatusCode::CREATED);
        pusher.get(format!("/v2/{NAME}/manifests/{tag}")).await.assert_status_is_ok();
    });
    futures::future::join_all(sent).await;
    assert_eq!(pusher.tags(NAME).await, tags);
    assert_eq!(pusher.latest_version(NAME).await, 20);
}

/// Foreign layers stay where they are; artifacts of any kind are taken.
#[tokio::test]
async fn artifacts_and_foreign_layers() {
    let pusher = Pusher::new().await;
    let mut document = pusher.image(NAME, "layer").await;
    document["artifactType"] = json!("application/vnd.example.sbom");
    document["config"]["mediaType"] = json!("application/vnd.oci.empty.v1+json");
    document["layers"].as_array_mut().unwrap().push(json!({
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": Digest::sha256_of(b"foreign"), "size": 7, "urls": ["https://elsewhere.example/f"],
    }));
    pusher.put(NAME, "artifact", &document).await.assert_status(StatusCode::CREATED);
}
