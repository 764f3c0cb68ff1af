//! Cleaning up orphans: what nothing needs goes, and nothing else, whatever happens meanwhile.

use std::time::{Duration, UNIX_EPOCH};

use registry::Digest;
use registry::task::{Reservation, TaskState, Work};
use storage::{Catalog, ListQuery, NewTask, Task};
use uuid::Uuid;

use crate::house::{House, NAME, add_repository, present, progress, submit_sync, wait};

async fn clean_up(catalog: &Catalog, protection_minutes: u32, dry_run: bool) -> Task {
    let work = Work::CleanUpOrphans { protection_minutes, only: Vec::new(), dry_run };
    let new = NewTask { correlation_id: "test".into(), ..NewTask::new(work, Reservation::of_cleanup()) };
    let mut tx = catalog.begin().await.unwrap();
    let task = tx.submit(new).await.unwrap();
    tx.commit().await.unwrap();
    let task = wait(catalog, task).await;
    assert_eq!((task.state, &task.error), (TaskState::Completed, &None), "{task:#?}");
    task
}

async fn delete_version(catalog: &Catalog, repository: Uuid, number: i64) {
    let work = Work::DeleteVersion { repository, number };
    let task = crate::house::submit(catalog, work, repository).await;
    assert_eq!(wait(catalog, task).await.state, TaskState::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn space_comes_back_and_can_be_filled_again() {
    let house = House::new().await;
    house.fake.add_image(NAME, "1.0", &[b"shared", b"old layer"]);
    house.sync_to_version(true).await;
    let new = house.fake.add_image(NAME, "1.0", &[b"shared", b"new"]);
    let version = house.sync_to_version(true).await;
    let old = Digest::sha256_of(b"old layer");
    let idle = serde_json::json!({"content": 0, "files": 0, "bytes": 0, "dry_run": false});
    assert_eq!(clean_up(&house.catalog, 0, false).await.result, Some(idle.clone()));
    delete_version(&house.catalog, house.repository, 1).await;
    // Too young.
    assert_eq!(clean_up(&house.catalog, 1, false).await.result, Some(idle));

    // The tag, the manifest and a layer of the first image; the configuration is that of the second, too.
    let plan = clean_up(&house.catalog, 0, true).await.result.unwrap();
    let bytes = plan["bytes"].as_i64().unwrap();
    assert_eq!(plan, serde_json::json!({"content": 3, "files": 1, "bytes": bytes, "dry_run": true}));
    assert_eq!(house.blobs.find_size(&old).await.unwrap(), Some(9));
    let task = clean_up(&house.catalog, 0, false).await;
    assert_eq!(
        task.result,
        Some(serde_json::json!({"content": 3, "files": 1, "bytes": bytes, "dry_run": false}))
    );
    let reports = progress(&task);
    assert_eq!(reports["clean-up.content"], (3, Some(3)));
    assert_eq!(reports["clean-up.artifacts"], (1, Some(1)));
    assert_eq!(reports["clean-up.bytes"], (bytes, Some(bytes)));
    assert_eq!(house.blobs.find_size(&old).await.unwrap(), None);
    assert_eq!(house.catalog.find_blobs(std::slice::from_ref(&old)).await.unwrap().len(), 0);
    assert_whole(&house).await;
    assert_eq!(present(&house.latest().await), present(&version));
    assert_eq!(house.tags().await.into_values().collect::<Vec<_>>(), [new.manifest]);

    house.fake.add_image(NAME, "1.0", &[b"shared", b"old layer"]);
    house.sync_to_version(true).await;
    assert_eq!(house.blobs.find_size(&old).await.unwrap(), Some(9));
    assert_whole(&house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_named_goes() {
    let house = House::new().await;
    let first = house.fake.add_image(NAME, "1.0", &[b"one"]);
    house.sync_to_version(true).await;
    house.fake.add_image(NAME, "1.0", &[b"two"]);
    house.sync_to_version(true).await;
    delete_version(&house.catalog, house.repository, 1).await;
    let manifests = house
        .catalog
        .list_manifest_contents(&ListQuery { limit: 100, ..ListQuery::default() })
        .await
        .unwrap();
    let manifest = manifests.items.into_iter().find(|manifest| manifest.digest == first.manifest).unwrap();
    let blobs =
        house.catalog.list_blob_contents(&ListQuery { limit: 100, ..ListQuery::default() }).await.unwrap();
    let id = |bytes: &[u8]| {
        let digest = Digest::sha256_of(bytes);
        blobs.items.iter().find(|blob| blob.digest == digest).unwrap().id
    };
    // The manifest stays as long as its tag does.
    let only = vec![id(b"one"), id(b"two"), manifest.id];
    let work = Work::CleanUpOrphans { protection_minutes: 0, only, dry_run: false };
    let task = crate::house::submit(&house.catalog, work, Uuid::now_v7()).await;
    let result = wait(&house.catalog, task).await.result.unwrap();
    assert_eq!(result, serde_json::json!({"content": 1, "files": 1, "bytes": 3, "dry_run": false}));
    assert_whole(&house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_nobody_recorded_go_when_they_are_old() {
    let house = House::new().await;
    let mut digests = Vec::new();
    for bytes in [b"left behind".as_slice(), b"just written"] {
        let digest = Digest::sha256_of(bytes);
        let mut staged = house.blobs.stage(&digest).await.unwrap();
        staged.write(bytes::Bytes::from_static(bytes)).await.unwrap();
        staged.finish(None).await.unwrap();
        digests.push(digest);
    }
    let hex = digests[0].hex();
    let path = house.folder.path().join("blobs/sha256").join(&hex[..2]).join(hex);
    let file = std::fs::File::options().append(true).open(path).unwrap();
    let long_ago = house.catalog.now().plus_seconds(-3601).as_micros();
    file.set_modified(UNIX_EPOCH + Duration::from_micros(u64::try_from(long_ago).unwrap())).unwrap();
    for (dry_run, left) in [(true, Some(11)), (false, None)] {
        let result = clean_up(&house.catalog, 0, dry_run).await.result.unwrap();
        assert_eq!(result, serde_json::json!({"content": 0, "files": 1, "bytes": 11, "dry_run": dry_run}));
        assert_eq!(house.blobs.find_size(&digests[0]).await.unwrap(), left);
    }
    assert_eq!(house.blobs.find_size(&digests[1]).await.unwrap(), Some(12));
}

/// Syncs of repositories that share their layers, deletions of versions, and cleanups that protect nothing, all at once.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_needed_goes_while_everything_happens_at_once() {
    const ROUNDS: usize = 15;
    let house = House::new().await;
    let repositories = [
        house.repository,
        add_repository(&house.catalog, "b").await,
        add_repository(&house.catalog, "c").await,
    ];
    let syncs = async {
        for round in 0..ROUNDS {
            let layers: Vec<Vec<u8>> =
                (0..4).map(|layer| vec![u8::try_from((round + layer) % 6).unwrap(); 2000]).collect();
            let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
            house.fake.add_image(NAME, "1.0", &layers);
            let started =
                repositories.map(|repository| submit_sync(&house.catalog, repository, house.remote, true));
            for task in futures::future::join_all(started).await {
                let ended = wait(&house.catalog, task).await;
                assert_eq!((ended.state, &ended.error), (TaskState::Completed, &None), "{ended:#?}");
            }
            for repository in repositories {
                let found = house.catalog.find_repository(repository).await.unwrap().unwrap();
                if found.latest_version > 1 {
                    delete_version(&house.catalog, repository, found.latest_version - 1).await;
                }
            }
        }
    };
    let cleanups = async {
        let mut freed = 0;
        loop {
            let result = clean_up(&house.catalog, 0, false).await.result.unwrap();
            freed += result["content"].as_i64().unwrap();
            if freed > 0 && result["content"] == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! {
        () = syncs => {}
        () = cleanups => {}
    }
    clean_up(&house.catalog, 0, false).await;
    assert_whole(&house).await;
    for repository in repositories {
        let found = house.catalog.find_repository(repository).await.unwrap().unwrap();
        assert_eq!(house.catalog.repository_tags(repository, found.latest_version).await.unwrap().len(), 1);
    }
}

/// Every blob that the catalog has is readable with its digest, and the store has no other.
async fn assert_whole(house: &House) {
    let all = ListQuery { limit: 10_000, ..ListQuery::default() };
    let mut recorded: Vec<Digest> = Vec::new();
    for blob in house.catalog.list_blob_contents(&all).await.unwrap().items {
        let bytes = house.blobs.read_small(&blob.digest, blob.size_bytes).await.unwrap();
        assert_eq!(Digest::of(blob.digest.algorithm(), &bytes), blob.digest);
        recorded.push(blob.digest);
    }
    for manifest in house.catalog.list_manifest_contents(&all).await.unwrap().items {
        assert!(manifest.config_blob.is_some(), "{manifest:#?}");
    }
    let mut stored = Vec::new();
    for part in 0..=u8::MAX {
        stored.extend(house.blobs.list(part).await.unwrap().into_iter().map(|file| file.digest));
    }
    recorded.sort();
    stored.sort();
    assert_eq!(stored, recorded);
}
