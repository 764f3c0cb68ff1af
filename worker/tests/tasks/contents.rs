//! The shapes of images.

use registry::{Digest, MediaType};
use serde_json::json;
use worker::codes;

use crate::house::{House, NAME, present, progress, tag_map};

/// An index that lists one manifest.
fn index_over(house: &House, child: &Digest) -> Digest {
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [
        {"mediaType": MediaType::OCI_INDEX, "digest": child.as_str(), "size": 1}]});
    house.fake.add_manifest(NAME, MediaType::OCI_INDEX, index.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_an_index_come_by_digest_once() {
    let house = House::new().await;
    let one = house.fake.add_image(NAME, "one", &[b"shared", b"one"]);
    let two = house.fake.add_image(NAME, "two", &[b"shared", b"two"]);
    house.fake.untag(NAME, "one");
    house.fake.untag(NAME, "two");
    let index = house.fake.add_index(NAME, "latest", &[&one, &two]);
    house.fake.add_index(NAME, "newest", &[&one, &two]);

    let version = house.sync_to_version(false).await;

    assert_eq!(present(&version), (2, 3, 5));
    assert_eq!(house.tags().await, tag_map(&[("latest", &index), ("newest", &index)]));
    assert_eq!(house.fake.count("GET", &format!("/manifests/{}", one.manifest)), 1);
    assert_eq!(house.fake.count("GET", &format!("/manifests/{}", two.manifest)), 1);
    assert_eq!((house.gets("manifests"), house.gets("blobs")), (4, 5));
    let known = house.catalog.find_manifests(std::slice::from_ref(&one.manifest)).await.unwrap();
    assert_eq!(known[&one.manifest].bytes, one.manifest_bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_indexes_are_followed_to_a_limit() {
    let house = House::new().await;
    let mut digest = house.fake.add_image(NAME, "image", &[b"deep"]).manifest;
    house.fake.untag(NAME, "image");
    for _ in 0..8 {
        digest = index_over(&house, &digest);
    }
    house.fake.tag(NAME, "deep", &digest);
    assert_eq!(present(&house.sync_to_version(false).await), (1, 9, 2));

    let too_deep = index_over(&house, &digest);
    house.fake.tag(NAME, "deep", &too_deep);
    // The lower ones are known and whole by now: only what is new is counted.
    house.sync_to_version(false).await;

    let fresh = House::new().await;
    let mut digest = fresh.fake.add_image(NAME, "image", &[b"deep"]).manifest;
    for _ in 0..9 {
        digest = index_over(&fresh, &digest);
    }
    fresh.fake.tag(NAME, "deep", &digest);
    let description = fresh.sync_fails("manifest.too_deep").await;
    assert!(description.ends_with("is nested more than 8 levels deep"), "{description}");
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_layers_stay_where_they_are() {
    let house = House::new().await;
    let config = house.fake.add_blob(NAME, b"{}".as_slice());
    let layer = house.fake.add_blob(NAME, b"layer".as_slice());
    let image = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::DOCKER_MANIFEST,
        "config": {"mediaType": MediaType::DOCKER_CONFIG, "digest": config.as_str(), "size": 2},
        "layers": [
            {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "size": 7,
             "digest": Digest::sha256_of(b"foreign").as_str(), "urls": ["https://example.com/foreign"]},
            {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 5, "digest": layer.as_str()},
        ],
    });
    let digest = house.fake.add_manifest(NAME, MediaType::DOCKER_MANIFEST, image.to_string());
    house.fake.tag(NAME, "windows", &digest);
    let task = house.sync(false).await;
    assert_eq!(progress(&task)[codes::SKIPPED_FOREIGN_LAYERS], (1, Some(1)));
    assert_eq!((present(&house.latest().await), house.gets("blobs")), ((1, 1, 2), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_1_is_kept_as_received() {
    let house = House::new().await;
    let layer = house.fake.add_blob(NAME, b"old layer".as_slice());
    let image = json!({"schemaVersion": 1, "name": NAME, "tag": "old", "architecture": "amd64",
        "fsLayers": [{"blobSum": layer.as_str()}, {"blobSum": layer.as_str()}], "history": []});
    let digest = house.fake.add_manifest(NAME, MediaType::DOCKER_SCHEMA1, image.to_string());
    house.fake.tag(NAME, "old", &digest);
    let task = house.sync(false).await;
    assert_eq!((present(&house.latest().await), house.gets("blobs")), ((1, 1, 1), 1), "{task:#?}");
    assert_eq!(progress(&task)[codes::BYTES], (9, Some(9)));
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_platform_come_from_the_configuration() {
    let house = House::new().await;
    house.fake.add_image(NAME, "1.0", &[b"layer"]);
    house.sync_to_version(false).await;
    let page = house.catalog.list_manifest_contents(&storage::ListQuery::default()).await.unwrap();
    let manifest = &page.items[0];
    assert_eq!(manifest.labels, [("tag".to_owned(), "1.0".to_owned())].into());
    assert_eq!((manifest.architecture.as_deref(), manifest.os.as_deref()), (Some("amd64"), Some("linux")));
}
