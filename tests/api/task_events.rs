//! Following a task: its events while it runs, its log for ever after.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::harness::faults::{FakeRegistry, Fault};
use crate::harness::{API, Answer, Client, Database, Entrepot, on_both_databases, wait_until};

on_both_databases!(a_sync_is_followed_to_its_end, streams_end_with_the_server, logs_tell_what_a_sync_did);

const NAME: &str = "library/app";

/// One server-sent event.
#[derive(Debug, Clone)]
struct Event {
    kind: String,
    id: String,
    data: Value,
}

/// Reads a stream that has ended.
fn events(answer: &Answer) -> Vec<Event> {
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "text/event-stream"),
        "{}",
        answer.text()
    );
    let text = answer.text();
    let blocks = text.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':'));
    blocks
        .map(|block| {
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                line.unwrap_or_else(|| panic!("no {name}: {block}")).to_owned()
            };
            Event {
                kind: field("event"),
                id: field("id"),
                data: serde_json::from_str(&field("data")).unwrap(),
            }
        })
        .collect()
}

/// The data of the events of one kind.
fn of_kind<'a>(events: &'a [Event], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event.kind == kind).map(|event| &event.data).collect()
}

/// Reads the events of a task in a thread of its own until they end; returns once the stream is open.
fn follow(entrepot: &Entrepot, task: &str) -> thread::JoinHandle<Answer> {
    let (client, path) = (entrepot.admin(), format!("{task}events/"));
    let reading = thread::spawn(move || client.get(&path));
    wait_until("the stream", || entrepot.metrics().count("entrepot_http_event_streams") >= 1);
    reading
}

fn come_back(client: &Client, task: &str, id: &str) -> Answer {
    client.request("GET", &format!("{task}events/"), &[("last-event-id", id)], &[])
}

async fn a_sync_is_followed_to_its_end(database: Database) {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(NAME, "1.0", &[&vec![7; 100_000]]);
    let until = Arc::new(Notify::new());
    let blob = format!("/blobs/{}", image.layers[0]);
    fake.on("GET", &blob).inject(Fault::Hold { after: 1000, until: Arc::clone(&until) });
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, json!({}));
    let task = entrepot.start_sync(&mirror, false);
    wait_until("the transfer", || fake.count("GET", &blob) == 1);
    let reading = follow(&entrepot, &task);
    until.notify_one();
    let events = events(&reading.join().unwrap());

    let tasks = of_kind(&events, "task");
    assert_eq!(tasks[0]["state"], "running", "{events:#?}");
    assert_eq!(tasks.last().unwrap()["state"], "completed");
    assert_eq!(**tasks.last().unwrap(), entrepot.read(&task));
    let end = events.last().unwrap();
    assert_eq!((end.kind.as_str(), &end.data), ("end", &json!({"state": "completed"})));
    let log = entrepot.read(&format!("{task}logs/"));
    assert_eq!(of_kind(&events, "log"), log["results"].as_array().unwrap().iter().collect::<Vec<_>>());
    assert_eq!(entrepot.metrics().count("entrepot_http_event_streams"), 0);

    // Whoever has seen the end is told not to come again; whoever has seen less is sent the rest.
    let client = entrepot.admin();
    assert_eq!(come_back(&client, &task, &end.id).status, 204);
    let last_task = events.iter().rfind(|event| event.kind == "task").unwrap();
    let rest = self::events(&come_back(&client, &task, &last_task.id));
    assert!(of_kind(&rest, "task").is_empty() && rest.last().unwrap().kind == "end", "{rest:#?}");
    let again = self::events(&come_back(&client, &task, "not one of ours"));
    assert_eq!(of_kind(&again, "task").len(), 1);
    assert_eq!(of_kind(&again, "log").len(), of_kind(&events, "log").len());

    assert_eq!(entrepot.anonymous().get(&format!("{task}events/")).status, 401);
    let missing = format!("{API}/tasks/00000000-0000-0000-0000-000000000000/events/");
    assert_eq!(client.get(&missing).expect(404), json!({"detail": "No Task matches the given query."}));
}

async fn streams_end_with_the_server(database: Database) {
    let fake = FakeRegistry::start().await;
    fake.add_image(NAME, "1.0", &[&vec![7; 100_000]]);
    fake.on("GET", "/blobs/").inject(Fault::Hold { after: 0, until: Arc::new(Notify::new()) });
    let mut entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, json!({}));
    let task = entrepot.start_sync(&mirror, false);
    wait_until("the task's start", || entrepot.read(&task)["state"] == "running");
    let reading = follow(&entrepot, &task);
    let started = Instant::now();
    entrepot.terminate();
    let events = events(&reading.join().unwrap());
    assert!(of_kind(&events, "end").is_empty(), "{events:#?}");
    entrepot.stop();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_does_is_seen() {
    if !Database::is_postgres_here() {
        return;
    }
    let server = Entrepot::start_server(&[]);
    let fields = json!({"name": "early", "base_path": "early"});
    let accepted = server.api("POST", "/distributions/container/container/", &fields).expect(202);
    let task = accepted["task"].as_str().unwrap();
    let reading = follow(&server, task);
    let _worker = server.start_worker();
    let events = events(&reading.join().unwrap());
    let states: Vec<_> = of_kind(&events, "task").into_iter().map(|task| task["state"].clone()).collect();
    assert_eq!((&states[0], states.last().unwrap()), (&json!("waiting"), &json!("completed")));
    let log: Vec<_> = of_kind(&events, "log").into_iter().map(|line| line["message"].clone()).collect();
    assert_eq!(log[0], "task started attempt=1");
    assert!(log.last().unwrap().as_str().unwrap().starts_with("task completed"), "{log:?}");
}

/// The messages of a task's log, once they are as many as expected.
fn messages(entrepot: &Entrepot, task: &str, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    wait_until("the last line", || {
        let log = entrepot.read(&format!("{task}logs/"));
        let lines = log["results"].as_array().unwrap().iter();
        found = lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect();
        found.len() >= count
    });
    found
}

async fn logs_tell_what_a_sync_did(database: Database) {
    let fake = FakeRegistry::start().await;
    fake.add_image(NAME, "1.0", &[b"a layer"]);
    fake.add_image(NAME, "edge", &[b"another"]);
    fake.on("GET", "/tags/list").nth(1).inject(Fault::status(503));
    let entrepot = Entrepot::start_with(database, &[("ENTREPOT_LOG", "warn,entrepot=info")]);
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, json!({"exclude_tags": ["edge"]}));
    let task = entrepot.start_sync(&mirror, false);
    assert_eq!(entrepot.ended(&task)["state"], "completed");
    let lines = messages(&entrepot, &task, 8);
    let url = format!("{}/v2/{NAME}", fake.url());
    let expected = [
        "task started attempt=1".to_owned(),
        format!("sync started repository.name=app repository.version=0 tags=0 upstream={url} mirror=false"),
        "a request to an upstream failed and will be tried again error=".to_owned(),
        "tags of the upstream were listed listed=2 taken=1".to_owned(),
        "everything that the tags need is here tags=1 unchanged=0 manifests_fetched=1 blobs_fetched=2 \
         blobs_held=0 bytes_fetched="
            .to_owned(),
        "version published repository.version=1 tags_set=1 tags_dropped=0 tags=1 manifests=1 blobs=2"
            .to_owned(),
        "sync ended repository.id=".to_owned(),
        "task completed duration_ms=".to_owned(),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(&expected) {
        assert!(line.starts_with(start), "{line} does not start with {start}");
    }

    let some = entrepot.read(&format!("{task}logs/?limit=2&offset=1&level=info&fields=message"));
    assert_eq!(some["count"], 8);
    assert_eq!(some["results"], json!([{"message": lines[1]}, {"message": lines[2]}]));
    assert_eq!(entrepot.read(&format!("{task}logs/?level=error"))["count"], 0);
    let refused = entrepot.admin().get(&format!("{task}logs/?colour=red"));
    assert_eq!(refused.expect(400), json!({"errors": ["Invalid Filter: 'colour'"]}));

    // A cause that stays is told, too; and the lines go with their task.
    fake.on("*", "/tags/list").inject(Fault::status(403));
    let task = entrepot.start_sync(&mirror, false);
    assert_eq!(entrepot.ended(&task)["state"], "failed");
    let lines = messages(&entrepot, &task, 4);
    assert!(lines.last().unwrap().starts_with("task failed duration_ms="), "{lines:#?}");
    assert!(lines.last().unwrap().contains("code=upstream.forbidden"), "{lines:#?}");
    assert_eq!(entrepot.admin().request("DELETE", &task, &[], &[]).status, 204);
    assert_eq!(entrepot.admin().get(&format!("{task}logs/")).status, 404);
}
