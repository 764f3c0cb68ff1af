//! Upstreams that do wrong: what is transient is overcome; what is not fails with URL and cause, publishes nothing,
//! and is mended by the next try.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::faults::{FakeImage, FakeRegistry, Fault, Tokens};
use crate::harness::{Database, Entrepot, Mirror, error_of, on_both_databases};

on_both_databases!(
    tokens_that_expire_are_renewed,
    a_cut_blob_goes_on_where_it_stopped,
    a_failure_publishes_nothing
);

const NAME: &str = "library/app";

/// A mirror of one image, `good`, and an upstream that has got another one since, `bad`.
struct Scene {
    fake: FakeRegistry,
    entrepot: Entrepot,
    mirror: Mirror,
    bad: FakeImage,
}

impl Scene {
    async fn new(database: Database, mut fields: Value) -> Self {
        let fake = FakeRegistry::start().await;
        fake.add_image(NAME, "good", &[b"good layer"]);
        let entrepot = Entrepot::start(database);
        // No retries within a request unless a test is about them: the task's own are enough waiting.
        if fields.get("max_retries").is_none() {
            fields["max_retries"] = json!(0);
        }
        let mirror = entrepot.create_mirror("app", &fake.url(), NAME, fields);
        assert_eq!(entrepot.sync_to_version(&mirror, false), 1);
        let bad = fake.add_image(NAME, "bad", &[&large(), b"bad layer"]);
        fake.forget_requests();
        Self { fake, entrepot, mirror, bad }
    }

    /// Asserts that a sync fails so, that the description names the URL, and that `good` alone stays served.
    fn fails(&self, reason: &str, path: &str, cause: &str) {
        let task = self.entrepot.sync(&self.mirror, false);
        let (found, description) = error_of(&task);
        assert_eq!(found, reason, "{description}");
        let url = format!("{}/v2/{NAME}/{path}", self.fake.url());
        assert!(description.contains(&url) && description.contains(cause), "{description}");
        assert_eq!(self.entrepot.latest_version(&self.mirror)["number"], 1);
        assert_eq!(self.entrepot.served_tags("app").into_keys().collect::<Vec<_>>(), ["good"]);
    }

    /// Asserts that a sync brings everything.
    fn succeeds(&self) {
        assert_eq!(self.entrepot.sync_to_version(&self.mirror, false), 2);
        let pulled = self.entrepot.pull("app", &format!("blobs/{}", self.bad.layers[0]));
        assert_eq!((pulled.status, pulled.body), (200, large()));
    }

    fn blob(&self) -> String {
        format!("blobs/{}", self.bad.layers[0])
    }
}

/// A layer of some pieces, of which no two are alike.
fn large() -> Vec<u8> {
    (0..500_000_u32).flat_map(u32::to_le_bytes).collect()
}

async fn tokens_that_expire_are_renewed(database: Database) {
    // One request at a time: of several that share a token, more than its two uses could be refused, again and again.
    let scene = Scene::new(database, json!({"download_concurrency": 1})).await;
    scene.fake.require_tokens(Tokens { uses: Some(2), field: "access_token", ..Tokens::default() });
    scene.succeeds();
    let tokens = scene.fake.count("GET", "/token");
    assert!(tokens > 1, "{tokens} tokens");
}

async fn a_cut_blob_goes_on_where_it_stopped(database: Database) {
    let scene = Scene::new(database, json!({"max_retries": 3})).await;
    scene.fake.on("GET", &scene.blob()).times(1).inject(Fault::CutAfter(900_000));
    scene.succeeds();
    let requests = scene.fake.requests();
    let ranges: Vec<_> = requests
        .iter()
        .filter(|request| request.path.ends_with(&scene.blob()))
        .map(|request| request.header("range").unwrap_or("whole"))
        .collect();
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    assert_eq!(ranges[0], "whole");
    let from: u32 = ranges[1].trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    assert!(0 < from && from <= 900_000, "{ranges:?}");
}

async fn a_failure_publishes_nothing(database: Database) {
    let scene = Scene::new(database, json!({})).await;
    let blob = scene.blob();
    let manifest = format!("manifests/{}", scene.bad.manifest);

    scene.fake.on("GET", &blob).inject(Fault::WrongBytes);
    scene.fails("upstream.digest_mismatch", &blob, "sent something else: the content has the digest");
    scene.fake.heal();

    let half = scene.bad.manifest_bytes.slice(..scene.bad.manifest_bytes.len() / 2);
    scene.fake.on("GET", "/manifests/").inject(Fault::body(half));
    scene.fails("manifest.invalid", "manifests/", "EOF while parsing a string");
    scene.fake.heal();

    let loops = format!("{}/v2/{NAME}/{manifest}", scene.fake.url());
    scene.fake.on("GET", "/manifests/").inject(Fault::redirect(&loops));
    scene.fails("upstream.redirect", "manifests/", "redirects in a loop");
    scene.fake.heal();

    scene.fake.on("GET", &blob).inject(Fault::status(404));
    scene.fails("upstream.not_found", &blob, "was not found (404)");
    scene.fake.heal();

    scene.fake.on("GET", &blob).inject(Fault::status(403));
    scene.fails("upstream.forbidden", &blob, "forbids access (403)");
    scene.fake.heal();

    scene.succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_waited_for() {
    let scene = Scene::new(Database::Sqlite, json!({"max_retries": 3})).await;
    scene.fake.on("GET", &scene.blob()).times(1).inject(Fault::status_with(429, "Retry-After", "2"));
    let started = Instant::now();
    scene.succeeds();
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(scene.fake.count("GET", &scene.blob()), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn server_errors_are_tried_again_but_not_for_ever() {
    let scene = Scene::new(Database::Sqlite, json!({"max_retries": 2})).await;
    scene.fake.on("GET", &scene.blob()).times(2).inject(Fault::status(500));
    scene.succeeds();
    assert_eq!(scene.fake.count("GET", &scene.blob()), 3);

    let other = scene.fake.add_image(NAME, "other", &[b"other layer"]);
    let path = format!("blobs/{}", other.layers[0]);
    scene.fake.on("GET", &path).inject(Fault::status(500));
    let (reason, description) = scene.entrepot.sync_fails(&scene.mirror);
    assert_eq!(reason, "upstream.status");
    let expected = format!("{}/v2/{NAME}/{path} answered with status 500", scene.fake.url());
    assert!(description.starts_with(&expected), "{description}");
    assert_eq!(scene.entrepot.latest_version(&scene.mirror)["number"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_drip_ends() {
    let scene = Scene::new(Database::Sqlite, json!({"sock_read_timeout": 1})).await;
    scene.fake.on("GET", "/tags/list").inject(Fault::Drip { piece: 1, every: Duration::from_millis(1500) });
    scene.fails("upstream.timeout", "tags/list", "took longer than 1 s");
    scene.fake.heal();
    scene.succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_breaks_off_is_asked_for_again() {
    let scene = Scene::new(Database::Sqlite, json!({"max_retries": 1})).await;
    scene.fake.on("GET", "/manifests/").times(1).inject(Fault::CutAfter(100));
    scene.succeeds();
    scene.fake.add_image(NAME, "other", &[b"other layer"]);
    scene.fake.on("GET", "/manifests/").inject(Fault::CutAfter(100));
    let (reason, description) = scene.entrepot.sync_fails(&scene.mirror);
    assert!(reason.starts_with("upstream."), "{reason}");
    let url = format!("{}/v2/{NAME}/manifests/", scene.fake.url());
    assert!(description.contains(&url) && description.contains("100 of"), "{description}");
    assert_eq!(scene.entrepot.latest_version(&scene.mirror)["number"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_lies_is_found_out() {
    let scene = Scene::new(Database::Sqlite, json!({})).await;
    scene.fake.on("GET", &scene.blob()).inject(Fault::LengthLie(1000));
    let (reason, description) = scene.entrepot.sync_fails(&scene.mirror);
    assert!(reason.starts_with("upstream."), "{reason}");
    assert!(description.contains(&scene.blob()), "{description}");
    assert_eq!(scene.entrepot.latest_version(&scene.mirror)["number"], 1);
    scene.fake.heal();
    scene.succeeds();
}
