//! Repair: what is missing or damaged is found and fetched again, and what cannot be is named.

use registry::Digest;
use registry::task::{TaskState, Work};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::{House, NAME, add_repository, progress, submit, wait};

async fn repair(house: &House, version: Option<(Uuid, i64)>, verify_checksums: bool) -> Value {
    let work = Work::Repair { version, verify_checksums };
    let task = submit(&house.catalog, work, Uuid::now_v7()).await;
    let task = wait(&house.catalog, task).await;
    assert_eq!((task.state, &task.error), (TaskState::Completed, &None), "{task:#?}");
    let result = task.result.clone().unwrap();
    for (code, name) in
        [("repair.missing", "missing"), ("repair.corrupted", "corrupted"), ("repair.repaired", "repaired")]
    {
        let count = result[name].as_i64().unwrap();
        assert_eq!(progress(&task)[code], (count, Some(count)));
    }
    result
}

fn file(house: &House, digest: &Digest) -> std::path::PathBuf {
    house.folder.path().join("blobs/sha256").join(&digest.hex()[..2]).join(digest.hex())
}

async fn set_remote(house: &House) {
    let tx = house.catalog.begin().await.unwrap();
    let changes = storage::RepositoryChanges { remote: Some(Some(house.remote)), ..Default::default() };
    tx.update_repository(house.repository, changes).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_damaged_blobs_come_back() {
    let house = House::new().await;
    set_remote(&house).await;
    let image = house.fake.add_image(NAME, "1.0", &[b"gone", b"flipped", b"cut", b"whole"]);
    house.sync_to_version(false).await;
    let idle = json!({"checked": 5, "missing": 0, "corrupted": 0, "repaired": 0, "not_repaired": []});
    assert_eq!(repair(&house, None, true).await, idle);
    std::fs::remove_file(file(&house, &image.layers[0])).unwrap();
    std::fs::write(file(&house, &image.layers[1]), "FLIPPED").unwrap();
    std::fs::write(file(&house, &image.layers[2]), "cu").unwrap();
    let version = Some((house.repository, 1));
    // Without hashing, what has kept its size passes.
    assert_eq!(
        repair(&house, version, false).await,
        json!({"checked": 5, "missing": 1, "corrupted": 1, "repaired": 2, "not_repaired": []})
    );
    assert_eq!(
        repair(&house, version, true).await,
        json!({"checked": 5, "missing": 0, "corrupted": 1, "repaired": 1, "not_repaired": []})
    );
    assert_eq!(repair(&house, None, true).await, idle);
    for layer in &image.layers {
        assert_eq!(Digest::sha256_of(&std::fs::read(file(&house, layer)).unwrap()), *layer);
    }
    // Version 0 holds nothing.
    assert_eq!(repair(&house, Some((house.repository, 0)), true).await["checked"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_remote_has_is_named_and_left_as_it_is() {
    let house = House::new().await;
    let image = house.fake.add_image(NAME, "1.0", &[b"layer"]);
    house.sync_to_version(false).await;
    let layer = &image.layers[0];
    std::fs::write(file(&house, layer), "LAYER").unwrap();
    let lost = json!({"checked": 2, "missing": 0, "corrupted": 1, "repaired": 0, "not_repaired": [layer]});
    // The repository has no remote.
    assert_eq!(repair(&house, None, true).await, lost);
    // Its remote does not have the blob any more, and another repository's is not asked.
    set_remote(&house).await;
    add_repository(&house.catalog, "other").await;
    house.fake.remove_blob(NAME, layer);
    assert_eq!(repair(&house, None, true).await, lost);
    assert_eq!(std::fs::read(file(&house, layer)).unwrap(), b"LAYER");
}
