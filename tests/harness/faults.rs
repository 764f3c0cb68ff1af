//! A registry that does wrong on demand.
//!
//! [`FakeRegistry`] serves repositories from memory over plain HTTP/1.1 on a loopback port, records every
//! request, can ask for tokens or Basic credentials, and injects [`Fault`]s into chosen requests:
//!
//! ```ignore
//! let fake = FakeRegistry::start().await;
//! let image = fake.add_image("library/alpine", "3.20", &[b"layer one", b"layer two"]);
//! // The second and third GET of a blob break off after 4 bytes of the body.
//! fake.on("GET", "/blobs/").nth(2).times(2).inject(Fault::CutAfter(4));
//! // … point a remote at fake.url(), sync …
//! assert_eq!(fake.count("GET", &format!("/blobs/{}", image.layers[0])), 2);
//! ```
//!
//! Faults touch only requests that passed authentication; those answered with 401 are recorded, not counted.
//! Everything stops when the `FakeRegistry` is dropped.

#![allow(dead_code, reason = "each test crate that includes this file uses another part of it")]

#[path = "faults/answers.rs"]
mod answers;
#[path = "faults/model.rs"]
mod model;
#[path = "faults/wire.rs"]
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use registry::{Digest, MediaType};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub use model::{FakeImage, Fault, Recorded, Tokens};

#[derive(Default)]
struct Repository {
    manifests: HashMap<Digest, (String, Bytes)>,
    tags: BTreeMap<String, Digest>,
    blobs: HashMap<Digest, Bytes>,
}

struct Rule {
    method: String,
    part: String,
    nth: usize,
    times: usize,
    seen: usize,
    fault: Fault,
}

#[derive(Default)]
struct State {
    origin: String,
    repositories: HashMap<String, Repository>,
    files: HashMap<String, Bytes>,
    page_size: Option<usize>,
    lists_referrers: bool,
    basic: Option<String>,
    tokens: Option<Tokens>,
    /// Token → uses left.
    issued: HashMap<String, Option<u32>>,
    /// How many tokens were made.
    made: usize,
    rules: Vec<Rule>,
    requests: Vec<Recorded>,
    busy: usize,
    busiest: usize,
}

/// See the module.
pub struct FakeRegistry {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeRegistry {
    /// Starts an empty registry on a free loopback port.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State { origin: format!("http://{address}"), ..State::default() }));
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            // Dropped with this task, and every connection with it.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(wire::serve(stream, Arc::clone(&shared)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, state, server }
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a blob to a repository, which is made if it is new.
    pub fn add_blob(&self, repository: &str, bytes: impl Into<Bytes>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::sha256_of(&bytes);
        self.repository(repository, |found| found.blobs.insert(digest.clone(), bytes));
        digest
    }

    /// Takes a blob away.
    pub fn remove_blob(&self, repository: &str, digest: &Digest) {
        self.repository(repository, |found| found.blobs.remove(digest));
    }

    /// Adds a manifest of any type, without a tag.
    pub fn add_manifest(&self, repository: &str, media_type: &str, bytes: impl Into<Bytes>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::sha256_of(&bytes);
        self.repository(repository, |found| {
            found.manifests.insert(digest.clone(), (media_type.to_owned(), bytes));
        });
        digest
    }

    /// Points a tag at a manifest; a tag that is there moves.
    pub fn tag(&self, repository: &str, tag: &str, manifest: &Digest) {
        self.repository(repository, |found| found.tags.insert(tag.to_owned(), manifest.clone()));
    }

    /// Deletes a tag, not its manifest.
    pub fn untag(&self, repository: &str, tag: &str) {
        self.repository(repository, |found| found.tags.remove(tag));
    }

    /// The tags of a repository, and the digests of their manifests.
    pub fn tags(&self, repository: &str) -> BTreeMap<String, String> {
        self.repository(repository, |found| {
            found.tags.iter().map(|(tag, digest)| (tag.clone(), digest.to_string())).collect()
        })
    }

    /// Adds an OCI image: its layers, a configuration that names the tag, its manifest, and the tag.
    pub fn add_image(&self, repository: &str, tag: &str, layers: &[&[u8]]) -> FakeImage {
        let config_bytes =
            json!({"architecture": "amd64", "os": "linux", "config": {"Labels": {"tag": tag}}}).to_string();
        let describe = |media_type: &str, digest: &Digest, size: usize| json!({"mediaType": media_type, "digest": digest.as_str(), "size": size});
        let size = config_bytes.len();
        let config = self.add_blob(repository, config_bytes);
        let layer_digests: Vec<Digest> =
            layers.iter().map(|layer| self.add_blob(repository, layer.to_vec())).collect();
        let descriptors: Vec<_> = layer_digests
            .iter()
            .zip(layers)
            .map(|(digest, layer)| describe(MediaType::OCI_LAYER_GZIP, digest, layer.len()))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": describe(MediaType::OCI_CONFIG, &config, size),
            "layers": descriptors,
        });
        let manifest_bytes = Bytes::from(manifest.to_string());
        let manifest = self.add_manifest(repository, MediaType::OCI_MANIFEST, manifest_bytes.clone());
        self.tag(repository, tag, &manifest);
        FakeImage { manifest, manifest_bytes, config, layers: layer_digests }
    }

    /// Adds an OCI index over images of the same repository (for the platforms linux/v0, linux/v1…), and its tag.
    pub fn add_index(&self, repository: &str, tag: &str, images: &[&FakeImage]) -> Digest {
        let manifests: Vec<_> = (images.iter().enumerate())
            .map(|(at, image)| {
                json!({
                    "mediaType": MediaType::OCI_MANIFEST,
                    "digest": image.manifest.as_str(),
                    "size": image.manifest_bytes.len(),
                    "platform": {"os": "linux", "architecture": format!("v{at}")},
                })
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": manifests});
        let digest = self.add_manifest(repository, MediaType::OCI_INDEX, index.to_string());
        self.tag(repository, tag, &digest);
        digest
    }

    /// Serves bytes at any path (with `Range`, without authentication): the target of a redirect.
    pub fn add_file(&self, path: &str, bytes: impl Into<Bytes>) {
        lock(&self.state).files.insert(path.to_owned(), bytes.into());
    }

    /// Lists referrers, as the specification of 2024 has it; without this, the path is unknown.
    pub fn list_referrers(&self) {
        lock(&self.state).lists_referrers = true;
    }

    /// Adds an artifact of one layer about another manifest, without a tag; gives its manifest's digest.
    pub fn add_referrer(&self, repository: &str, subject: &Digest, layer: &[u8]) -> Digest {
        let config = self.add_blob(repository, &b"{}"[..]);
        let blob = self.add_blob(repository, layer.to_vec());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "artifactType": "application/vnd.example.signature",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
            "layers": [{"mediaType": "application/octet-stream", "digest": blob, "size": layer.len()}],
            "subject": {"mediaType": MediaType::OCI_MANIFEST, "digest": subject, "size": 7},
        });
        self.add_manifest(repository, MediaType::OCI_MANIFEST, manifest.to_string())
    }

    /// Points the tag of the referrers tag schema at an index of what refers to `subject`.
    pub fn tag_referrers(&self, repository: &str, subject: &Digest, referrers: &[&Digest]) {
        let index = answers::index_of(referrers.iter().map(ToString::to_string));
        let index = self.add_manifest(repository, MediaType::OCI_INDEX, index);
        self.tag(repository, &format!("sha256-{}", subject.hex()), &index);
    }

    /// At most so many tags a page, with `Link` to the next.
    pub fn set_page_size(&self, tags: usize) {
        lock(&self.state).page_size = Some(tags);
    }

    /// Asks for Basic credentials.
    pub fn require_basic(&self, username: &str, password: &str) {
        lock(&self.state).basic = Some(basic(username, password));
    }

    /// Asks for bearer tokens.
    pub fn require_tokens(&self, tokens: Tokens) {
        lock(&self.state).tokens = Some(tokens);
    }

    /// Accepts a token that another server made.
    pub fn accept_token(&self, token: &str) {
        lock(&self.state).issued.insert(token.to_owned(), None);
    }

    /// Makes every token that was given out invalid.
    pub fn revoke_tokens(&self) {
        lock(&self.state).issued.clear();
    }

    /// Starts a rule for requests by `method` (`*` is any) whose path and query contain `part`. Without
    /// [`RuleBuilder::nth`] and [`RuleBuilder::times`] it holds for all of them.
    pub fn on(&self, method: &str, part: &str) -> RuleBuilder<'_> {
        RuleBuilder {
            fake: self,
            method: method.to_owned(),
            part: part.to_owned(),
            nth: 1,
            times: usize::MAX,
        }
    }

    /// Ends all rules.
    pub fn heal(&self) {
        lock(&self.state).rules.clear();
    }

    /// Every request so far, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.state).requests.clone()
    }

    /// How many requests by `method` (`*` is any) had `part` in their path or query.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let state = lock(&self.state);
        state.requests.iter().filter(|request| is_meant(method, part, &request.method, &request.path)).count()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        lock(&self.state).requests.clear();
    }

    /// The most requests that were being answered at the same time.
    pub fn busiest(&self) -> usize {
        lock(&self.state).busiest
    }

    fn repository<T>(&self, name: &str, look: impl FnOnce(&mut Repository) -> T) -> T {
        look(lock(&self.state).repositories.entry(name.to_owned()).or_default())
    }
}

/// Chooses the requests that a fault is injected into.
pub struct RuleBuilder<'a> {
    fake: &'a FakeRegistry,
    method: String,
    part: String,
    nth: usize,
    times: usize,
}

impl RuleBuilder<'_> {
    /// Only from the `nth` matching request on, counted from now; the next is 1. Alone it means that one request.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.nth = nth;
        self.times = 1;
        self
    }

    /// Only for so many requests.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Injects the fault.
    pub fn inject(self, fault: Fault) {
        let Self { fake, method, part, nth, times } = self;
        lock(&fake.state).rules.push(Rule { method, part, nth, times, seen: 0, fault });
    }
}

fn is_meant(wanted: &str, part: &str, method: &str, path: &str) -> bool {
    (wanted == "*" || wanted == method) && path.contains(part)
}

/// The value of `Authorization` for Basic credentials (RFC 7617; base64 as in RFC 4648, 4).
pub fn basic(username: &str, password: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "Basic ".to_owned();
    for three in format!("{username}:{password}").as_bytes().chunks(3) {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - three.len()));
        for at in 0..4 {
            let letter = char::from(ALPHABET[bits >> (18 - 6 * at) & 63]);
            text.push(if at <= three.len() { letter } else { '=' });
        }
    }
    text
}
