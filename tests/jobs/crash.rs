//! `kill -9` at the worst time.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use crate::harness::faults::{FakeRegistry, Fault};
use crate::harness::{Database, Entrepot, on_both_databases, wait_until};

on_both_databases!(a_killed_sync_goes_on_and_fetches_nothing_twice);

const NAME: &str = "library/app";
const LAYERS: usize = 6;

async fn a_killed_sync_goes_on_and_fetches_nothing_twice(database: Database) {
    let fake = FakeRegistry::start().await;
    let layers: Vec<Vec<u8>> =
        (0..LAYERS).map(|number| vec![u8::try_from(number).unwrap(); 300_000]).collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let image = fake.add_image(NAME, "1.0", &layers);
    // Every blob after the fourth stops midway, whichever order they are fetched in.
    let hold = Fault::Hold { after: 1, until: Arc::new(Notify::new()) };
    fake.on("GET", "/blobs/").nth(5).inject(hold);

    let mut entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, json!({"download_concurrency": 1}));
    let task = entrepot.start_sync(&mirror, false);
    // With one transfer at a time, the fifth is asked for when four have arrived.
    wait_until("the fifth blob", || fake.count("GET", "/blobs/") == 5);
    entrepot.kill();
    fake.heal();
    let arrived: Vec<String> = fake
        .requests()
        .iter()
        .filter_map(|request| {
            let (_, digest) = request.path.split_once("/blobs/")?;
            Some(digest.to_owned())
        })
        .take(4)
        .collect();

    entrepot.restart();
    let ended = entrepot.ended(&task);
    assert_eq!(ended["state"], "completed", "{ended:#}");
    assert_eq!(entrepot.latest_version(&mirror)["number"], 1);
    assert_eq!(entrepot.served_tags("app")["1.0"], image.manifest.as_str());
    for digest in &arrived {
        assert_eq!(fake.count("GET", &format!("/blobs/{digest}")), 1, "{digest} was fetched twice");
    }
    // Layers and configuration, and the one that was cut off.
    assert_eq!(fake.count("GET", "/blobs/"), LAYERS + 2);
    for (layer, bytes) in image.layers.iter().zip(layers) {
        let pulled = entrepot.pull("app", &format!("blobs/{layer}"));
        assert_eq!((pulled.status, pulled.body.as_slice()), (200, bytes));
    }
    // Half a blob is not left behind.
    assert_eq!(entrepot.half_blobs(), 0);
}
