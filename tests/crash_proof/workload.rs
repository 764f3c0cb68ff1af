//! What clients and the upstream do meanwhile: a mix of everything that makes tasks, chosen by the seed.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::harness::faults::{FakeRegistry, Fault};
use crate::harness::{API, Answer, Entrepot, Mirror};

const TAGS: usize = 4;
const LARGEST_LAYER: usize = 150_000;

/// The clients, and the upstream that they mirror.
pub struct Workload {
    pub random: StdRng,
    pub upstream: FakeRegistry,
    pub mirrors: Vec<Mirrored>,
    /// Hrefs of tasks that were answered with 202.
    pub accepted: Vec<String>,
    /// Hrefs of tasks that somebody asked to end.
    pub cancel_asked: BTreeSet<String>,
    /// Requests that got no answer, since the server died.
    pub unanswered: usize,
    /// Requests that the server could not do.
    pub failed: usize,
    /// Numbers what has to be unique.
    serial: usize,
    base_layer: Vec<u8>,
}

/// A repository that is mirrored.
#[derive(Clone)]
pub struct Mirrored {
    pub name: String,
    pub hrefs: Mirror,
    distribution: String,
}

impl Workload {
    /// Makes the repositories, here and upstream.
    pub async fn prepare(entrepot: &Entrepot, seed: u64, repositories: usize) -> Self {
        let mut workload = Self {
            random: StdRng::seed_from_u64(seed),
            upstream: FakeRegistry::start().await,
            mirrors: Vec::new(),
            accepted: Vec::new(),
            cancel_asked: BTreeSet::new(),
            unanswered: 0,
            failed: 0,
            serial: 0,
            base_layer: vec![7; LARGEST_LAYER],
        };
        for number in 0..repositories {
            let name = format!("app-{number}");
            for tag in 0..TAGS {
                workload.push(&name, tag);
            }
            let hrefs = entrepot.create_mirror(&name, &workload.upstream.url(), &name, json!({}));
            let path = format!("/distributions/container/container/?name={name}");
            let found = entrepot.api("GET", &path, &json!(null)).expect(200);
            let distribution = found["results"][0]["pulp_href"].as_str().unwrap().to_owned();
            workload.mirrors.push(Mirrored { name, hrefs, distribution });
        }
        workload
    }

    /// Tags move upstream.
    pub fn move_tags(&mut self) {
        for _ in 0..self.mirrors.len() {
            let name = self.some_mirror().name;
            let tag = self.random.random_range(0..TAGS);
            self.push(&name, tag);
        }
    }

    /// Points a tag upstream at an image of its own; every second one comes slowly.
    fn push(&mut self, name: &str, tag: usize) {
        let mut layer = vec![0; self.random.random_range(1..LARGEST_LAYER)];
        self.random.fill(&mut layer[..]);
        let image = self.upstream.add_image(name, &format!("t{tag}"), &[&self.base_layer, &layer]);
        if self.random.random_ratio(1, 2) {
            let drip = Fault::Drip { piece: 4 << 10, every: Duration::from_millis(50) };
            self.upstream.on("GET", image.layers[1].as_str()).inject(drip);
        }
    }

    /// One request, most likely for a task.
    pub fn ask_something(&mut self, entrepot: &Entrepot) {
        self.serial += 1;
        let mirror = self.some_mirror();
        match self.random.random_range(0..100) {
            0..50 => {
                let body = json!({"remote": mirror.hrefs.remote, "mirror": self.random.random_bool(0.5)});
                self.submit(entrepot, "POST", &format!("{}sync/", mirror.hrefs.repository), &body);
            }
            50..60 => {
                let body = json!({"description": format!("change {}", self.serial)});
                self.submit(entrepot, "PATCH", &mirror.hrefs.repository, &body);
            }
            60..70 => {
                let body = json!({"download_concurrency": 1 + self.serial % 5});
                self.submit(entrepot, "PATCH", &mirror.hrefs.remote, &body);
            }
            70..78 => {
                let body = json!({"pulp_labels": {"change": self.serial.to_string()}});
                self.submit(entrepot, "PATCH", &mirror.distribution, &body);
            }
            78..86 => self.sync_and_delete(entrepot, &mirror),
            86..94 => self.delete_version(entrepot, &mirror),
            _ => self.cancel(entrepot),
        }
    }

    /// A repository is filled and at once deleted: in the other order the sync would fail.
    fn sync_and_delete(&mut self, entrepot: &Entrepot, mirror: &Mirrored) {
        let body = json!({"name": format!("short-lived-{}", self.serial)});
        let path = format!("{API}/repositories/container/container/");
        let Some(made) = self.ask(entrepot, "POST", &path, &body) else { return };
        let repository = made.expect(201)["pulp_href"].as_str().unwrap().to_owned();
        let body = json!({"remote": mirror.hrefs.remote});
        self.submit(entrepot, "POST", &format!("{repository}sync/"), &body);
        self.submit(entrepot, "DELETE", &repository, &json!(null));
    }

    fn delete_version(&mut self, entrepot: &Entrepot, mirror: &Mirrored) {
        let path = format!("{}versions/", mirror.hrefs.repository);
        let Some(found) = self.ask(entrepot, "GET", &path, &json!(null)) else { return };
        let versions = found.expect(200)["results"].as_array().unwrap().clone();
        if let Some(version) = versions.choose(&mut self.random) {
            self.submit(entrepot, "DELETE", version["pulp_href"].as_str().unwrap(), &json!(null));
        }
    }

    fn cancel(&mut self, entrepot: &Entrepot) {
        // The last ones have most likely not ended yet.
        let recent = &self.accepted[self.accepted.len().saturating_sub(10)..];
        let Some(task) = recent.choose(&mut self.random).cloned() else { return };
        self.cancel_asked.insert(task.clone());
        self.ask(entrepot, "PATCH", &task, &json!({"state": "canceled"}));
    }

    /// Whether a task is accepted is the server's to say: what has to end well is what it accepted.
    fn submit(&mut self, entrepot: &Entrepot, method: &str, path: &str, body: &Value) {
        let Some(answer) = self.ask(entrepot, method, path, body) else { return };
        match answer.status {
            202 => self.accepted.push(answer.json()["task"].as_str().unwrap().to_owned()),
            // Nothing to change, or not possible at the moment.
            200 | 400 | 404 | 409 => {}
            status => panic!("{method} {path} {body}: {status} {}", answer.text()),
        }
    }

    fn ask(&mut self, entrepot: &Entrepot, method: &str, path: &str, body: &Value) -> Option<Answer> {
        match entrepot.admin().try_send(method, path, body) {
            Ok(answer) if answer.status < 500 => return Some(answer),
            Ok(_) => self.failed += 1,
            Err(_) => self.unanswered += 1,
        }
        None
    }

    fn some_mirror(&mut self) -> Mirrored {
        self.mirrors.choose(&mut self.random).unwrap().clone()
    }
}
