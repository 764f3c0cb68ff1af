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

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use registry::{Digest, MediaType};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// What goes wrong with an answer. Several can be injected into the same request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This answer instead of the real one. `Content-Length` is set unless given.
    Answer {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
    },
    /// The connection closes before a byte of the answer.
    CutBeforeAnswer,
    /// The connection closes after so many bytes of the body, of which all were announced.
    CutAfter(usize),
    /// A header is set to another value: a wrong `Docker-Content-Digest`, a `Content-Range` that lies.
    Header(&'static str, String),
    /// A header is left out.
    WithoutHeader(&'static str),
    /// The first byte of the body is another one.
    WrongBytes,
    /// `Content-Length` is so much more than there is; then the connection closes.
    LengthLie(usize),
    /// No `Content-Length`: the body ends where the connection closes.
    NoLength,
    /// No `Content-Length`: the body is sent in one HTTP chunk.
    Chunked,
    /// The body comes in pieces of so many bytes, with a pause after each.
    Drip {
        /// Bytes at a time.
        piece: usize,
        /// The pause.
        every: Duration,
    },
    /// The body stops after so many bytes until the test calls `notify_one`.
    Hold {
        /// Bytes that come first.
        after: usize,
        /// What to wait for.
        until: Arc<Notify>,
    },
    /// `Range` is ignored: the whole is sent with status 200.
    IgnoreRange,
}

impl Fault {
    /// An answer with a status, no headers and no body.
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// As [`Fault::status`], with one header: `Fault::status_with(429, "Retry-After", "1")`.
    pub fn status_with(status: u16, header: &str, value: &str) -> Self {
        Self::Answer { status, headers: vec![(header.into(), value.into())], body: Bytes::new() }
    }

    /// A temporary redirect.
    pub fn redirect(location: &str) -> Self {
        Self::status_with(307, "Location", location)
    }

    /// Status 200 with this body.
    pub fn body(body: impl Into<Bytes>) -> Self {
        Self::Answer { status: 200, headers: Vec::new(), body: body.into() }
    }
}

/// How a [`FakeRegistry`] makes and checks bearer tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// User name and password that the token endpoint asks for; `None` gives tokens to anybody.
    pub credentials: Option<(String, String)>,
    /// How often a token works before it is answered with 401; `None` is always.
    pub uses: Option<u32>,
    /// `expires_in` of the token answer.
    pub expires_in: Option<u64>,
    /// The field of the token answer: `token` or `access_token`.
    pub field: &'static str,
    /// The realm of the challenge; `None` is this registry's own `/token`.
    pub realm: Option<String>,
    /// Whether the challenge names the scope.
    pub names_scope: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            credentials: None,
            uses: None,
            expires_in: None,
            field: "token",
            realm: None,
            names_scope: true,
        }
    }
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `GET`, `HEAD`…
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The status that it was answered with; 0 if the connection was cut before.
    pub status: u16,
}

impl Recorded {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What [`FakeRegistry::add_image`] made.
#[derive(Debug, Clone)]
pub struct FakeImage {
    /// Digest of the manifest.
    pub manifest: Digest,
    /// The manifest's bytes.
    pub manifest_bytes: Bytes,
    /// Digest of the configuration.
    pub config: Digest,
    /// Digests of the layers.
    pub layers: Vec<Digest>,
}

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
                connections.spawn(serve(stream, Arc::clone(&shared)));
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

    fn repository<T>(&self, name: &str, change: impl FnOnce(&mut Repository) -> T) {
        change(lock(&self.state).repositories.entry(name.to_owned()).or_default());
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

/// The answer before faults.
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Reply {
    fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    fn refuse(status: u16, code: &str) -> Self {
        let body = json!({"errors": [{"code": code, "message": format!("this is {code}")}]}).to_string();
        Self::new(status, body).with("Content-Type", "application/json")
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The part that `Range` asks for (only `bytes=first-` and `bytes=first-last`).
    fn part(self, range: Option<&str>) -> Self {
        let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        else {
            return self;
        };
        let (total, first) = (self.body.len(), first.parse::<usize>().expect("a number"));
        if first >= total {
            return Self::refuse(416, "RANGE").with("Content-Range", format!("bytes */{total}"));
        }
        let end = last.parse::<usize>().map_or(total, |last| (last + 1).min(total));
        let body = self.body.slice(first..end);
        let range = format!("bytes {first}-{}/{total}", end - 1);
        Self { status: 206, body, ..self }.with("Content-Range", range)
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream).await {
        let (reply, faults) = {
            let mut state = lock(&state);
            state.busy += 1;
            state.busiest = state.busiest.max(state.busy);
            answer(&mut state, &request)
        };
        let is_open = send(stream.get_mut(), &request.method, reply, &faults).await;
        lock(&state).busy -= 1;
        if is_open.is_none() {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Recorded> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = (lines[1..].iter().filter_map(|line| line.split_once(':')))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Recorded { method, path, headers, status: 0 })
}

/// Decides the answer and its faults, and records the request.
fn answer(state: &mut State, request: &Recorded) -> (Reply, Vec<Fault>) {
    let refused = check_credentials(state, request);
    let mut faults = Vec::new();
    if refused.is_none() {
        for rule in &mut state.rules {
            if is_meant(&rule.method, &rule.part, &request.method, &request.path) {
                rule.seen += 1;
                if rule.seen >= rule.nth && rule.seen - rule.nth < rule.times {
                    faults.push(rule.fault.clone());
                }
            }
        }
    }
    let mut reply = refused.unwrap_or_else(|| route(state, request));
    if !faults.iter().any(|fault| matches!(fault, Fault::IgnoreRange)) && reply.status == 200 {
        reply = reply.part(request.header("range"));
    }
    for fault in &faults {
        match fault {
            Fault::Answer { status, headers, body } => {
                reply = Reply { status: *status, headers: headers.clone(), body: body.clone() };
            }
            Fault::Header(name, value) => reply = reply.with(name, value),
            Fault::WithoutHeader(name) => {
                reply.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            }
            Fault::WrongBytes => {
                let mut bytes = reply.body.to_vec();
                if let Some(first) = bytes.first_mut() {
                    *first ^= 1;
                }
                reply.body = bytes.into();
            }
            _ => {}
        }
    }
    let is_cut = faults.iter().any(|fault| matches!(fault, Fault::CutBeforeAnswer));
    state.requests.push(Recorded { status: if is_cut { 0 } else { reply.status }, ..request.clone() });
    (reply, faults)
}

/// The 401 that a request gets, if it does.
fn check_credentials(state: &mut State, request: &Recorded) -> Option<Reply> {
    let path = &request.path[request.path.find("/v2/")?..];
    let given = request.header("authorization").unwrap_or_default();
    if let Some(expected) = &state.basic {
        let refused = || Reply::refuse(401, "UNAUTHORIZED").with("WWW-Authenticate", "Basic realm=\"fake\"");
        return (given != expected).then(refused);
    }
    let tokens = state.tokens.clone()?;
    match state.issued.get_mut(given.strip_prefix("Bearer ").unwrap_or_default()) {
        Some(None) => return None,
        Some(Some(uses)) if *uses > 0 => {
            *uses -= 1;
            return None;
        }
        _ => {}
    }
    let realm = tokens.realm.unwrap_or_else(|| format!("{}/token", state.origin));
    let name = ["/manifests/", "/blobs/", "/tags/"].iter().find_map(|part| path[4..].split_once(part));
    let scope = match name {
        Some((name, _)) if tokens.names_scope => format!(",scope=\"repository:{name}:pull\""),
        _ => String::new(),
    };
    let challenge = format!("Bearer realm=\"{realm}\",service=\"fake\"{scope}");
    Some(Reply::refuse(401, "UNAUTHORIZED").with("WWW-Authenticate", challenge))
}

fn route(state: &mut State, request: &Recorded) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    if path == "/token" {
        return make_token(state, request);
    }
    if let Some(bytes) = state.files.get(path) {
        return Reply::new(200, bytes.clone());
    }
    let Some((_, tail)) = path.split_once("/v2/") else { return Reply::refuse(404, "UNKNOWN") };
    let parts: Vec<&str> = tail.rsplitn(3, '/').collect();
    let [last, kind, name] = parts[..] else { return Reply::new(200, "{}") };
    let Some(repository) = state.repositories.get(name) else { return Reply::refuse(404, "NAME_UNKNOWN") };
    match (kind, last) {
        ("tags", "list") => list_tags(name, repository, query, state.page_size),
        ("manifests", reference) => {
            let digest = repository.tags.get(reference).cloned().or_else(|| reference.parse().ok());
            let found = digest.and_then(|digest| repository.manifests.get_key_value(&digest));
            let Some((digest, (media_type, bytes))) = found else {
                return Reply::refuse(404, "MANIFEST_UNKNOWN");
            };
            Reply::new(200, bytes.clone())
                .with("Content-Type", media_type)
                .with("Docker-Content-Digest", digest.as_str())
        }
        ("blobs", digest) => {
            let found = digest.parse().ok().and_then(|digest: Digest| repository.blobs.get(&digest));
            let Some(bytes) = found else { return Reply::refuse(404, "BLOB_UNKNOWN") };
            Reply::new(200, bytes.clone()).with("Docker-Content-Digest", digest)
        }
        _ => Reply::refuse(404, "UNKNOWN"),
    }
}

fn list_tags(name: &str, repository: &Repository, query: &str, page_size: Option<usize>) -> Reply {
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let asked = parameter("n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
    let size = asked.min(page_size.unwrap_or(usize::MAX));
    let after = parameter("last").unwrap_or_default();
    let rest: Vec<&String> = repository.tags.keys().filter(|tag| tag.as_str() > after).collect();
    let page = &rest[..rest.len().min(size)];
    let reply = Reply::new(200, json!({"name": name, "tags": page}).to_string());
    match page.last() {
        Some(last) if page.len() < rest.len() => {
            reply.with("Link", format!("</v2/{name}/tags/list?last={last}&n={size}>; rel=\"next\""))
        }
        _ => reply,
    }
}

fn make_token(state: &mut State, request: &Recorded) -> Reply {
    let tokens = state.tokens.clone().unwrap_or_default();
    if let Some((username, password)) = &tokens.credentials
        && request.header("authorization") != Some(basic(username, password).as_str())
    {
        return Reply::new(401, json!({"details": "incorrect username or password"}).to_string());
    }
    state.made += 1;
    let token = format!("token-{}", state.made);
    state.issued.insert(token.clone(), tokens.uses);
    let mut body = json!({ tokens.field: token });
    if let Some(seconds) = tokens.expires_in {
        body["expires_in"] = seconds.into();
    }
    Reply::new(200, body.to_string())
}

/// Sends an answer with the faults of transport. `None` when the connection has to close.
async fn send(stream: &mut TcpStream, method: &str, reply: Reply, faults: &[Fault]) -> Option<()> {
    let Reply { status, headers, body } = reply;
    let (mut length, mut frame, mut cut, mut is_last) = (Some(body.len()), false, None, false);
    for fault in faults {
        match fault {
            Fault::CutBeforeAnswer => return None,
            Fault::CutAfter(bytes) => cut = Some(*bytes),
            Fault::LengthLie(more) => (length, is_last) = (Some(body.len() + more), true),
            Fault::NoLength => (length, is_last) = (None, true),
            Fault::Chunked => (length, frame) = (None, true),
            _ => {}
        }
    }
    let mut head = format!("HTTP/1.1 {status} Fake\r\n");
    for (name, value) in &headers {
        head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
    }
    match length {
        Some(length) if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) => {
            head.push_str("Content-Length: ");
            head.push_str(&length.to_string());
            head.push_str("\r\n");
        }
        None if frame => head += "Transfer-Encoding: chunked\r\n",
        _ => {}
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.ok()?;
    if method == "HEAD" {
        return Some(());
    }
    if frame && !body.is_empty() {
        stream.write_all(format!("{:x}\r\n", body.len()).as_bytes()).await.ok()?;
    }
    write_body(stream, &body[..cut.unwrap_or(body.len()).min(body.len())], faults).await?;
    if cut.is_none() && frame {
        stream.write_all(if body.is_empty() { b"0\r\n\r\n" } else { b"\r\n0\r\n\r\n" }).await.ok()?;
    }
    stream.flush().await.ok()?;
    (cut.is_none() && !is_last).then_some(())
}

async fn write_body(stream: &mut TcpStream, body: &[u8], faults: &[Fault]) -> Option<()> {
    for fault in faults {
        match fault {
            Fault::Drip { piece, every } => {
                for bytes in body.chunks(*piece) {
                    stream.write_all(bytes).await.ok()?;
                    tokio::time::sleep(*every).await;
                }
                return Some(());
            }
            Fault::Hold { after, until } => {
                let (now, later) = body.split_at((*after).min(body.len()));
                stream.write_all(now).await.ok()?;
                until.notified().await;
                return stream.write_all(later).await.ok();
            }
            _ => {}
        }
    }
    stream.write_all(body).await.ok()
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
