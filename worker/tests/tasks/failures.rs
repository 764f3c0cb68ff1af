//! What goes wrong: nothing is published, what has arrived stays.

use std::sync::Arc;
use std::time::Duration;

use registry::task::TaskState;
use tokio::sync::Notify;

use crate::faults::Fault;
use crate::house::{House, NAME, large, present, submit_sync, wait};

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_with_another_digest_is_refused() {
    let house = House::new().await;
    let good = house.fake.add_image(NAME, "good", &[b"good"]);
    house.sync_to_version(false).await;
    let bad = house.fake.add_image(NAME, "bad", &[b"bad layer"]);
    house.fake.on("GET", &format!("/blobs/{}", bad.layers[0])).inject(Fault::WrongBytes);

    let description = house.sync_fails("upstream.digest_mismatch").await;

    let url = format!("{}/v2/{NAME}/blobs/{}", house.fake.url(), bad.layers[0]);
    assert!(description.contains(&url), "{description}");
    assert_eq!(house.blobs.find_size(&bad.layers[0]).await.unwrap(), None);
    assert_eq!(house.tags().await, crate::house::tag_map(&[("good", &good.manifest)]));
    assert_eq!(house.fake.count("GET", &url[house.fake.url().len()..]), 1);

    house.fake.heal();
    assert_eq!(present(&house.sync_to_version(false).await), (2, 2, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_none_is_refused() {
    let house = House::new().await;
    let digest = house.fake.add_manifest(NAME, registry::MediaType::OCI_MANIFEST, "{\"schemaVersion\": 2");
    house.fake.tag(NAME, "broken", &digest);
    let description = house.sync_fails("manifest.invalid").await;
    assert!(description.starts_with(&format!("{}/v2/{NAME}/manifests/broken ", house.fake.url())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_blob_fails_at_once_and_what_arrived_stays() {
    let house = House::with(|remote| remote.download_concurrency = Some(1)).await;
    let image = house.fake.add_image(NAME, "1.0", &[b"first", b"second"]);
    house.fake.remove_blob(NAME, &image.layers[1]);
    let description = house.sync_fails("upstream.not_found").await;
    assert!(description.contains(image.layers[1].as_str()), "{description}");
    assert!(house.blobs.find_size(&image.layers[0]).await.unwrap().is_some());
    assert_eq!(house.gets("blobs"), 3);

    house.fake.add_image(NAME, "1.0", &[b"first", b"second"]);
    house.sync_to_version(false).await;
    assert_eq!(house.gets("blobs"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn transient_failures_are_tried_again() {
    let house = House::with(|remote| remote.download_concurrency = Some(1)).await;
    let image = house.fake.add_image(NAME, "1.0", &[b"layer"]);
    house.fake.on("GET", &format!("/blobs/{}", image.layers[0])).times(2).inject(Fault::status(503));
    let task = house.sync(false).await;
    assert_eq!((task.state, task.attempt, &task.error), (TaskState::Completed, 3, &None), "{task:#?}");
    assert_eq!(present(&house.latest().await), (1, 1, 2));
    // The configuration had arrived with the first attempt.
    assert_eq!(house.fake.count("GET", &format!("/blobs/{}", image.config)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_transient_failures_are_enough() {
    let house = House::new().await;
    house.fake.add_image(NAME, "1.0", &[b"layer"]);
    house.fake.on("GET", "/tags/list").inject(Fault::status(500));
    let description = house.sync_fails("upstream.status").await;
    assert!(description.starts_with(&house.fake.url()) && description.contains("500"), "{description}");
    assert_eq!(house.gets("tags"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_tried_again_and_hides_the_password() {
    let house = House::with(|remote| {
        remote.secrets.username = Some("user".into());
        remote.secrets.password = Some("hunter2".into());
    })
    .await;
    house.fake.add_image(NAME, "1.0", &[b"layer"]);
    house.fake.require_basic("user", "another");
    let description = house.sync_fails("upstream.unauthorized").await;
    assert!(!description.contains("hunter2"), "{description}");
    assert!(house.gets("tags") <= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_stops_the_other_transfers() {
    let house = House::new().await;
    let slow = house.fake.add_image(NAME, "slow", &[&large()]);
    let bad = house.fake.add_image(NAME, "bad", &[b"bad layer"]);
    let hold = Fault::Hold { after: 1_000, until: Arc::new(Notify::new()) };
    house.fake.on("GET", &format!("/blobs/{}", slow.layers[0])).inject(hold);
    house.fake.on("GET", &format!("/blobs/{}", bad.layers[0])).inject(Fault::status(404));
    let started = std::time::Instant::now();
    house.sync_fails("upstream.not_found").await;
    assert!(started.elapsed() < Duration::from_secs(10));
    let staging = std::fs::read_dir(house.folder.path().join("blobs/.staging")).unwrap();
    let half = staging.filter_map(|entry| std::fs::read_dir(entry.unwrap().path()).ok()).flatten().count();
    assert_eq!(half, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_cannot_be_used_is_named() {
    let house = House::new().await;
    let remote = crate::house::add_remote(&house.catalog, "http://example.com", |remote| {
        remote.upstream_name = "Not/A/Name".into();
    })
    .await;
    let task = submit_sync(&house.catalog, house.repository, remote, false).await;
    let task = wait(&house.catalog, task).await;
    let error = task.error.unwrap();
    assert_eq!(error.code, "remote.setting");
    assert!(error.description.contains("upstream_name"), "{}", error.description);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_cannot_be_reached_is_visible_while_the_sync_waits() {
    let house = House::new().await;
    let nowhere = crate::house::add_remote(&house.catalog, "http://127.0.0.1:1", |remote| {
        remote.max_retries = None;
    })
    .await;
    let task = submit_sync(&house.catalog, house.repository, nowhere, false).await;
    let mut seen = None;
    crate::house::until("the first failure", async || {
        let task = house.catalog.find_task(task).await.unwrap().unwrap();
        seen = task.error.map(|error| (error.code, task.failures));
        seen.is_some()
    })
    .await;
    assert_eq!(seen.unwrap().0, worker::UNREACHABLE);
    let ended = wait(&house.catalog, task).await;
    assert_eq!((ended.state, ended.attempt), (TaskState::Failed, 3), "{ended:#?}");
    let description = ended.error.unwrap().description;
    assert!(description.contains("Connection refused"), "{description}");
}
