//! Lists of all versions and of all content.

use poem::http::StatusCode;
use registry::href::Kind;
use serde_json::{Value, json};

use super::{ask, get};
use crate::v2::tests::fixture::{Fixture, PUBLIC_MIRROR};

async fn count(fixture: &Fixture, path: &str) -> Value {
    let (status, found) = get(fixture, path).await;
    assert_eq!(status, StatusCode::OK, "{path} {found}");
    found["count"].clone()
}

#[tokio::test]
async fn versions_of_all_repositories_are_listed() {
    let fixture = Fixture::new().await;
    fixture.serve("app", &PUBLIC_MIRROR, &["a"], b"layer").await;
    fixture.serve("other", &PUBLIC_MIRROR, &["a"], b"other layer").await;
    let (_, all) = get(&fixture, "repository_versions/").await;
    assert_eq!(all["count"], 4);
    let version = &all["results"][0];
    let href = version["pulp_href"].as_str().unwrap();
    assert_eq!(&get(&fixture, href.trim_start_matches("/pulp/api/v3/")).await.1, version);
    let (_, tags) = get(&fixture, "content/container/tags/?ordering=pulp_created").await;
    let (first, second) = (&tags["results"][0]["pulp_href"], &tags["results"][1]["pulp_href"]);
    let (first, second) = (first.as_str().unwrap(), second.as_str().unwrap());
    for (filter, expected) in [
        ("number=1".to_owned(), 2),
        ("number__range=0,1".to_owned(), 4),
        (format!("content={first}"), 1),
        (format!("content__in={first},{second}"), 2),
        (format!("content__in={}", Kind::Tag.href(uuid::Uuid::from_u128(7))), 0),
        (format!("prn__in={}", version["prn"].as_str().unwrap()), 1),
        (format!("pulp_href__in={href}"), 1),
        ("pulp_created__gt=2027-01-01".to_owned(), 4),
        ("ordering=-number,pulp_created,-pulp_last_updated,pulp_id".to_owned(), 4),
    ] {
        assert_eq!(count(&fixture, &format!("repository_versions/?{filter}")).await, expected, "{filter}");
    }
    let (_, numbers) = get(&fixture, "repository_versions/?ordering=-number&fields=number").await;
    assert_eq!(numbers["results"], json!([{"number": 1}, {"number": 1}, {"number": 0}, {"number": 0}]));
    let (status, refused) = get(&fixture, "repository_versions/?content__in=/x/").await;
    assert_eq!((status, refused), (StatusCode::BAD_REQUEST, json!({"content__in": ["URI not valid: /x/"]})));
}

#[tokio::test]
async fn content_of_all_kinds_is_listed() {
    let fixture = Fixture::new().await;
    let image = fixture.serve("app", &PUBLIC_MIRROR, &["a", "b"], b"layer").await;
    let repository = fixture.state.catalog.find_repository_by_name("app").await.unwrap().unwrap();
    let (first, empty) =
        (registry::href::version_href(repository.id, 1), registry::href::version_href(repository.id, 0));
    let (_, blobs) = get(&fixture, &format!("content/container/blobs/?digest={}", image.layer)).await;
    let blob = &blobs["results"][0];
    let (href, prn) = (blob["pulp_href"].as_str().unwrap(), blob["prn"].as_str().unwrap());
    let label = json!({"key": "env", "value": "x"}).to_string();
    ask(
        &fixture,
        "POST",
        &format!("{}set_label/", href.trim_start_matches("/pulp/api/v3/")),
        "application/json",
        &label,
    )
    .await;
    for (filter, expected) in [
        (String::new(), 5),
        (format!("repository_version={first}"), 5),
        (format!("repository_version={empty}"), 0),
        (format!("repository_version_added={first}"), 5),
        (format!("added_between={empty},{first}"), 5),
        ("pulp_type=container.tag".to_owned(), 2),
        ("pulp_type__in=container.tag,container.blob".to_owned(), 4),
        (format!("pulp_href__in={href}"), 1),
        (format!("prn__in={prn}"), 1),
        ("pulp_label_select=env=x".to_owned(), 1),
        ("pulp_label_select=!env".to_owned(), 4),
        ("orphaned_for=0".to_owned(), 0),
        ("q=pulp_type=container.tag%20OR%20pulp_label_select=env".to_owned(), 3),
        ("ordering=-pulp_created".to_owned(), 5),
    ] {
        assert_eq!(count(&fixture, &format!("content/?{filter}")).await, expected, "{filter}");
    }
    let (_, found) = get(&fixture, &format!("content/?prn__in={prn}")).await;
    let id = Kind::Blob.parse(href).unwrap();
    let expected = json!({
        "pulp_href": href,
        "prn": prn,
        "pulp_created": blob["pulp_created"],
        "pulp_last_updated": blob["pulp_last_updated"],
        "pulp_labels": {"env": "x"},
        "vuln_report": null,
        "artifacts": {image.layer.as_str(): Kind::Artifact.href(id)},
    });
    assert_eq!(found["results"], json!([expected]));
    let (_, tags) = get(&fixture, "content/?pulp_type=container.tag&limit=1").await;
    assert_eq!(tags["results"][0]["artifacts"], json!({}));
    let (status, refused) = get(&fixture, "content/?pulp_type=file.file").await;
    let message = "Select a valid choice. file.file is not one of the available choices.";
    assert_eq!((status, refused), (StatusCode::BAD_REQUEST, json!({"pulp_type": [message]})));
}

#[tokio::test]
async fn tags_are_found_by_their_manifests_and_content_is_ordered() {
    let fixture = Fixture::new().await;
    let image = fixture.serve("app", &PUBLIC_MIRROR, &["a", "b"], b"layer").await;
    let other = fixture.serve("other", &PUBLIC_MIRROR, &["c"], b"other layer").await;
    let encoded = |media_type: &str| media_type.replace('+', "%2B");
    let oci = encoded(registry::MediaType::OCI_MANIFEST);
    for (filter, expected) in [
        (format!("digest={}", image.digest), 2),
        (format!("digest={},{}", image.digest, other.digest), 3),
        (format!("digest={}&digest={}", image.digest, other.digest), 3),
        (format!("media_type={oci}"), 3),
        (format!("media_type={},text/plain", encoded(registry::MediaType::OCI_INDEX)), 0),
    ] {
        assert_eq!(count(&fixture, &format!("content/container/tags/?{filter}")).await, expected, "{filter}");
    }
    for (path, fields) in [
        ("content/container/blobs/", ["pulp_id", "pulp_created", "digest"]),
        ("content/container/tags/", ["pulp_id", "pulp_created", "name"]),
        ("content/container/manifests/", ["media_type", "architecture", "compressed_image_size"]),
    ] {
        for field in fields {
            for order in [field.to_owned(), format!("-{field}"), format!("{field},-{field}")] {
                let list = format!("{path}?ordering={order}&limit=1");
                let (status, found) = get(&fixture, &list).await;
                assert_eq!(
                    (status, found["results"].as_array().unwrap().len()),
                    (StatusCode::OK, 1),
                    "{list}"
                );
            }
        }
    }
}
