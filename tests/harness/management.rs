//! The management API in the words of the tests.

use serde_json::{Map, Value, json};

use super::client::Answer;
use super::entrepot::Entrepot;
use super::process::wait_until;

/// Where the management API is.
pub const API: &str = "/pulp/api/v3";

/// The hrefs of what a mirror is made of.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// The repository.
    pub repository: String,
    /// The remote.
    pub remote: String,
}

impl Entrepot {
    /// Asks the management API as `admin`; `path` begins behind `/pulp/api/v3`.
    pub fn api(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.admin().send(method, &format!("{API}{path}"), body)
    }

    /// Asks by an href.
    pub fn read(&self, href: &str) -> Value {
        self.admin().get(href).expect(200)
    }

    /// Creates a repository, a remote with these further fields, and a distribution, all of this name.
    pub fn create_mirror(&self, name: &str, url: &str, upstream_name: &str, fields: Value) -> Mirror {
        let repository = self.create_repository(name);
        let mut remote = Map::from_iter([
            ("name".to_owned(), json!(name)),
            ("url".to_owned(), json!(url)),
            ("upstream_name".to_owned(), json!(upstream_name)),
        ]);
        let Value::Object(fields) = fields else { panic!("{fields} is no object") };
        remote.extend(fields);
        let remote = self.api("POST", "/remotes/container/container/", &Value::Object(remote)).expect(201);
        self.create_distribution(&json!({"name": name, "base_path": name, "repository": repository}));
        Mirror { repository, remote: text(&remote["pulp_href"]) }
    }

    /// Creates a repository: its href.
    pub fn create_repository(&self, name: &str) -> String {
        let made = self.api("POST", "/repositories/container/container/", &json!({"name": name})).expect(201);
        text(&made["pulp_href"])
    }

    /// Creates a distribution: its href.
    pub fn create_distribution(&self, fields: &Value) -> String {
        let accepted = self.api("POST", "/distributions/container/container/", fields);
        let task = self.completed(&accepted);
        text(&task["created_resources"][0])
    }

    /// Starts a sync: the task's href.
    pub fn start_sync(&self, mirror: &Mirror, is_mirror: bool) -> String {
        let body = json!({"remote": mirror.remote, "mirror": is_mirror});
        let accepted = self.admin().send("POST", &format!("{}sync/", mirror.repository), &body);
        text(&accepted.expect(202)["task"])
    }

    /// Syncs: the task once it is over.
    pub fn sync(&self, mirror: &Mirror, is_mirror: bool) -> Value {
        self.ended(&self.start_sync(mirror, is_mirror))
    }

    /// Syncs, which must succeed: the number of the latest version.
    pub fn sync_to_version(&self, mirror: &Mirror, is_mirror: bool) -> i64 {
        let task = self.sync(mirror, is_mirror);
        assert_eq!(task["state"], "completed", "{task:#}");
        self.latest_version(mirror)["number"].as_i64().unwrap()
    }

    /// Syncs, which must fail: the error's reason and description.
    pub fn sync_fails(&self, mirror: &Mirror) -> (String, String) {
        let task = self.sync(mirror, false);
        assert_eq!(task["created_resources"], json!([]), "{task:#}");
        error_of(&task)
    }

    /// The latest version of a mirror's repository.
    pub fn latest_version(&self, mirror: &Mirror) -> Value {
        self.read(&text(&self.read(&mirror.repository)["latest_version_href"]))
    }

    /// Waits for the task that was accepted, which must succeed.
    pub fn completed(&self, accepted: &Answer) -> Value {
        let task = self.ended(&text(&accepted.expect(202)["task"]));
        assert_eq!(task["state"], "completed", "{task:#}");
        task
    }

    /// Waits until a task is over.
    pub fn ended(&self, href: &str) -> Value {
        let mut task = Value::Null;
        wait_until(&format!("the end of {href}"), || {
            task = self.read(href);
            matches!(task["state"].as_str(), Some("completed" | "failed" | "canceled"))
        });
        task
    }
}

/// Reason and description of a failed task's error.
pub fn error_of(task: &Value) -> (String, String) {
    assert_eq!(task["state"], "failed", "{task:#}");
    (text(&task["error"]["reason"]), text(&task["error"]["description"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
