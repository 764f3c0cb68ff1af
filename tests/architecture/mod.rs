//! The arrows between the crates, as ARCHITECTURE.md draws them, checked against `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::harness::run;

/// Which of our crates each may depend on.
const ARROWS: [(&str, &[&str]); 8] = [
    ("registry", &[]),
    ("migrations", &[]),
    ("upstream", &["registry"]),
    ("storage", &["registry", "migrations"]),
    ("openapi", &["registry"]),
    ("server", &["registry", "upstream", "storage", "openapi"]),
    ("worker", &["registry", "upstream", "storage"]),
    ("entrepot", &["registry", "migrations", "upstream", "storage", "openapi", "server", "worker"]),
];

/// Which of our crates may depend on others' whose names begin so.
const RESERVED: [(&str, &[&str]); 5] = [
    ("sea-orm", &["storage", "migrations"]),
    ("sqlx", &["storage", "migrations"]),
    ("apalis", &["storage", "worker"]),
    ("poem", &["server", "openapi"]),
    ("reqwest", &["upstream"]),
];

/// Crate → all its dependencies, those of its tests included.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--format-version", "1", "--offline", "--manifest-path", manifest]);
    let (ok, metadata, error) = run(&mut cargo);
    assert!(ok, "{error}");
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            (name(package), package["dependencies"].as_array().unwrap().iter().map(name).collect())
        })
        .collect()
}

#[test]
fn arrows_point_down_and_never_back() {
    let dependencies = dependencies();
    let ours: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    assert_eq!(ours, ARROWS.iter().map(|(name, _)| *name).collect());
    for (name, allowed) in ARROWS {
        let used = dependencies[name].iter().map(String::as_str).filter(|used| ours.contains(used));
        let wrong: Vec<&str> = used.filter(|used| !allowed.contains(used)).collect();
        assert!(wrong.is_empty(), "{name} must not depend on {wrong:?}");
    }
}

#[test]
fn databases_queues_and_networks_stay_in_their_crates() {
    for (name, used) in dependencies() {
        for (start, allowed) in RESERVED {
            let wrong: Vec<_> = used.iter().filter(|used| used.starts_with(start)).collect();
            assert!(
                wrong.is_empty() || allowed.contains(&name.as_str()),
                "{name} must not depend on {wrong:?}"
            );
        }
    }
}
