//! A disk that is full: the task fails with the cause, and what was served still is.

use serde_json::json;

use crate::harness::faults::FakeRegistry;
use crate::harness::{Database, Entrepot, on_both_databases};

on_both_databases!(a_full_disk_fails_the_task_alone);

const NAME: &str = "library/app";
const DISK_BYTES: u64 = 24 << 20;

async fn a_full_disk_fails_the_task_alone(database: Database) {
    let Some(entrepot) = Entrepot::start_on_disk(database, DISK_BYTES) else { return };
    let fake = FakeRegistry::start().await;
    let small = fake.add_image(NAME, "small", &[&vec![1; 1 << 20]]);
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, json!({"max_retries": 0}));
    assert_eq!(entrepot.sync_to_version(&mirror, false), 1);

    let large = vec![2; usize::try_from(DISK_BYTES).unwrap() + 1];
    fake.add_image(NAME, "large", &[&large]);
    let (reason, description) = entrepot.sync_fails(&mirror);
    assert_eq!(reason, "storage.disk_full");
    assert_eq!(description, "no space is left in the store: free some, then try again");

    assert_eq!(entrepot.latest_version(&mirror)["number"], 1);
    let layer = entrepot.pull("app", &format!("blobs/{}", small.layers[0]));
    assert_eq!((layer.status, layer.body.len()), (200, 1 << 20));
    assert_eq!(entrepot.served_tags("app").into_keys().collect::<Vec<_>>(), ["small"]);

    // What did not fit has been removed: there is room for what does.
    fake.untag(NAME, "large");
    fake.add_image(NAME, "other", &[&vec![3; 1 << 20]]);
    assert_eq!(entrepot.sync_to_version(&mirror, false), 2);
    assert_eq!(entrepot.served_tags("app").into_keys().collect::<Vec<_>>(), ["other", "small"]);
}
