//! Repair over the API and by the `pulp` command.

use serde_json::json;

use crate::harness::{Database, Entrepot, PulpCli, faults::FakeRegistry, on_both_databases};

on_both_databases!(blobs_are_repaired_when_asked);

async fn blobs_are_repaired_when_asked(database: Database) {
    let fake = FakeRegistry::start().await;
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &fake.url(), "app", json!({}));
    let change = entrepot.admin().send("PATCH", &mirror.repository, &json!({"remote": mirror.remote}));
    entrepot.completed(&change);
    let image = fake.add_image("app", "1.0", &[b"layer"]);
    assert_eq!(entrepot.sync_to_version(&mirror, false), 1);
    let hex = image.layers[0].hex();
    let file = entrepot.data_folder().join("blobs/sha256").join(&hex[..2]).join(hex);

    std::fs::remove_file(&file).unwrap();
    let task = entrepot.completed(&entrepot.api("POST", "/repair/", &json!({"verify_checksums": false})));
    assert_eq!(task["name"], "pulpcore.app.tasks.repository.repair_all_artifacts");
    assert_eq!(
        task["result"],
        json!({"checked": 2, "missing": 1, "corrupted": 0, "repaired": 1, "not_repaired": []})
    );

    std::fs::write(&file, "LAYER").unwrap();
    let pulp = PulpCli::new(&entrepot);
    let result = pulp.json("container repository version repair --repository app --version 1");
    assert_eq!(
        result,
        json!({"checked": 2, "missing": 0, "corrupted": 1, "repaired": 1, "not_repaired": []})
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"layer");

    let bad = entrepot.api("POST", "/repair/", &json!({"verify_checksums": "maybe"}));
    assert_eq!(bad.expect(400), json!({"verify_checksums": ["Must be a valid boolean."]}));
    let nowhere = format!("{}versions/7/repair/", mirror.repository);
    let missing = entrepot.admin().send("POST", &nowhere, &json!({}));
    assert_eq!(missing.expect(404), json!({"detail": "No RepositoryVersion matches the given query."}));
}
