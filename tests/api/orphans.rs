//! Cleaning up orphans over the API, by hand and by a schedule.

use serde_json::{Value, json};

use crate::harness::{Database, Entrepot, faults::FakeRegistry, on_both_databases};

on_both_databases!(orphans_are_cleaned_up_when_asked_and_by_schedule, bad_cleanups_are_refused);

const CLEANUP: &str = "/orphans/cleanup/";

async fn orphans_are_cleaned_up_when_asked_and_by_schedule(database: Database) {
    let fake = FakeRegistry::start().await;
    let entrepot = Entrepot::start_with(database, &[("ENTREPOT_ORPHAN_PROTECTION_TIME", "0")]);
    let admin = entrepot.admin();
    let mirror = entrepot.create_mirror("app", &fake.url(), "app", json!({}));
    let orphan = |layer: &[u8]| {
        fake.add_image("app", "1.0", &[layer]);
        let number = entrepot.sync_to_version(&mirror, true);
        fake.add_image("app", "1.0", &[b"kept"]);
        entrepot.sync_to_version(&mirror, true);
        let version = format!("{}versions/{number}/", mirror.repository);
        entrepot.completed(&admin.send("DELETE", &version, &json!({})));
    };
    orphan(b"one");
    let task = entrepot.completed(&entrepot.api("POST", CLEANUP, &json!({"dry_run": true})));
    let counts = |dry_run: bool| json!({"content": 3, "files": 1, "bytes": 3, "dry_run": dry_run});
    assert_eq!(task["result"], counts(true));
    assert_eq!(task["name"], "pulpcore.app.tasks.orphan.orphan_cleanup");
    assert_eq!(task["reserved_resources_record"], json!(["/api/v3/orphans/cleanup/"]));
    let task = entrepot.completed(&entrepot.api("POST", CLEANUP, &json!({})));
    assert_eq!(task["result"], counts(false));
    let [content, files, bytes] =
        [0, 1, 2].map(|index| task["progress_reports"][index]["done"].as_i64().unwrap());
    assert_eq!((content, files, bytes), (3, 1, 3));

    orphan(b"two");
    let task = entrepot.completed(&entrepot.api("DELETE", "/orphans/", &Value::Null));
    assert_eq!(task["result"], counts(false));

    orphan(b"six");
    let fields = json!({"name": "nightly", "schedule": "@daily", "task": {"kind": "orphan_cleanup"}});
    let made = entrepot.api("POST", "/task-schedules/", &fields).expect(201);
    assert_eq!(
        (&made["task"]["kind"], &made["task"]["orphan_protection_time"]),
        (&json!("orphan_cleanup"), &json!(0))
    );
    assert_eq!(made["task_name"], "pulpcore.app.tasks.orphan.orphan_cleanup");
    let run_now = format!("{}run_now/", made["pulp_href"].as_str().unwrap());
    let task = entrepot.completed(&admin.send("POST", &run_now, &json!({})));
    assert_eq!(task["result"], counts(false));
}

async fn bad_cleanups_are_refused(database: Database) {
    let entrepot = Entrepot::start(database);
    let no_content = "/pulp/api/v3/repositories/container/container/01a20c6c-55c9-7d57-9035-08c3b4a69f2d/";
    for (body, expected) in [
        (
            json!({"orphan_protection_time": -1}),
            json!({"orphan_protection_time": ["Ensure this value is greater than or equal to 0."]}),
        ),
        (
            json!({"orphan_protection_time": "soon"}),
            json!({"orphan_protection_time": ["A valid integer is required."]}),
        ),
        (
            json!({"content_hrefs": []}),
            json!({"content_hrefs": ["This list may not be empty. Leave it out for all content."]}),
        ),
        (
            json!({"content_hrefs": [no_content]}),
            json!({"content_hrefs": [format!("\"{no_content}\" is not the path of a blob, manifest or tag.")]}),
        ),
        (json!({"dryrun": true}), json!({"dryrun": ["Unexpected field"]})),
    ] {
        assert_eq!(entrepot.api("POST", CLEANUP, &body).expect(400), expected);
    }
    assert_eq!(entrepot.read("/pulp/api/v3/tasks/")["count"], 0);
}
