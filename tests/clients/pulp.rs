//! The `pulp` commands of the README, in their order, and the JSON that their users know.

use serde_json::{Value, json};

use crate::harness::{Database, DockerRegistry, Entrepot, PulpCli, masked, on_both_databases, some_images};

on_both_databases!(the_commands_of_the_readme, errors_reach_the_user);

const REPOSITORY: &str = "/pulp/api/v3/repositories/container/container/<id>/";

async fn the_commands_of_the_readme(database: Database) {
    let upstream = DockerRegistry::start();
    let images = some_images(1);
    images.push_all(&upstream, "pulp/test-fixture-1");
    let entrepot = Entrepot::start(database);
    let pulp = PulpCli::new(&entrepot);

    let created = pulp.json("container repository create --name foo");
    assert_eq!(masked(&created), repository(0));

    let line = "container remote create --name foo --upstream-name pulp/test-fixture-1 --url";
    let created = pulp.json(&format!("{line} {}", upstream.url()));
    assert_eq!(masked(&created), remote(&upstream.url()));

    let told = pulp.quiet("container repository sync --name foo --remote foo");
    assert!(
        told.starts_with("Started background task /pulp/api/v3/tasks/") && told.ends_with("Done.\n"),
        "{told}"
    );

    let shown = pulp.json("container repository show --name foo");
    assert_eq!(masked(&shown), repository(1));

    let versions = pulp.json("container repository version list --repository foo");
    assert_eq!(masked(&versions), json!([version(1, (8, 4, 3)), version(0, (0, 0, 0))]));

    let line = "container distribution create --name foo --base-path foo --repository foo";
    let distribution = pulp.json(line);
    assert_eq!(masked(&distribution), served(&format!("{}/foo", entrepot.host())));

    let tasks = pulp.json("task list");
    let names: Vec<&Value> = tasks.as_array().unwrap().iter().map(|task| &task["name"]).collect();
    assert_eq!(
        names,
        ["pulpcore.app.tasks.base.general_create", "pulp_container.app.tasks.synchronize.synchronize"]
    );
    let href = tasks[1]["pulp_href"].as_str().unwrap();
    let task = pulp.json(&format!("task show --href {href}"));
    check_sync(&task, &versions[0]);

    let status = pulp.json("status");
    let components = status["versions"].as_array().unwrap().iter().map(|version| &version["component"]);
    assert_eq!(components.collect::<Vec<_>>(), ["core", "container"]);
    assert_eq!(status["database_connection"], json!({"connected": true}));
    assert_eq!(status["online_workers"].as_array().unwrap().len(), 1, "{status:#}");

    assert_eq!(entrepot.served_tags("foo"), images.tags());
    let freed = pulp.json("orphan cleanup --protection-time 0");
    assert_eq!(freed, json!({"content": 0, "files": 0, "bytes": 0, "dry_run": false}));
    assert_eq!(entrepot.served_tags("foo"), images.tags());
}

async fn errors_reach_the_user(database: Database) {
    let entrepot = Entrepot::start(database);
    let pulp = PulpCli::new(&entrepot);
    pulp.json("container repository create --name foo");
    let error = pulp.try_run("container repository create --name foo").unwrap_err();
    assert_eq!(error.trim(), "Error: {\"name\":[\"This field must be unique.\"]}");
    pulp.json("container remote create --name gone --url http://127.0.0.1:1 --upstream-name a");
    let error = pulp.try_run("container repository sync --name foo --remote gone").unwrap_err();
    let expected = "failed: 'cannot connect to http://127.0.0.1:1/v2/a/tags/list?n=1000: Connection refused (os error 111)'";
    assert!(error.contains(expected), "{error}");
    let error = pulp.try_run("container repository show --name bar").unwrap_err();
    assert!(error.contains("Could not find container repository with {'name': 'bar'}."), "{error}");
}

fn repository(version: u32) -> Value {
    json!({
        "pulp_href": REPOSITORY,
        "prn": "prn:container.containerrepository:<id>",
        "pulp_created": "<time>",
        "pulp_last_updated": "<time>",
        "versions_href": format!("{REPOSITORY}versions/"),
        "pulp_labels": {},
        "latest_version_href": format!("{REPOSITORY}versions/{version}/"),
        "name": "foo",
        "description": null,
        "retain_repo_versions": null,
        "retain_checkpoints": null,
        "remote": null,
        "manifest_signing_service": null,
    })
}

fn remote(url: &str) -> Value {
    let hidden = [
        "client_key",
        "proxy_username",
        "proxy_password",
        "username",
        "password",
        "include_tags",
        "exclude_tags",
    ];
    json!({
        "pulp_href": "/pulp/api/v3/remotes/container/container/<id>/",
        "prn": "prn:container.containerremote:<id>",
        "pulp_created": "<time>",
        "pulp_last_updated": "<time>",
        "name": "foo",
        "url": url,
        "pulp_labels": {},
        "policy": "immediate",
        "hidden_fields": hidden.iter().map(|name| json!({"name": name, "is_set": false})).collect::<Value>(),
        "ca_cert": null,
        "client_cert": null,
        "tls_validation": true,
        "proxy_url": null,
        "max_retries": null,
        "total_timeout": null,
        "connect_timeout": null,
        "sock_connect_timeout": null,
        "sock_read_timeout": null,
        "headers": null,
        "download_concurrency": null,
        "rate_limit": null,
        "upstream_name": "pulp/test-fixture-1",
        "includes": null,
        "excludes": null,
        "sigstore": null,
    })
}

/// A version that holds so many blobs, manifests and tags, all of which it added.
fn version(number: u32, (blobs, manifests, tags): (u32, u32, u32)) -> Value {
    let href = format!("{REPOSITORY}versions/{number}/");
    let counts = |filter: &str| {
        let kinds = [("blob", blobs), ("manifest", manifests), ("tag", tags)];
        let held = kinds.iter().filter(|(_, count)| *count > 0);
        let entry = |(kind, count): &(&str, u32)| {
            let list = format!("/pulp/api/v3/content/container/{kind}s/?{filter}={href}");
            (format!("container.{kind}"), json!({"count": count, "href": list}))
        };
        Value::Object(held.map(entry).collect())
    };
    json!({
        "pulp_href": href,
        "prn": "prn:core.repositoryversion:<id>",
        "pulp_created": "<time>",
        "pulp_last_updated": "<time>",
        "number": number,
        "repository": REPOSITORY,
        "base_version": null,
        "content_summary": {
            "added": counts("repository_version_added"),
            "removed": {},
            "present": counts("repository_version"),
        },
        "vuln_report": "/pulp/api/v3/vuln_report/?repo_versions=prn:core.repositoryversion:<id>",
    })
}

fn served(registry_path: &str) -> Value {
    json!({
        "base_path": "foo",
        "no_content_change_since": null,
        "hidden": false,
        "prn": "prn:container.containerdistribution:<id>",
        "pulp_href": "/pulp/api/v3/distributions/container/container/<id>/",
        "content_guard_prn": null,
        "repository_version": null,
        "pulp_labels": {},
        "pulp_created": "<time>",
        "name": "foo",
        "content_guard": null,
        "repository": REPOSITORY,
        "pulp_last_updated": "<time>",
        "registry_path": registry_path,
        "remote": null,
        "namespace": null,
        "private": false,
        "description": null,
    })
}

fn check_sync(task: &Value, version: &Value) {
    assert_eq!(task["state"], "completed", "{task:#}");
    assert_eq!(task["created_resources"], json!([version["pulp_href"]]));
    assert_eq!(task["created_resource_prns"], json!([version["prn"]]));
    assert_eq!(task["result"], *version);
    assert_eq!(
        masked(&task["reserved_resources_record"]),
        json!(["prn:container.containerrepository:<id>", "shared:prn:container.containerremote:<id>"])
    );
    for field in ["unblocked_at", "started_at", "finished_at"] {
        assert_eq!(masked(&task[field]), "<time>", "{field}");
    }
    let reports = task["progress_reports"].as_array().unwrap();
    let report = |code: &str| {
        let found = reports.iter().find(|report| report["code"] == code);
        let found = found.unwrap_or_else(|| panic!("no report {code}: {task:#}"));
        (found["state"].as_str().unwrap(), found["done"].as_i64().unwrap())
    };
    assert_eq!(report("sync.downloading.tag_list"), ("completed", 1));
    assert_eq!(report("sync.processing.manifest"), ("completed", 4));
    assert_eq!(report("sync.downloading.artifacts"), ("completed", 8));
}
