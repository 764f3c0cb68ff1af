//! "Listing Referrers"

use poem::http::StatusCode;
use registry::{Digest, MediaType};
use serde_json::{Value, json};

use super::super::fixture::{assert_error, header, json_of};
use super::pusher::{NAME, Pusher, bytes_of, digest_of};

/// Pushes an artifact about `subject`; gives the descriptor that lists show.
async fn refer(pusher: &Pusher, subject: &Digest, artifact_type: &str, note: &str) -> Value {
    let mut document = pusher.image(NAME, "signature").await;
    document["artifactType"] = json!(artifact_type);
    document["subject"] = json!({"mediaType": MediaType::OCI_MANIFEST, "digest": subject, "size": 7});
    document["annotations"] = json!({"note": note});
    let digest = digest_of(&document);
    pusher.put(NAME, digest.as_str(), &document).await.assert_status(StatusCode::CREATED);
    json!({
        "mediaType": MediaType::OCI_MANIFEST,
        "digest": digest,
        "size": bytes_of(&document).len(),
        "annotations": {"note": note},
        "artifactType": artifact_type,
    })
}

fn index(mut manifests: Vec<Value>) -> Value {
    manifests.sort_by_key(|descriptor| descriptor["digest"].as_str().unwrap().to_owned());
    json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": manifests})
}

/// "MUST return 200 with an image index", each descriptor with artifactType and annotations.
#[tokio::test]
async fn of_a_manifest() {
    let pusher = Pusher::new().await;
    let subject = pusher.push(NAME, "v1", "layer").await;
    let path = format!("/v2/{NAME}/referrers/{subject}");
    let sbom = refer(&pusher, &subject, "application/vnd.example.sbom", "a").await;
    let signature = refer(&pusher, &subject, "application/vnd.example.signature", "b").await;
    refer(&pusher, &Digest::sha256_of(b"other"), "application/vnd.example.sbom", "c").await;
    let answer = pusher.get(&path).await;
    answer.assert_status_is_ok();
    answer.assert_header("content-type", MediaType::OCI_INDEX);
    assert!(!answer.0.headers().contains_key("oci-filters-applied"));
    assert_eq!(json_of(answer).await, index(vec![sbom.clone(), signature.clone()]));

    // "filtering": and the header says so.
    let answer = pusher.get(format!("{path}?artifactType=application/vnd.example.sbom")).await;
    answer.assert_header("oci-filters-applied", "artifactType");
    assert_eq!(json_of(answer).await, index(vec![sbom.clone()]));
    let answer = pusher.get(format!("{path}?artifactType=application/vnd.none")).await;
    assert_eq!(json_of(answer).await, index(vec![]));

    // A referrer that is deleted is no longer listed.
    let deleted = format!("/v2/{NAME}/manifests/{}", sbom["digest"].as_str().unwrap());
    let gone = pusher.request(poem::http::Method::DELETE, deleted).send().await;
    gone.assert_status(StatusCode::ACCEPTED);
    assert_eq!(json_of(pusher.get(&path).await).await, index(vec![signature]));
}

/// "artifactType MUST be the config's media type" where the manifest has none; an index may refer too.
#[tokio::test]
async fn types_are_found_where_they_are() {
    let pusher = Pusher::new().await;
    let subject = Digest::sha256_of(b"subject");
    let reference = json!({"mediaType": MediaType::OCI_MANIFEST, "digest": subject, "size": 7});
    let mut image = pusher.image(NAME, "layer").await;
    image["config"]["mediaType"] = json!("application/vnd.example.config");
    image["subject"] = reference.clone();
    let empty = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [],
        "subject": reference});
    for document in [&image, &empty] {
        let digest = digest_of(document).to_string();
        pusher.put(NAME, &digest, document).await.assert_status(StatusCode::CREATED);
    }
    let expected = index(vec![
        json!({"mediaType": MediaType::OCI_MANIFEST, "digest": digest_of(&image), "size": bytes_of(&image).len(),
            "artifactType": "application/vnd.example.config"}),
        json!({"mediaType": MediaType::OCI_INDEX, "digest": digest_of(&empty), "size": bytes_of(&empty).len()}),
    ]);
    let listed = json_of(pusher.get(format!("/v2/{NAME}/referrers/{subject}")).await).await;
    assert_eq!(listed, expected);
}

/// "If … no referrers, MUST return an empty list, not 404"; a bad digest is 400.
#[tokio::test]
async fn of_nothing() {
    let pusher = Pusher::new().await;
    pusher.push(NAME, "v1", "layer").await;
    let unknown = Digest::sha256_of(b"unknown");
    let answer = pusher.get(format!("/v2/{NAME}/referrers/{unknown}")).await;
    answer.assert_status_is_ok();
    assert_eq!(json_of(answer).await, index(vec![]));
    let answer = pusher.get(format!("/v2/{NAME}/referrers/latest")).await;
    let message = "\"latest\" is not a digest: it must read algorithm:hex";
    assert_error(answer, StatusCode::BAD_REQUEST, "DIGEST_INVALID", message).await;
    let answer = pusher.get(format!("/v2/team/absent/referrers/{unknown}")).await;
    assert_error(
        answer,
        StatusCode::NOT_FOUND,
        "NAME_UNKNOWN",
        "no repository is served under the name team/absent",
    )
    .await;
}

/// "A Link header MUST be included" when a list is cut, which it is before it gets too large for clients.
#[tokio::test]
async fn long_lists_come_in_pages() {
    let pusher = Pusher::new().await;
    let subject = Digest::sha256_of(b"subject");
    let mut expected = Vec::new();
    for number in 0..5 {
        let note = format!("{number}").repeat(1_000_000);
        expected.push(refer(&pusher, &subject, "application/vnd.example.sbom", &note).await);
    }
    let mut path = format!("/v2/{NAME}/referrers/{subject}?artifactType=application/vnd.example.sbom");
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let answer = pusher.get(&path).await;
        answer.assert_header("oci-filters-applied", "artifactType");
        let link = header(answer.0.headers(), "link").to_owned();
        let page = answer.0.into_body().into_bytes().await.unwrap();
        assert!(page.len() <= 4 * 1024 * 1024, "{}", page.len());
        let page: Value = serde_json::from_slice(&page).unwrap();
        found.extend(page["manifests"].as_array().unwrap().clone());
        pages += 1;
        let Some((next, _)) = link.strip_prefix('<').and_then(|link| link.split_once(">; rel=\"next\""))
        else {
            break;
        };
        path = next.to_owned();
    }
    assert_eq!((index(found), pages), (index(expected), 2));
}
