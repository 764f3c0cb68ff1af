//! What the registry answers when nothing goes wrong, and which faults are meant for a request.

use bytes::Bytes;
use registry::Digest;
use serde_json::json;

use super::{Fault, Recorded, Repository, State, basic, is_meant};

/// The answer before faults.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
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

/// Decides the answer and its faults, and records the request.
pub(super) fn answer(state: &mut State, request: &Recorded) -> (Reply, Vec<Fault>) {
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
    let name = ["/manifests/", "/blobs/", "/tags/", "/referrers/"]
        .iter()
        .find_map(|part| path[4..].split_once(part));
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
    if kind == "referrers" && !state.lists_referrers {
        return Reply::refuse(404, "UNKNOWN");
    }
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
        ("referrers", subject) => {
            let refers = |bytes: &Bytes| {
                let document: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
                document["subject"]["digest"] == subject
            };
            let found = repository.manifests.iter().filter(|(_, (_, bytes))| refers(bytes));
            let index = index_of(found.map(|(digest, _)| digest.to_string()));
            Reply::new(200, index).with("Content-Type", "application/vnd.oci.image.index.v1+json")
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

/// An index that lists manifests.
pub(super) fn index_of(digests: impl Iterator<Item = String>) -> String {
    let manifests: Vec<_> = digests
        .map(|digest| json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 7}))
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    })
    .to_string()
}
