//! Tasks in the management API: what they wait for, groups, purge, cancels.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::harness::faults::{FakeRegistry, Fault};
use crate::harness::{Database, Entrepot, Mirror, on_both_databases, wait_until};

on_both_databases!(
    a_waiting_task_names_what_it_waits_for,
    many_repositories_sync_as_a_group,
    ended_tasks_are_purged
);

fn hold() -> (Fault, Arc<Notify>) {
    let until = Arc::new(Notify::new());
    (Fault::Hold { after: 10, until: Arc::clone(&until) }, until)
}

async fn a_waiting_task_names_what_it_waits_for(database: Database) {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image("app", "1.0", &[&vec![7; 100_000]]);
    let (fault, until) = hold();
    fake.on("GET", &format!("/blobs/{}", image.layers[0])).inject(fault);
    let entrepot = Entrepot::start_with(database, &[("ENTREPOT_TASKS_PER_UPSTREAM", "1")]);
    let mirror = entrepot.create_mirror("app", &fake.url(), "app", json!({}));
    let other = Mirror { repository: entrepot.create_repository("other"), remote: mirror.remote.clone() };
    let running = entrepot.start_sync(&mirror, false);
    wait_until("the layer", || fake.count("GET", &format!("/blobs/{}", image.layers[0])) == 1);

    let behind = entrepot.start_sync(&mirror, false);
    let limited = entrepot.start_sync(&other, false);
    let waiting = entrepot.read(&behind);
    assert_eq!(waiting["state"], "waiting");
    let resource = entrepot.read(&mirror.repository)["prn"].clone();
    assert_eq!(
        waiting["waiting_for"],
        json!({
            "reason": "task", "task": running, "resource": resource, "until": null,
            "description": format!(
                "An earlier task, {running}, has {}.", resource.as_str().unwrap()
            ),
        })
    );
    let host = fake.url().replace("http://", "");
    assert_eq!(
        entrepot.read(&limited)["waiting_for"],
        json!({
            "reason": "limit", "task": null, "resource": null, "until": null,
            "description": format!("1 tasks talk to {host} already, which is the limit."),
        })
    );
    assert_eq!(entrepot.read(&running)["waiting_for"], Value::Null);
    let page = entrepot.admin().get("/ui/tasks/");
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains(&format!("<small>An earlier task, {running}, has ")), "{page}");
    until.notify_one();
    for task in [running, behind, limited] {
        let ended = entrepot.ended(&task);
        assert_eq!((&ended["state"], &ended["waiting_for"]), (&json!("completed"), &Value::Null));
    }
}

async fn many_repositories_sync_as_a_group(database: Database) {
    let fake = FakeRegistry::start().await;
    fake.add_image("app", "1.0", &[b"a layer"]);
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("one", &fake.url(), "app", json!({}));
    let with_remote = |name: &str| {
        let fields = json!({"name": name, "remote": mirror.remote});
        entrepot.api("POST", "/repositories/container/container/", &fields).expect(201)
    };
    let (first, second) = (with_remote("a"), with_remote("b"));
    let path = "/repositories/container/container/sync/";

    let refused = entrepot.api("POST", path, &json!({"repositories": [mirror.repository]})).expect(400);
    let text = format!("{} does not exist, or has no remote to sync from.", mirror.repository);
    assert_eq!(refused, json!({"repositories": [text]}));
    let text = "This list may not be empty. Leave it out for all repositories.";
    let refused = entrepot.api("POST", path, &json!({"repositories": []})).expect(400);
    assert_eq!(refused, json!({"repositories": [text]}));

    let accepted = entrepot.api("POST", path, &json!({"mirror": true})).expect(202);
    let href = accepted["task_group"].as_str().unwrap().to_owned();
    let mut group = Value::Null;
    wait_until("the group", || {
        group = entrepot.read(&href);
        group["all_tasks_dispatched"] == true && group["completed"] == 3
    });
    assert_eq!(group["description"], "Sync of 2 repositories");
    for state in ["waiting", "running", "failed", "canceled", "canceling", "skipped"] {
        assert_eq!(group[state], 0, "{group:#}");
    }
    for repository in [&first, &second] {
        let latest = entrepot.read(repository["pulp_href"].as_str().unwrap())["latest_version_href"].clone();
        assert_eq!(latest, format!("{}versions/1/", repository["pulp_href"].as_str().unwrap()));
    }
    let parent = entrepot.read(group["tasks"][0]["pulp_href"].as_str().unwrap());
    assert_eq!(
        (&parent["name"], &parent["task_group"]),
        (&json!("entrepot.tasks.sync_repositories"), &json!(href))
    );
    let children: Vec<&Value> =
        group["tasks"].as_array().unwrap()[1..].iter().map(|task| &task["pulp_href"]).collect();
    assert_eq!(json!(children), parent["child_tasks"]);
    let count = |filter: &str, href: &Value| {
        let path = format!("/tasks/?{filter}={}", href.as_str().unwrap());
        entrepot.api("GET", &path, &Value::Null).expect(200)["count"].clone()
    };
    assert_eq!(count("parent_task", &parent["pulp_href"]), 2);
    assert_eq!(count("child_tasks", children[0]), 1);
    assert_eq!(count("task_group", &json!(href)), 3);
    let again = entrepot.admin().send("PATCH", &href, &json!({"state": "canceled"}));
    assert_eq!(again.expect(409)["pulp_href"], href);
    assert_eq!(entrepot.api("GET", "/task-groups/", &Value::Null).expect(200)["count"], 1);
}

async fn ended_tasks_are_purged(database: Database) {
    let entrepot = Entrepot::start(database);
    for name in ["a", "b"] {
        entrepot.create_distribution(&json!({"name": name, "base_path": name}));
    }
    let refused =
        entrepot.api("POST", "/tasks/purge/", &json!({"states": ["running"], "finished_before": "x"}));
    let refused = refused.expect(400);
    assert_eq!(refused["states"], json!(["\"running\" is not a valid choice."]));
    assert!(refused["finished_before"].is_array(), "{refused}");
    // By default nothing that is younger than thirty days.
    let purge = entrepot.completed(&entrepot.api("POST", "/tasks/purge/", &json!({})));
    assert_eq!(purge["name"], "pulpcore.app.tasks.purge.purge");
    assert_eq!(purge["progress_reports"][0]["done"], 0);
    let soon = "2100-01-01T00:00:00Z";
    let wanted = json!({"finished_before": soon, "states": ["completed", "failed", "canceled", "skipped"]});
    let purge = entrepot.completed(&entrepot.api("POST", "/tasks/purge/", &wanted));
    let report = &purge["progress_reports"][0];
    assert_eq!((&report["code"], &report["done"]), (&json!("purge.tasks.total"), &json!(3)));
    assert_eq!(entrepot.api("GET", "/tasks/", &Value::Null).expect(200)["count"], 1);
}
