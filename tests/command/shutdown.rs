//! `SIGTERM`: requests finish, tasks are handed back.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Notify;

use crate::harness::faults::{FakeRegistry, Fault};
use crate::harness::{Database, Entrepot, on_both_databases, wait_until};

on_both_databases!(a_task_is_handed_back, a_request_finishes);

const NAME: &str = "library/app";

async fn a_task_is_handed_back(database: Database) {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(NAME, "1.0", &[&vec![7; 100_000]]);
    let blob = format!("/blobs/{}", image.layers[0]);
    fake.on("GET", &blob).inject(Fault::Hold { after: 1000, until: Arc::new(Notify::new()) });
    let mut entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, json!({}));
    let task = entrepot.start_sync(&mirror, false);
    wait_until("the transfer", || fake.count("GET", &blob) == 1);

    let started = Instant::now();
    entrepot.terminate();
    entrepot.stop();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());

    fake.heal();
    entrepot.restart();
    let ended = entrepot.ended(&task);
    assert_eq!(ended["state"], "completed", "{ended:#}");
    assert_eq!(entrepot.served_tags("app")["1.0"], image.manifest.as_str());
}

async fn a_request_finishes(database: Database) {
    // More than the buffers of a connection hold.
    const SIZE: usize = 32 << 20;
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(NAME, "1.0", &[&vec![7; SIZE]]);
    let mut entrepot = Entrepot::start_with(database, &[("ENTREPOT_TOKEN_AUTH", "false")]);
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, json!({}));
    entrepot.sync_to_version(&mirror, false);

    let mut stream = TcpStream::connect(entrepot.host()).unwrap();
    let request =
        format!("GET /v2/app/blobs/{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", image.layers[0]);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; 1000];
    stream.read_exact(&mut answer).unwrap();
    entrepot.terminate();
    let refuses = || TcpStream::connect(entrepot.host()).is_err();
    wait_until("new connections to be refused", refuses);
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(answer.len() - body, SIZE);
    entrepot.stop();
}
