//! First and later syncs, in both modes.

use registry::Digest;
use serde_json::json;
use worker::codes;

use crate::house::{House, NAME, add_repository, present, progress, submit_sync, tag_map, wait};

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_takes_everything_once() {
    let house = House::new().await;
    let one = house.fake.add_image(NAME, "1.0", &[b"shared", b"one"]);
    let two = house.fake.add_image(NAME, "2.0", &[b"shared", b"two"]);
    let index = house.fake.add_index(NAME, "latest", &[&one, &two]);

    let version = house.sync_to_version(false).await;

    assert_eq!((version.number, present(&version)), (1, (3, 3, 5)));
    let expected = [("1.0", &one.manifest), ("2.0", &two.manifest), ("latest", &index)];
    assert_eq!(house.tags().await, tag_map(&expected));
    // One list, one GET a tag; the index's children are known by their tags or fetched by digest.
    assert_eq!(house.gets("tags"), 1);
    assert_eq!(house.heads(), 0);
    assert_eq!(house.gets("blobs"), 5);
    assert!((3..=5).contains(&house.gets("manifests")), "{}", house.gets("manifests"));
    for digest in [&one.config, &one.layers[0], &one.layers[1], &two.config, &two.layers[1]] {
        assert!(house.blobs.find_size(digest).await.unwrap().is_some());
    }
    let repository = house.catalog.find_repository(house.repository).await.unwrap().unwrap();
    assert!(repository.synced_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_tells_what_it_made_and_did() {
    let house = House::new().await;
    house.fake.add_image(NAME, "1.0", &[b"layer"]);
    let task = house.sync(false).await;
    let version = house.latest().await;
    let href = format!("/pulp/api/v3/repositories/container/container/{}/versions/1/", house.repository);
    let made = &task.created_resources[0];
    assert_eq!(made.href, href);
    assert_eq!(made.prn, format!("prn:core.repositoryversion:{}", version.id));
    let result = task.result.as_ref().unwrap();
    assert_eq!(result["pulp_href"], json!(href));
    assert_eq!(result["base_version"], json!(null));
    assert_eq!(
        result["content_summary"]["added"]["container.blob"],
        json!({"count": 2, "href": format!("/pulp/api/v3/content/container/blobs/?repository_version_added={href}")})
    );
    assert_eq!(result["content_summary"]["removed"], json!({}));
    let config = r#"{"architecture":"amd64","config":{"Labels":{"tag":"1.0"}},"os":"linux"}"#.len();
    let bytes = i64::try_from(config + b"layer".len()).unwrap();
    assert_eq!(
        progress(&task).into_iter().collect::<Vec<_>>(),
        [
            (codes::CONTENT, (4, None)),
            (codes::BLOBS, (2, Some(2))),
            (codes::BYTES, (bytes, Some(bytes))),
            (codes::TAG_LIST, (1, Some(1))),
            (codes::MANIFESTS, (1, Some(1))),
            (codes::TAGS, (1, Some(1))),
        ]
    );
    assert!(task.progress.iter().all(|report| report.state == registry::task::TaskState::Completed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_without_news_costs_one_request_a_tag() {
    let house = House::new().await;
    house.fake.set_page_size(100);
    for at in 0..20 {
        house.fake.add_image(NAME, &format!("v{at}"), &[format!("layer {at}").as_bytes()]);
    }
    house.sync_to_version(false).await;
    for mirror in [false, true] {
        house.fake.forget_requests();
        house.sync_without_change(mirror).await;
        // And one to learn that it lists no referrers.
        assert_eq!((house.heads(), house.gets("tags"), house.gets("referrers")), (20, 1, 1));
        assert_eq!(house.fake.requests().len(), 22);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_tag_moves() {
    let house = House::new().await;
    house.fake.add_image(NAME, "1.0", &[b"base"]);
    let stays = house.fake.add_image(NAME, "2.0", &[b"base", b"two"]);
    house.sync_to_version(false).await;
    house.fake.forget_requests();

    let moved = house.fake.add_image(NAME, "1.0", &[b"base", b"fix"]);
    let version = house.sync_to_version(false).await;

    assert_eq!(house.tags().await, tag_map(&[("1.0", &moved.manifest), ("2.0", &stays.manifest)]));
    assert_eq!((version.summary.added.tags, version.summary.removed.tags), (1, 1));
    // Without mirror, what the tag named before stays.
    assert_eq!(present(&version), (2, 3, 5));
    assert_eq!((house.heads(), house.gets("manifests"), house.gets("blobs")), (2, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_tag_goes_only_when_mirroring() {
    let house = House::new().await;
    house.fake.add_image(NAME, "1.0", &[b"one"]);
    let two = house.fake.add_image(NAME, "2.0", &[b"two"]);
    house.sync_to_version(false).await;
    house.fake.untag(NAME, "1.0");

    house.sync_without_change(false).await;
    assert_eq!(house.tags().await.len(), 2);

    let version = house.sync_to_version(true).await;
    assert_eq!(house.tags().await, tag_map(&[("2.0", &two.manifest)]));
    assert_eq!(present(&version), (1, 1, 2));
    assert_eq!((version.summary.removed.tags, version.summary.removed.blobs), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_repository_brought_is_not_fetched_again() {
    let house = House::new().await;
    let one = house.fake.add_image(NAME, "1.0", &[b"one"]);
    let two = house.fake.add_image(NAME, "2.0", &[b"two"]);
    house.fake.add_index(NAME, "both", &[&one, &two]);
    house.sync_to_version(false).await;
    house.fake.forget_requests();

    let other = add_repository(&house.catalog, "other").await;
    let task = wait(&house.catalog, submit_sync(&house.catalog, other, house.remote, false).await).await;

    assert_eq!(task.created_resources.len(), 1, "{task:#?}");
    assert_eq!((house.gets("blobs"), house.gets("manifests")), (0, 3));
    let version = house.catalog.find_version(other, 1).await.unwrap().unwrap();
    assert_eq!(present(&version), (3, 3, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_syncs_at_once_fetch_each_blob_once() {
    let house = House::new().await;
    for tag in ["1", "2", "3", "4"] {
        house.fake.add_image(NAME, tag, &[tag.repeat(200_000).as_bytes(), b"shared"]);
    }
    let other = add_repository(&house.catalog, "other").await;
    let one = submit_sync(&house.catalog, house.repository, house.remote, false).await;
    let two = submit_sync(&house.catalog, other, house.remote, false).await;
    for task in [wait(&house.catalog, one).await, wait(&house.catalog, two).await] {
        assert_eq!(task.created_resources.len(), 1, "{task:#?}");
    }
    // Four configurations, four layers, and the one that all share.
    assert_eq!(house.gets("blobs"), 9);
    let version = house.catalog.find_version(other, 1).await.unwrap().unwrap();
    assert_eq!(present(&version), (4, 4, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_file_is_fetched_again_and_a_file_without_a_row_is_not() {
    let house = House::new().await;
    let known = b"known to nobody".as_slice();
    let digest = Digest::sha256_of(known);
    let mut staged = house.blobs.stage(&digest).await.unwrap();
    staged.write(bytes::Bytes::from_static(known)).await.unwrap();
    staged.finish(None).await.unwrap();
    let lost = house.fake.add_blob(NAME, b"lost".as_slice());
    house.catalog.record_blobs(&house.blobs, vec![(lost.clone(), 4)]).await.unwrap();
    let image = house.fake.add_image(NAME, "1.0", &[known, b"lost"]);

    assert_eq!(present(&house.sync_to_version(false).await), (1, 1, 3));

    assert_eq!(house.fake.count("GET", &format!("/blobs/{digest}")), 0);
    assert_eq!(house.fake.count("GET", &format!("/blobs/{lost}")), 1);
    let rows = house.catalog.find_blobs(&image.layers).await.unwrap();
    assert_eq!(rows[&digest], 15);
}
