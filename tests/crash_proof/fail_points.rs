//! A death at every step: where the code says `fail_point!`, the process dies, and its next start brings to an end what
//! it was about, once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use registry::Digest;
use serde_json::{Value, json};

use crate::harness::faults::{FakeImage, FakeRegistry, Fault};
use crate::harness::{Database, Entrepot, Mirror, on_both_databases};

on_both_databases!(a_sync_that_dies_anywhere_is_completed_by_the_next_start);

/// Every place in the code, in the order in which a sync gets there, and how often it does before it dies.
const POINTS: [(&str, u32); 37] = [
    ("register.inserted", 1),
    ("submit.inserted", 1),
    ("submit.reserved", 1),
    ("dispatch.queued", 1),
    ("dispatch.enqueued", 1),
    ("submit.dispatched", 1),
    ("submit.committed", 1),
    ("claim.updated", 1),
    ("claim.committed", 1),
    ("reconcile.requeued", 1),
    ("requeue.updated", 1),
    ("sync.begun", 1),
    ("sync.tags-listed", 1),
    ("blob.created", 2),
    ("blob.written", 2),
    ("blob.synced", 2),
    ("blob.renamed", 2),
    ("blob.placed", 2),
    ("blobs.inserted", 1),
    ("blobs.committed", 1),
    ("manifests.inserted", 1),
    ("manifests.committed", 1),
    ("sync.fetched", 1),
    ("sync.planned", 1),
    ("publish.tags-made", 1),
    ("publish.marked", 1),
    ("publish.added", 1),
    ("publish.removed", 1),
    ("publish.inserted", 1),
    ("publish.advanced", 1),
    ("publish.retained", 1),
    ("finish.updated", 1),
    ("finish.released", 1),
    ("finish.dispatched", 1),
    ("sync.finished", 1),
    ("sync.committed", 1),
    ("job.executed", 1),
];

/// Every place that only a cleanup of orphans gets to.
pub(super) const CLEANUP_POINTS: [(&str, u32); 3] =
    [("orphans.deleted", 2), ("orphans.committed", 2), ("orphans.file-deleted", 1)];

/// How many are tried at a time: most of it is waiting for leases to run out.
const AT_A_TIME: usize = 10;

#[test]
fn every_fail_point_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for crate_folder in ["registry", "upstream", "storage", "openapi", "server", "worker", "."] {
        collect(&root.join(crate_folder).join("src"), &mut found);
    }
    let points = POINTS.iter().chain(&CLEANUP_POINTS).map(|(point, _)| *point).chain(super::pushes::POINTS);
    let listed: BTreeSet<String> = points.map(str::to_owned).collect();
    assert_eq!(found, listed);
}

/// The names of all fail points in the files below a folder.
fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        let calls = code.lines().map(str::trim).filter_map(|line| line.strip_prefix("fail_point!(\""));
        for name in calls.map(|call| call.split_once("\");").unwrap().0) {
            assert!(found.insert(name.to_owned()), "{name} is two places");
        }
    }
}

async fn a_sync_that_dies_anywhere_is_completed_by_the_next_start(database: Database) {
    let upstream = FakeRegistry::start().await;
    let left = Mutex::new(POINTS.iter());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                let mut entrepot = Entrepot::start(database);
                loop {
                    let next = left.lock().unwrap().next();
                    let Some((point, visits)) = next else { return };
                    Story::begin(&mut entrepot, &upstream, point).die_at(*visits);
                }
            });
        }
    });
}

/// A repository with one version, which a sync is about to bring the second one.
struct Story<'a> {
    point: &'a str,
    upstream: &'a FakeRegistry,
    /// The repository's name, here and upstream.
    name: String,
    images: Vec<FakeImage>,
    entrepot: &'a mut Entrepot,
    mirror: Mirror,
}

impl<'a> Story<'a> {
    fn begin(entrepot: &'a mut Entrepot, upstream: &'a FakeRegistry, point: &'a str) -> Self {
        let name = point.replace('.', "-");
        // No other story has the same blobs.
        let layers = ["base", "first", "second", "further"].map(|layer| format!("{layer} of {name}"));
        let layers = layers.each_ref().map(String::as_bytes);
        let first = upstream.add_image(&name, &format!("first-{name}"), &layers[..2]);
        upstream.tag(&name, "stable", &first.manifest);
        let fields = json!({"download_concurrency": 1, "max_retries": 0});
        let mirror = entrepot.create_mirror(&name, &upstream.url(), &name, fields);
        assert_eq!(entrepot.sync_to_version(&mirror, false), 1);
        entrepot.kill();
        let second = upstream.add_image(&name, &format!("second-{name}"), &[layers[0], layers[2], layers[3]]);
        upstream.tag(&name, "stable", &second.manifest);
        Self { point, upstream, name, images: vec![first, second], entrepot, mirror }
    }

    fn die_at(self, visits: u32) {
        let visits = format!("{}:{visits}", self.point);
        let task = match self.point {
            "register.inserted" => {
                self.entrepot.launch_again(&[("ENTREPOT_FAIL_AT", &visits)]);
                None
            }
            "reconcile.requeued" => {
                // It takes a death to have something to take over.
                self.entrepot.launch_again(&[("ENTREPOT_FAIL_AT", "sync.begun")]);
                self.entrepot.await_ready();
                let task = self.ask_for_sync();
                self.entrepot.program().wait();
                self.entrepot.launch_again(&[("ENTREPOT_FAIL_AT", &visits)]);
                task
            }
            _ => {
                if self.point == "requeue.updated" {
                    let part = format!("/{0}/manifests/second-{0}", self.name);
                    self.upstream.on("GET", &part).times(1).inject(Fault::status(503));
                }
                self.entrepot.launch_again(&[("ENTREPOT_FAIL_AT", &visits)]);
                self.entrepot.await_ready();
                self.ask_for_sync()
            }
        };
        let status = self.entrepot.program().wait();
        let said = self.entrepot.program().last_output();
        let line = format!("fail point {} reached", self.point);
        assert!(!status.success() && said.contains(&line), "{}: {status}", self.point);

        let arrived = self.blobs_in_place();
        self.entrepot.restart();
        let task = task.or_else(|| self.accepted_unanswered()).or_else(|| self.ask_for_sync()).unwrap();
        self.check(&task, &arrived);
    }

    /// Asks for the sync. `None` when the server dies over it.
    fn ask_for_sync(&self) -> Option<String> {
        let path = format!("{}sync/", self.mirror.repository);
        let answer = self.entrepot.admin().try_send("POST", &path, &json!({"remote": self.mirror.remote}));
        Some(answer.ok()?.expect(202)["task"].as_str().unwrap().to_owned())
    }

    /// The second sync, if it was accepted although the answer did not arrive.
    fn accepted_unanswered(&self) -> Option<String> {
        let repository = &self.mirror.repository;
        let name = "pulp_container.app.tasks.synchronize.synchronize";
        let path = format!("/tasks/?reserved_resources={repository}&name={name}&ordering=-pulp_created");
        let tasks = self.entrepot.api("GET", &path, &Value::Null).expect(200);
        let is_there = tasks["count"] == 2;
        assert_eq!(is_there, self.point == "submit.committed", "{}: {tasks:#}", self.point);
        is_there.then(|| tasks["results"][0]["pulp_href"].as_str().unwrap().to_owned())
    }

    fn blobs(&self) -> impl Iterator<Item = &Digest> {
        self.images.iter().flat_map(|image| image.layers.iter().chain([&image.config]))
    }

    /// The second image's blobs, and the first one's, whose files are in their places; none is there by half.
    fn blobs_in_place(&self) -> Vec<Digest> {
        let mut found = Vec::new();
        for folder in std::fs::read_dir(self.entrepot.data_folder().join("blobs/sha256")).unwrap() {
            for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                let digest = Digest::sha256_of(&std::fs::read(&path).unwrap());
                assert_eq!(digest.hex(), name, "{}: half a blob has a blob's name", self.point);
                if self.blobs().any(|blob| *blob == digest) {
                    found.push(digest);
                }
            }
        }
        found
    }

    fn check(&self, task: &str, arrived: &[Digest]) {
        let (point, entrepot) = (self.point, &*self.entrepot);
        let ended = entrepot.ended(task);
        assert_eq!(ended["state"], "completed", "{point}: {ended:#}");
        let versions = entrepot.read(&format!("{}versions/", self.mirror.repository));
        let numbers: Vec<_> =
            versions["results"].as_array().unwrap().iter().map(|version| &version["number"]).collect();
        assert_eq!(numbers, [2, 1, 0], "{point}");
        let tags: BTreeMap<String, String> = self.upstream.tags(&self.name);
        assert_eq!(entrepot.served_tags(&self.name), tags, "{point}");
        for blob in self.blobs() {
            let pulled = entrepot.pull(&self.name, &format!("blobs/{blob}"));
            assert_eq!(Digest::sha256_of(&pulled.body), *blob, "{point}");
        }
        for blob in arrived {
            let fetched = self.upstream.count("GET", &format!("/{}/blobs/{blob}", self.name));
            assert_eq!(fetched, 1, "{point}: {blob} was there and was fetched again");
        }
        assert_eq!(entrepot.number("SELECT count(*) FROM task_resource WHERE held"), 0, "{point}");
        assert_eq!(entrepot.half_blobs(), 0, "{point}");
    }
}
