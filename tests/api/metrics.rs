//! `/metrics`

use serde_json::json;

use crate::harness::faults::{FakeRegistry, Fault};
use crate::harness::{Database, Entrepot, Samples, on_both_databases, wait_until};

on_both_databases!(what_was_done_is_counted_exactly, metrics_are_for_administrators);

const NAME: &str = "library/app";
const SYNC: &str = "pulp_container.app.tasks.synchronize.synchronize";

async fn what_was_done_is_counted_exactly(database: Database) {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(NAME, "1.0", &[&[7; 1000], b"another layer"]);
    let entrepot = Entrepot::start_with(database, &[("ENTREPOT_TOKEN_AUTH", "false")]);
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, json!({"max_retries": 0}));
    entrepot.sync_to_version(&mirror, false);
    assert_eq!(entrepot.sync(&mirror, false)["state"], "completed");
    fake.on("*", "/manifests/").inject(Fault::status(403));
    entrepot.sync_fails(&mirror);
    let requests = fake.requests().len();
    for _ in 0..3 {
        assert_eq!(entrepot.anonymous().get("/v2/app/manifests/1.0").status, 200);
    }
    assert_eq!(entrepot.anonymous().get("/v2/app/manifests/2.0").status, 404);

    let metrics = entrepot.metrics();
    let ended = |kind: &str, state: &str| {
        metrics.count(&format!("entrepot_task_finished_total{{kind=\"{kind}\",state=\"{state}\"}}"))
    };
    assert_eq!((ended(SYNC, "completed"), ended(SYNC, "failed")), (2, 1), "{metrics:#?}");
    assert_eq!(ended("pulpcore.app.tasks.base.general_create", "completed"), 1);
    for histogram in ["wait", "run"] {
        let count = format!("entrepot_task_{histogram}_seconds_count{{kind=\"{SYNC}\"}}");
        assert_eq!(metrics.count(&count), 3, "{count}");
    }
    assert_eq!(metrics.count(&format!("entrepot_task_retries_total{{kind=\"{SYNC}\"}}")), 0);
    assert!(metrics.has("entrepot_task_lease_takeovers_total"));
    assert!(!metrics.has("entrepot_tasks{") && metrics.count("entrepot_queue_depth") == 0);

    let upstream = format!("{{upstream=\"{}\"}}", fake.address());
    let size = |digest| {
        let path = format!("/v2/app/blobs/{digest}");
        entrepot.anonymous().get(&path).body.len()
    };
    let blobs: usize = image.layers.iter().chain([&image.config]).map(size).sum();
    let bytes = blobs + image.manifest_bytes.len();
    let (bytes, requests) = (bytes as u64, requests as u64);
    assert_eq!(metrics.count(&format!("entrepot_sync_received_bytes_total{upstream}")), bytes);
    assert_eq!(metrics.count(&format!("entrepot_sync_requests_total{upstream}")), requests);

    let answers = |status: &str| {
        let labels = format!("{{surface=\"registry\",method=\"GET\",status=\"{status}\"}}");
        metrics.count(&format!("entrepot_http_requests_total{labels}"))
    };
    assert_eq!((answers("2xx"), answers("4xx")), (3, 1));
    assert_eq!(metrics.count("entrepot_http_request_duration_seconds_count{surface=\"registry\"}"), 4);
    assert!(metrics.count("entrepot_http_sent_bytes_total") > 1000);
    assert!(metrics.value("process_resident_memory_bytes") > 1e6);
    assert!(metrics.value("process_cpu_seconds_total") > 0.0);
}

async fn metrics_are_for_administrators(database: Database) {
    let entrepot = Entrepot::start(database);
    let refused = entrepot.anonymous().get("/metrics");
    assert_eq!((refused.status, refused.text().as_str()), (401, "Log in as an administrator.\n"));
    assert_eq!(refused.header("www-authenticate"), "Basic realm=\"entrepot\", charset=\"UTF-8\"");
    let wrong = entrepot.anonymous().with_basic("admin", "wrong").get("/metrics");
    assert_eq!(wrong.status, 401);
    let open = [("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")];
    let shown = entrepot.admin().request("GET", "/metrics", &open, &[]);
    assert_eq!(shown.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(Samples::parse(&shown.text(), true).has("entrepot_http_requests_total"));
    let open = Entrepot::start_with(database, &[("ENTREPOT_ANONYMOUS_METRICS", "true")]);
    let shown = open.anonymous().get("/metrics");
    assert_eq!((shown.status, shown.header("cache-control")), (200, "no-store"));
    assert_eq!(shown.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_tells_what_it_did() {
    if !Database::is_postgres_here() {
        return;
    }
    let server = Entrepot::start_server(&[("ENTREPOT_ANONYMOUS_METRICS", "true")]);
    let fields = json!({"name": "early", "base_path": "early"});
    let accepted = server.api("POST", "/distributions/container/container/", &fields).expect(202);
    let create = "kind=\"pulpcore.app.tasks.base.general_create\"";
    let queued = format!("entrepot_tasks{{{create},state=\"queued\"}}");
    wait_until("the task in the queue", || server.metrics().count(&queued) == 1);
    assert_eq!(server.metrics().count("entrepot_queue_depth"), 1);
    assert!(server.metrics().value("entrepot_queue_oldest_wait_seconds") < 60.0);

    let worker = server.start_worker();
    server.ended(accepted["task"].as_str().unwrap());
    wait_until("the empty queue", || server.metrics().count("entrepot_queue_depth") == 0);
    let listening = worker.wait_for_line("listening on 127.0.0.1:");
    let (_, port) = listening.split_once("listening on 127.0.0.1:").unwrap();
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    let shown = crate::harness::Client::new(&format!("http://127.0.0.1:{port}")).get("/metrics");
    let done = format!("entrepot_task_finished_total{{{create},state=\"completed\"}}");
    assert_eq!(Samples::parse(&shown.text(), false).count(&done), 1);
    assert!(!server.metrics().has("entrepot_task_finished_total"));
}
