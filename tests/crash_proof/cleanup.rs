//! A death at every step of a cleanup of orphans: the next start brings it to its end, and nothing else went.

use registry::Digest;
use serde_json::json;

use super::fail_points::CLEANUP_POINTS;
use crate::harness::faults::FakeRegistry;
use crate::harness::{Database, Entrepot, on_both_databases};

on_both_databases!(a_cleanup_that_dies_anywhere_is_completed_by_the_next_start);

async fn a_cleanup_that_dies_anywhere_is_completed_by_the_next_start(database: Database) {
    let upstream = FakeRegistry::start().await;
    let mut entrepot = Entrepot::start(database);
    for (point, visits) in CLEANUP_POINTS {
        let name = point.replace('.', "-");
        let [shared, old, new] = ["shared", "old", "new"].map(|layer| format!("{layer} of {name}"));
        let first = upstream.add_image(&name, "1.0", &[shared.as_bytes(), old.as_bytes()]);
        let mirror = entrepot.create_mirror(&name, &upstream.url(), &name, json!({}));
        assert_eq!(entrepot.sync_to_version(&mirror, true), 1);
        let second = upstream.add_image(&name, "1.0", &[shared.as_bytes(), new.as_bytes()]);
        assert_eq!(entrepot.sync_to_version(&mirror, true), 2);
        let first_version = format!("{}versions/1/", mirror.repository);
        entrepot.completed(&entrepot.admin().send("DELETE", &first_version, &json!({})));

        entrepot.kill();
        entrepot.launch_again(&[("ENTREPOT_FAIL_AT", &format!("{point}:{visits}"))]);
        entrepot.await_ready();
        let accepted = entrepot.api("POST", "/orphans/cleanup/", &json!({"orphan_protection_time": 0}));
        let task = accepted.expect(202)["task"].as_str().unwrap().to_owned();
        let status = entrepot.program().wait();
        let said = entrepot.program().last_output();
        assert!(
            !status.success() && said.contains(&format!("fail point {point} reached")),
            "{point}: {status}"
        );
        entrepot.restart();
        let ended = entrepot.ended(&task);
        assert_eq!(ended["state"], "completed", "{point}: {ended:#}");

        let old = Digest::sha256_of(old.as_bytes());
        let file = |digest: &Digest| {
            entrepot.data_folder().join("blobs/sha256").join(&digest.hex()[..2]).join(digest.hex())
        };
        assert!(!file(&old).exists() && file(&second.layers[1]).exists(), "{point}");
        let pulled = entrepot.pull(&name, &format!("blobs/{}", second.layers[0]));
        assert_eq!(Digest::sha256_of(&pulled.body), second.layers[0], "{point}");
        assert_eq!(entrepot.number("SELECT count(*) FROM doomed_file WHERE deleted IS NULL"), 0, "{point}");
        let first = first.manifest;
        assert_eq!(
            entrepot.number(&format!("SELECT count(*) FROM manifest WHERE digest = '{first}'")),
            0,
            "{point}"
        );
        let blobs = entrepot.number("SELECT count(*) FROM blob");
        let files = std::fs::read_dir(entrepot.data_folder().join("blobs/sha256")).unwrap();
        let files: usize = files.map(|part| std::fs::read_dir(part.unwrap().path()).unwrap().count()).sum();
        assert_eq!(blobs, i64::try_from(files).unwrap(), "{point}");
    }
}
