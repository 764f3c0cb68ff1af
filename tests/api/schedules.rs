//! Schedules over the API: what is shown, what is refused, and what can be done with one by hand.

use serde_json::{Value, json};

use crate::harness::{Database, Entrepot, faults::FakeRegistry, on_both_databases};

on_both_databases!(a_schedule_is_made_shown_changed_and_deleted, bad_schedules_are_refused);

const SCHEDULES: &str = "/task-schedules/";
const NOWHERE: &str = "01a20c6c-55c9-7d57-9035-08c3b4a69f2d";

/// Leaves out what differs from run to run.
fn without(mut object: Value, names: &[&str]) -> Value {
    for name in names {
        assert!(object.as_object_mut().unwrap().remove(*name).is_some(), "{name} is missing");
    }
    object
}

async fn a_schedule_is_made_shown_changed_and_deleted(database: Database) {
    let fake = FakeRegistry::start().await;
    fake.add_image("app", "1.0", &[b"layer"]);
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &fake.url(), "app", json!({}));
    let task =
        json!({"kind": "sync", "repository": mirror.repository, "remote": mirror.remote, "mirror": true});
    let fields = json!({"name": "yearly", "schedule": "0 0 1 1 *", "time_zone": "asia/tokyo", "task": task});
    let made = entrepot.api("POST", SCHEDULES, &fields);
    let location = made.header("location").to_owned();
    let made = made.expect(201);
    let href = made["pulp_href"].as_str().unwrap().to_owned();
    assert_eq!(location, href);
    let id = href.trim_end_matches('/').rsplit_once('/').unwrap().1;
    let changing = ["pulp_href", "prn", "pulp_created", "pulp_last_updated", "next_fires", "next_dispatch"];
    let expected = json!({
        "name": "yearly",
        "task_name": "pulp_container.app.tasks.synchronize.synchronize",
        "dispatch_interval": null,
        "last_task": null,
        "last_task_state": null,
        "schedule": "0 0 1 1 *",
        "time_zone": "Asia/Tokyo",
        "task": {
            "kind": "sync",
            "repository": mirror.repository,
            "remote": mirror.remote,
            "mirror": true,
            "signed_only": false,
            "older_than_days": null,
            "states": null,
            "orphan_protection_time": null,
        },
        "jitter": 0,
        "on_overlap": "skip",
        "on_missed": "skip",
        "enabled": true,
        "last_fire": null,
        "missed_fires": 0,
        "skipped_fires": 0,
        "last_error": null,
    });
    assert_eq!(without(made.clone(), &changing), expected);
    assert_eq!(made["prn"], format!("prn:core.taskschedule:{id}"));
    let fires = made["next_fires"].as_array().unwrap();
    assert_eq!((fires.len(), &fires[0]), (5, &made["next_dispatch"]));
    // New year in Tokyo.
    assert!(
        fires.iter().all(|fire| fire.as_str().unwrap().ends_with("-12-31T15:00:00.000000Z")),
        "{fires:?}"
    );
    assert_eq!(entrepot.read(&href), made);

    for (query, count) in [
        ("?name=yearly", 1),
        ("?name__startswith=year", 1),
        ("?task_name__contains=synchronize&enabled=true", 1),
        ("?enabled=false", 0),
        (&format!("?prn__in=prn:core.taskschedule:{id}"), 1),
        ("?q=name=yearly%20AND%20NOT%20enabled=true", 0),
        ("?ordering=-next_dispatch", 1),
    ] {
        let list = entrepot.read(&format!("/pulp/api/v3{SCHEDULES}{query}"));
        assert_eq!(list["count"], count, "{query}");
    }

    let admin = entrepot.admin();
    let patched = admin.send("PATCH", &href, &json!({"on_missed": "run_once", "jitter": 60})).expect(200);
    assert_eq!((&patched["on_missed"], &patched["jitter"]), (&json!("run_once"), &json!(60)));
    assert_eq!(patched["next_fires"], made["next_fires"]);
    let replaced = json!({"name": "hourly", "schedule": "@hourly", "on_overlap": "queue", "task": task});
    let put = admin.send("PUT", &href, &replaced).expect(200);
    assert_eq!(
        (&put["name"], &put["schedule"], &put["on_overlap"]),
        (&json!("hourly"), &json!("@hourly"), &json!("queue"))
    );

    let disabled = admin.send("POST", &format!("{href}disable/"), &json!({})).expect(200);
    assert_eq!(
        (&disabled["enabled"], &disabled["next_dispatch"], &disabled["next_fires"]),
        (&json!(false), &Value::Null, &json!([]))
    );
    let task = entrepot.completed(&admin.send("POST", &format!("{href}run_now/"), &json!({})));
    let shown = entrepot.read(&href);
    assert_eq!((&shown["last_task"], &shown["last_task_state"]), (&task["pulp_href"], &json!("completed")));
    assert_eq!((&shown["last_fire"], &shown["enabled"]), (&Value::Null, &json!(false)));
    assert_eq!(entrepot.latest_version(&mirror)["number"], 1);
    let enabled = admin.send("POST", &format!("{href}enable/"), &json!({})).expect(200);
    assert_eq!((&enabled["enabled"], enabled["next_fires"].as_array().unwrap().len()), (&json!(true), 5));

    let gone = admin.request("DELETE", &href, &[], &[]);
    assert_eq!(gone.status, 204);
    let missing = json!({"detail": "No TaskSchedule matches the given query."});
    for (method, path) in
        [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "run_now/"), ("POST", "enable/")]
    {
        assert_eq!(
            admin.send(method, &format!("{href}{path}"), &json!({})).expect(404),
            missing,
            "{method} {path}"
        );
    }
}

async fn bad_schedules_are_refused(database: Database) {
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", "http://127.0.0.1:1", "app", json!({}));
    let task = json!({"kind": "sync", "repository": mirror.repository, "remote": mirror.remote});
    let good = json!({"name": "s", "schedule": "@daily", "task": task});
    let with = |name: &str, value: Value| {
        let mut fields = good.clone();
        fields[name] = value;
        fields
    };
    let with_task = |name: &str, value: Value| {
        let mut fields = good.clone();
        fields["task"][name] = value;
        fields
    };
    let required = "This field is required.";
    for (fields, expected) in [
        (json!({}), json!({"name": [required], "schedule": [required], "task": [required]})),
        (
            with("schedule", json!("* * 31 2 *")),
            json!({"schedule": ["the expression never fires: none of its months has such a day"]}),
        ),
        (
            with("schedule", json!("* 25 * * *")),
            json!({"schedule": ["the hour \"25\" must be made of *, or of numbers from 0 to 23"]}),
        ),
        (
            with("time_zone", json!("Berlin")),
            json!({"time_zone": ["\"Berlin\" is not a time zone of the IANA database: write one such as UTC or Europe/Berlin"]}),
        ),
        (with("jitter", json!(-1)), json!({"jitter": ["Ensure this value is greater than or equal to 0."]})),
        (
            with("jitter", json!(86_401)),
            json!({"jitter": ["Ensure this value is less than or equal to 86400."]}),
        ),
        (with("on_overlap", json!("kill")), json!({"on_overlap": ["\"kill\" is not a valid choice."]})),
        (with("on_missed", json!("all")), json!({"on_missed": ["\"all\" is not a valid choice."]})),
        (with("dispatch_interval", json!("1h")), json!({"dispatch_interval": ["Unexpected field"]})),
        (with("task", json!("sync")), json!({"task": ["Expected a dictionary of items."]})),
        (with("task", json!({"kind": "sync"})), json!({"task": {"repository": [required]}})),
        (with("task", json!({"repository": mirror.repository})), json!({"task": {"kind": [required]}})),
        (with_task("kind", json!("dance")), json!({"task": {"kind": ["\"dance\" is not a valid choice."]}})),
        (
            with("task", json!({"kind": "purge", "states": ["running"], "mirror": true})),
            json!({"task": {"mirror": ["Unexpected field"], "states": ["\"running\" is not a valid choice."]}}),
        ),
        (with_task("retain", json!(3)), json!({"task": {"retain": ["Unexpected field"]}})),
        (
            with_task("signed_only", json!(true)),
            json!({"task": {"signed_only": ["Syncing only signed images is not available yet: leave it out or set it to false."]}}),
        ),
        (
            with_task("repository", json!(mirror.remote)),
            json!({"task": {"repository": ["Invalid hyperlink - No URL match."]}}),
        ),
        (
            with_task(
                "repository",
                json!(format!("/pulp/api/v3/repositories/container/container/{NOWHERE}/")),
            ),
            json!({"task": {"repository": ["Invalid hyperlink - Object does not exist."]}}),
        ),
        (
            with_task("remote", Value::Null),
            json!({"task": {"remote": ["This field is required since a remote is not set on the repository."]}}),
        ),
    ] {
        let answer = entrepot.api("POST", SCHEDULES, &fields);
        assert_eq!((answer.status, answer.json()), (400, expected), "{fields}");
    }
    assert_eq!(entrepot.read(&format!("/pulp/api/v3{SCHEDULES}"))["count"], 0);

    entrepot.api("POST", SCHEDULES, &good).expect(201);
    let purge = json!({"name": "p", "schedule": "@weekly", "task": {"kind": "purge"}});
    let purge = entrepot.api("POST", SCHEDULES, &purge).expect(201);
    assert_eq!(
        (&purge["task"]["older_than_days"], &purge["task"]["states"]),
        (&json!(30), &json!(["completed"]))
    );
    let purge = purge["pulp_href"].as_str().unwrap().to_owned();
    entrepot.completed(&entrepot.admin().send("POST", &format!("{purge}run_now/"), &json!({})));
    let again = entrepot.api("POST", SCHEDULES, &good);
    assert_eq!(again.expect(400), json!({"name": ["This field must be unique."]}));
    // The remote stays while the schedule names it; the schedule goes with its repository.
    let message = "The schedule 's' syncs from this remote: give it another one or delete it first.";
    let refused = entrepot.admin().request("DELETE", &mirror.remote, &[], &[]);
    assert_eq!(refused.expect(400), json!({"remote": [message]}));
    let list = entrepot.read("/pulp/api/v3/distributions/container/container/");
    let distribution = list["results"][0]["pulp_href"].as_str().unwrap().to_owned();
    for href in [&distribution, &mirror.repository, &mirror.remote] {
        entrepot.completed(&entrepot.admin().request("DELETE", href, &[], &[]));
    }
    assert_eq!(entrepot.read(&format!("/pulp/api/v3{SCHEDULES}"))["count"], 1);
}
