//! A worker that is frozen longer than its lease lasts, and then goes on as if nothing had happened.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Notify;

use super::Scale;
use crate::harness::faults::{FakeRegistry, Fault};
use crate::harness::{Database, Entrepot, Mirror, Program, wait_until};

const NAME: &str = "library/app";
/// Others have a dead worker's task by then.
const TAKE_OVER: Duration = Duration::from_secs(15);
/// How long the long form freezes. The short one only waits until others are done.
const LONG_FREEZE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_frozen_while_a_blob_arrives_publishes_nothing() {
    if !Database::is_postgres_here() {
        return;
    }
    let story = Story::begin(&[]).await;
    let continues = Arc::new(Notify::new());
    let hold = Fault::Hold { after: 100_000, until: Arc::clone(&continues) };
    story.upstream.on("GET", story.first_layer.as_str()).nth(1).inject(hold);
    let task = story.server.start_sync(&story.mirror, true);
    wait_until("the blob", || story.upstream.count("GET", &story.first_layer) == 1);
    let other = story.server.start_worker();
    story.zombie.signal("STOP");
    story.end_well(&task, other, || continues.notify_one());
}

/// The dispatch lock, which everything that moves tasks needs, is held at that moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_frozen_in_its_last_transaction_holds_nobody_up() {
    if !Database::is_postgres_here() {
        return;
    }
    let story = Story::begin(&[("ENTREPOT_FREEZE_AT", "sync.finished")]).await;
    let task = story.server.start_sync(&story.mirror, true);
    story.zombie.wait_for_line("fail point sync.finished reached");
    let other = story.server.launch_worker(&[]);
    story.end_well(&task, other, || ());
}

struct Story {
    zombie: Program,
    server: Entrepot,
    mirror: Mirror,
    upstream: FakeRegistry,
    first_layer: String,
}

impl Story {
    async fn begin(settings: &[(&str, &str)]) -> Self {
        let upstream = FakeRegistry::start().await;
        let image = upstream.add_image(NAME, "latest", &[&vec![1; 400_000]]);
        let server = Entrepot::start_server(&[]);
        let zombie = server.start_worker_with(settings);
        let mirror = server.create_mirror("app", &upstream.url(), NAME, json!({}));
        Self { zombie, server, mirror, upstream, first_layer: image.layers[0].to_string() }
    }

    /// The zombie has just been frozen; `before_waking` happens before it goes on.
    fn end_well(self, task: &str, mut other: Program, before_waking: impl FnOnce()) {
        let frozen = Instant::now();
        // What the zombie has in hand is no longer what upstream has.
        let second = self.upstream.add_image(NAME, "latest", &[b"second"]);
        other.wait_for_line("task started");
        let waited = frozen.elapsed();
        assert!(waited <= TAKE_OVER, "taken over only after {waited:?}");
        let ended = self.server.ended(task);
        assert_eq!(ended["state"], "completed", "{ended:#}");
        self.serves(1, second.manifest.as_str());
        let third = self.upstream.add_image(NAME, "latest", &[b"third"]);
        if Scale::chosen().is_long {
            std::thread::sleep(LONG_FREEZE.saturating_sub(frozen.elapsed()));
        }

        before_waking();
        self.zombie.signal("CONT");
        wait_until("the zombie's end of the task", || {
            let said = self.zombie.output();
            said.contains("task stopped") || said.contains("task failed")
        });
        self.zombie.wait_for_line("the worker's lease ran out");
        wait_until("the zombie's registration under another id", || {
            let workers = self.server.api("GET", "/workers/", &json!(null)).expect(200);
            let names = workers["results"].as_array().unwrap().iter().map(|worker| &worker["name"]);
            let mut names: Vec<_> = names.collect();
            names.sort_by_key(|name| name.as_str());
            names.windows(2).any(|two| two[0] == two[1])
        });
        assert!(!self.zombie.output().contains("version published"), "{}", self.zombie.output());
        self.serves(1, second.manifest.as_str());
        assert_eq!(self.server.read(task), ended);

        // It is a worker like any other again.
        other.terminate();
        assert!(other.wait().success());
        assert_eq!(self.server.sync_to_version(&self.mirror, true), 2);
        self.serves(2, third.manifest.as_str());
        self.zombie.wait_for_line("version published");
    }

    fn serves(&self, version: i64, manifest: &str) {
        assert_eq!(self.server.latest_version(&self.mirror)["number"], version);
        assert_eq!(self.server.served_tags("app")["latest"], manifest);
    }
}
