//! The ids of a request reach its job, and nobody else.

use serde_json::{Value, json};

use crate::harness::faults::FakeRegistry;
use crate::harness::{Database, Entrepot, on_both_databases};

on_both_databases!(a_job_logs_the_ids_of_its_request);

const NAME: &str = "library/app";
const CORRELATION_ID: &str = "0123456789abcdef0123456789abcdef";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn a_job_logs_the_ids_of_its_request(database: Database) {
    let fake = FakeRegistry::start().await;
    fake.add_image(NAME, "1.0", &[b"a layer"]);
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, json!({}));
    let trace_parent = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
    let headers = [
        ("content-type", "application/json"),
        ("correlation-id", CORRELATION_ID),
        ("traceparent", &trace_parent),
    ];
    let body = json!({"remote": mirror.remote}).to_string();
    let path = format!("{}sync/", mirror.repository);
    let accepted = entrepot.admin().request("POST", &path, &headers, body.as_bytes()).expect(202);
    let task = entrepot.ended(accepted["task"].as_str().unwrap());
    assert_eq!((&task["state"], &task["logging_cid"]), (&json!("completed"), &json!(CORRELATION_ID)));

    let log = entrepot.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let line = |message: &str, is_meant: &dyn Fn(&Value) -> bool| {
        let found = lines.iter().find(|line| line["message"] == message && is_meant(line));
        found.unwrap_or_else(|| panic!("no {message}: {log}")).clone()
    };
    let published = line("version published", &|_| true);
    let job = &published["spans"][0];
    assert_eq!(
        (&job["name"], &job["correlation_id"]),
        (&json!("job"), &json!(CORRELATION_ID)),
        "{published:#}"
    );
    assert_eq!(job["trace_id"], TRACE_ID);
    let answered = line("answered", &|line| line["path"] == path.as_str());
    assert_eq!(
        (&answered["correlation_id"], &answered["trace_id"]),
        (&json!(CORRELATION_ID), &json!(TRACE_ID))
    );

    let requests = fake.requests();
    assert!(!requests.is_empty());
    for request in requests {
        for (name, value) in &request.headers {
            assert!(!value.contains(CORRELATION_ID) && !value.contains(TRACE_ID), "{request:?}");
            assert!(!["correlation-id", "traceparent", "tracestate"].contains(&name.as_str()), "{request:?}");
        }
    }
}
