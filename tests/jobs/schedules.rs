//! Schedules that fire by themselves.

use serde_json::{Value, json};

use crate::harness::faults::FakeRegistry;
use crate::harness::{Database, Entrepot, on_both_databases, wait_until};

on_both_databases!(a_schedule_mirrors_what_is_new_without_being_asked);

async fn a_schedule_mirrors_what_is_new_without_being_asked(database: Database) {
    let fake = FakeRegistry::start().await;
    fake.add_image("app", "1.0", &[b"layer"]);
    let mut entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &fake.url(), "app", json!({}));
    let task = json!({"kind": "sync", "repository": mirror.repository, "remote": mirror.remote});
    let fields = json!({"name": "each second", "schedule": "* * * * * *", "task": task});
    let made = entrepot.api("POST", "/task-schedules/", &fields).expect(201);
    let href = made["pulp_href"].as_str().unwrap();
    let wait_for_version = |entrepot: &Entrepot, number: i64| {
        wait_until("the version", || entrepot.latest_version(&mirror)["number"] == number);
    };
    wait_for_version(&entrepot, 1);
    wait_until("the end of a task", || entrepot.read(href)["last_task_state"] == "completed");
    assert_eq!(entrepot.pull("app", "manifests/1.0").status, 200);

    // A new tag arrives by itself, also after the service was killed.
    fake.add_image("app", "2.0", &[b"layer", b"another"]);
    wait_for_version(&entrepot, 2);
    entrepot.kill();
    fake.add_image("app", "3.0", &[b"layer", b"a third"]);
    entrepot.restart();
    wait_for_version(&entrepot, 3);

    // No fire time has two tasks: there are never more tasks than seconds.
    let disable = entrepot.admin().send("POST", &format!("{href}disable/"), &json!({})).expect(200);
    let id = href.trim_end_matches('/').rsplit_once('/').unwrap().1.replace('-', "");
    let tasks = entrepot.read(&format!("/pulp/api/v3/tasks/?logging_cid={id}&limit=1000"));
    let seconds = |moment: &Value| {
        let text = moment.as_str().unwrap();
        let (hours, rest) = text.split_once('T').unwrap().1.split_once(':').unwrap();
        let parts: Vec<i64> =
            [hours, &rest[..2], &rest[3..5]].iter().map(|part| part.parse().unwrap()).collect();
        parts[0] * 3_600 + parts[1] * 60 + parts[2]
    };
    let lasted = (seconds(&disable["last_fire"]) - seconds(&made["pulp_created"])).rem_euclid(86_400);
    let count = tasks["count"].as_i64().unwrap();
    assert!((2..=lasted).contains(&count), "{count} tasks in {lasted} seconds");
    assert_eq!(disable["last_error"], Value::Null);
}
