//! Tags that move and go upstream, in both modes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::faults::FakeRegistry;
use crate::harness::{Database, DockerRegistry, Entrepot, on_both_databases, some_images};

on_both_databases!(
    additive_syncs_keep_what_is_gone,
    mirroring_follows_upstream,
    only_so_many_versions_are_kept
);

/// Counts of tags, manifests and blobs in a part of a version's summary.
fn counts(version: &Value, part: &str) -> [i64; 3] {
    let summary = &version["content_summary"][part];
    ["tag", "manifest", "blob"]
        .map(|kind| summary[format!("container.{kind}")]["count"].as_i64().unwrap_or(0))
}

async fn additive_syncs_keep_what_is_gone(database: Database) {
    let upstream = DockerRegistry::start();
    let (images, newer) = (some_images(6), some_images(7));
    images.push_all(&upstream, "app");
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &upstream.url(), "app", json!({}));
    assert_eq!(entrepot.sync_to_version(&mirror, false), 1);
    assert_eq!(counts(&entrepot.latest_version(&mirror), "present"), [3, 4, 8]);

    // Nothing changed: no version.
    let task = entrepot.sync(&mirror, false);
    assert_eq!((&task["state"], &task["created_resources"]), (&json!("completed"), &json!([])), "{task:#}");
    assert_eq!(entrepot.latest_version(&mirror)["number"], 1);

    upstream.delete_manifest("app", &images.digest("other"));
    newer.push("single", &upstream, "app");
    assert_eq!(entrepot.sync_to_version(&mirror, false), 2);
    let mut expected = images.tags();
    expected.insert("single".into(), newer.digest("single"));
    assert_eq!(entrepot.served_tags("app"), expected);
    let version = entrepot.latest_version(&mirror);
    // The tag that moved is another one; the image that it left stays.
    assert_eq!((counts(&version, "added"), counts(&version, "removed")), ([1, 1, 3], [1, 0, 0]));
    let left = entrepot.pull("app", &format!("manifests/{}", images.digest("single")));
    assert_eq!(left.status, 200);
}

async fn mirroring_follows_upstream(database: Database) {
    let upstream = DockerRegistry::start();
    let (images, newer) = (some_images(8), some_images(9));
    images.push_all(&upstream, "app");
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &upstream.url(), "app", json!({}));
    assert_eq!(entrepot.sync_to_version(&mirror, true), 1);

    upstream.delete_manifest("app", &images.digest("ml"));
    newer.push("single", &upstream, "app");
    assert_eq!(entrepot.sync_to_version(&mirror, true), 2);
    let expected = BTreeMap::from([
        ("single".to_owned(), newer.digest("single")),
        ("other".to_owned(), images.digest("other")),
    ]);
    assert_eq!(entrepot.served_tags("app"), expected);
    // Index and both images go; their shared layer stays, since `other` has it too.
    let version = entrepot.latest_version(&mirror);
    assert_eq!((counts(&version, "added"), counts(&version, "removed")), ([1, 1, 3], [2, 3, 4]));
    assert_eq!(counts(&version, "present"), [2, 2, 7]);

    // The version before is as it was.
    let first = entrepot.read(&format!("{}versions/1/", mirror.repository));
    assert_eq!(counts(&first, "present"), [3, 4, 8]);
    let href = format!("{}versions/1/", mirror.repository);
    let tags = entrepot.read(&format!("/pulp/api/v3/content/container/tags/?repository_version={href}"));
    assert_eq!(tags["count"], 3);
}

async fn only_so_many_versions_are_kept(database: Database) {
    let fake = FakeRegistry::start().await;
    fake.add_image("app", "0", &[b"0"]);
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &fake.url(), "app", json!({}));
    let keep = json!({"retain_repo_versions": 2});
    entrepot.completed(&entrepot.admin().send("PATCH", &mirror.repository, &keep));
    for number in 1..=3 {
        assert_eq!(entrepot.sync_to_version(&mirror, true), number);
        fake.add_image("app", &number.to_string(), &[b"one more"]);
    }
    let versions = entrepot.read(&format!("{}versions/", mirror.repository));
    let numbers: Vec<_> =
        versions["results"].as_array().unwrap().iter().map(|version| &version["number"]).collect();
    assert_eq!(numbers, [3, 2]);
    // What the older ones had added counts from the oldest that is left.
    assert_eq!(counts(&versions["results"][0], "added"), [1, 1, 1]);
    assert_eq!(counts(&versions["results"][1], "present"), [2, 2, 4]);
}
