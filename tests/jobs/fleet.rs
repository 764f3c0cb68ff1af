//! Servers and workers as processes of their own, on one PostgreSQL and one data folder.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use crate::harness::faults::{FakeRegistry, Fault};
use crate::harness::{Database, Entrepot, run, wait_until};

const NAME: &str = "library/app";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_accepts_what_workers_do() {
    if !Database::is_postgres_here() {
        return;
    }
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(NAME, "1.0", &[b"a layer"]);
    let server = Entrepot::start_server(&[]);
    let accepted = server.api(
        "POST",
        "/distributions/container/container/",
        &json!({"name": "early", "base_path": "early"}),
    );
    let accepted = accepted.expect(202);
    let early = accepted["task"].as_str().unwrap();
    assert_eq!(server.read(early)["state"], "waiting");

    let mut first = server.start_worker();
    assert_eq!(server.ended(early)["state"], "completed");
    let second = server.start_worker();
    let workers = server.api("GET", "/workers/", &json!(null)).expect(200);
    assert_eq!(workers["count"], 2, "{workers:#}");
    let mirror = server.create_mirror("app", &fake.url(), NAME, json!({}));
    assert_eq!(server.sync_to_version(&mirror, false), 1);
    assert_eq!(server.served_tags("app")["1.0"], image.manifest.as_str());

    first.terminate();
    assert!(first.wait().success());
    wait_until("the worker's leave", || {
        server.api("GET", "/workers/", &json!(null)).expect(200)["count"] == 1
    });
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_canceled_on_another_host_in_the_middle_of_a_blob() {
    if !Database::is_postgres_here() {
        return;
    }
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(NAME, "1.0", &[&vec![3; 200_000]]);
    let layer = format!("/blobs/{}", image.layers[0]);
    let hold = Fault::Hold { after: 1_000, until: Arc::new(Notify::new()) };
    fake.on("GET", &layer).inject(hold);
    let server = Entrepot::start_server(&[]);
    let _worker = server.start_worker();
    let mirror = server.create_mirror("app", &fake.url(), NAME, json!({}));
    let task = server.start_sync(&mirror, false);
    wait_until("the layer", || fake.count("GET", &layer) == 1);
    let cancel = || server.admin().send("PATCH", &task, &json!({"state": "canceled"}));
    let asked = cancel().expect(200);
    assert!(matches!(asked["state"].as_str(), Some("canceling" | "canceled")), "{asked:#}");
    let ended = server.ended(&task);
    assert_eq!((&ended["state"], &ended["worker"]), (&json!("canceled"), &json!(null)));
    assert_eq!(cancel().expect(409)["state"], "canceled");
    assert_eq!(server.latest_version(&mirror)["number"], 0);
    // Its locks are free.
    fake.heal();
    assert_eq!(server.sync_to_version(&mirror, false), 1);
}

#[tokio::test]
async fn roles_are_refused_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    for role in ["server", "worker"] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_entrepot"));
        command.arg(role).env_clear().env("ENTREPOT_DATA_DIR", folder.path().join("data"));
        let (ok, _, stderr) = run(&mut command);
        assert!(!ok);
        let start = format!("entrepot: `entrepot {role}` shares the database with other processes");
        assert!(stderr.starts_with(&start) && stderr.contains("database_url"), "{stderr}");
        assert!(!folder.path().join("data").exists());
    }
}
