//! Secrets are written, never read.

use serde_json::{Value, json};

use crate::harness::{ADMIN_PASSWORD, Database, Entrepot, faults::FakeRegistry, on_both_databases};

on_both_databases!(secrets_are_in_no_answer_no_log_and_no_database);

const SECRETS: [&str; 4] = ["harbour-secret-1", "harbour-secret-2", "harbour-secret-3", "harbour-secret-4"];

async fn secrets_are_in_no_answer_no_log_and_no_database(database: Database) {
    let fake = FakeRegistry::start().await;
    fake.add_image("app", "1.0", &[b"layer"]);
    fake.require_basic(SECRETS[0], SECRETS[1]);
    let entrepot = Entrepot::start_with(database, &[("ENTREPOT_LOG", "debug")]);
    let login = json!({"username": SECRETS[0], "password": SECRETS[1]});
    let mirror = entrepot.create_mirror("app", &fake.url(), "app", login);
    assert_eq!(entrepot.sync_to_version(&mirror, false), 1);

    let proxy = json!({"proxy_username": SECRETS[2], "proxy_password": SECRETS[3]});
    let changed = entrepot.admin().send("PATCH", &mirror.remote, &proxy);
    entrepot.completed(&changed);
    let remote = entrepot.read(&mirror.remote);
    let set = remote["hidden_fields"].as_array().unwrap().iter().filter(|field| field["is_set"] == true);
    let set: Vec<&Value> = set.map(|field| &field["name"]).collect();
    assert_eq!(set, ["proxy_username", "proxy_password", "username", "password"]);
    for field in ["username", "password", "client_key", "proxy_username", "proxy_password"] {
        assert!(remote.get(field).is_none(), "{field} is shown");
    }

    let wrong = json!({"password": "not-the-password"});
    entrepot.completed(&entrepot.admin().send(
        "PATCH",
        &mirror.remote,
        &json!({"proxy_username": null, "proxy_password": null}),
    ));
    entrepot.completed(&entrepot.admin().send("PATCH", &mirror.remote, &wrong));
    let (reason, description) = entrepot.sync_fails(&mirror);
    assert_eq!(reason, "upstream.unauthorized", "{description}");

    let mut answers = description;
    for list in ["remotes/container/container/", "tasks/", "repositories/container/container/"] {
        answers += &entrepot.read(&format!("/pulp/api/v3/{list}")).to_string();
    }
    let tasks = entrepot.read("/pulp/api/v3/tasks/");
    let (mut lines, mut texts) = (0, String::new());
    for task in tasks["results"].as_array().unwrap() {
        let log = entrepot.read(&format!("{}logs/?limit=1000", task["pulp_href"].as_str().unwrap()));
        lines += log["count"].as_u64().unwrap();
        texts += &log.to_string();
    }
    assert!(lines > 10 && texts.contains("blob fetched"), "{texts}");
    answers += &texts;
    answers += &entrepot.admin().get("/ui/tasks/").text();
    answers += &entrepot.admin().get("/metrics").text();
    let log = entrepot.log();
    let stored = entrepot.database_bytes();
    for secret in SECRETS.iter().chain(&[ADMIN_PASSWORD, "not-the-password"]) {
        assert!(!answers.contains(secret), "{secret} is in an answer");
        assert!(!log.contains(secret), "{secret} is in the log");
        assert!(!contains(&stored, secret.as_bytes()), "{secret} is in the database");
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
