//! Whether every version is whole: all that it holds is pulled as clients pull it.

use std::collections::{BTreeSet, HashSet};

use registry::Digest;
use serde_json::{Value, json};

use super::invariants::Violations;
use crate::harness::{Client, Entrepot};

/// A distribution that serves one version after the other.
const LOUPE: &str = "loupe";

/// Pulls every version of every repository; tells how much that was.
pub fn check(entrepot: &Entrepot, violations: &mut Violations) -> String {
    let loupe = entrepot.create_distribution(&json!({"name": LOUPE, "base_path": LOUPE}));
    let puller = entrepot.puller(&entrepot.anonymous(), LOUPE);
    let mut inspection = Inspection { entrepot, puller, pulled: HashSet::new(), violations };
    let mut versions = 0;
    for repository in list(entrepot, "/repositories/container/container/?limit=1000") {
        let repository = repository["pulp_href"].as_str().unwrap();
        let found = entrepot.read(&format!("{repository}versions/?limit=1000"));
        for version in found["results"].as_array().unwrap() {
            let body = json!({"repository_version": version["pulp_href"]});
            entrepot.completed(&entrepot.admin().send("PATCH", &loupe, &body));
            inspection.look_at(version);
            versions += 1;
        }
    }
    entrepot.completed(&entrepot.admin().send("DELETE", &loupe, &json!(null)));
    format!("{versions} versions of {} manifests and blobs", inspection.pulled.len())
}

struct Inspection<'a> {
    entrepot: &'a Entrepot,
    puller: Client,
    /// What was pulled and hashed before needs only to be there.
    pulled: HashSet<String>,
    violations: &'a mut Violations,
}

impl Inspection<'_> {
    fn look_at(&mut self, version: &Value) {
        let href = version["pulp_href"].as_str().unwrap();
        let of_version = |kind: &str| {
            list(self.entrepot, &format!("/content/container/{kind}/?repository_version={href}&limit=1000"))
        };
        let (manifests, blobs) = (of_version("manifests"), of_version("blobs"));
        let digests = |content: &[Value]| -> BTreeSet<String> {
            content.iter().map(|content| content["digest"].as_str().unwrap().to_owned()).collect()
        };
        let (manifests, blobs) = (digests(&manifests), digests(&blobs));
        let mut needed = BTreeSet::new();
        for digest in &manifests {
            let Some(body) = self.pull(href, "manifests", digest) else { continue };
            let manifest: Value = serde_json::from_slice(&body).unwrap();
            let layers = manifest["layers"].as_array().into_iter().flatten();
            let parts = layers.chain([&manifest["config"]]);
            needed.extend(parts.map(|part| part["digest"].as_str().unwrap().to_owned()));
        }
        if needed != blobs {
            self.violations
                .add(format!("{href} holds the blobs {blobs:?}, and its manifests need {needed:?}"));
        }
        for digest in &needed {
            self.pull(href, "blobs", digest);
        }
        let tags = if manifests.is_empty() { 0 } else { self.count_tags(href, &manifests) };
        let counted = &version["content_summary"]["present"]["container.tag"]["count"];
        if counted.as_u64().unwrap_or(0) != tags {
            self.violations.add(format!("{href} counts {counted} tags and serves {tags}"));
        }
    }

    fn count_tags(&mut self, href: &str, manifests: &BTreeSet<String>) -> u64 {
        let tags = self.entrepot.served_tags(LOUPE);
        for (tag, digest) in tags.iter().filter(|(_, digest)| !manifests.contains(*digest)) {
            self.violations.add(format!("the tag {tag} of {href} names {digest}, which is not in it"));
        }
        tags.len() as u64
    }

    /// Reads something, which must be what its digest says. Its bytes.
    fn pull(&mut self, version: &str, kind: &str, digest: &str) -> Option<Vec<u8>> {
        let is_known = kind == "blobs" && self.pulled.contains(digest);
        let path = format!("/v2/{LOUPE}/{kind}/{digest}");
        let method = if is_known { "HEAD" } else { "GET" };
        let answer = self.puller.request(method, &path, &[("accept", "*/*")], &[]);
        if answer.status != 200 {
            self.violations.add(format!("{digest} of {version}: {} {}", answer.status, answer.text()));
            return None;
        }
        let actual = Digest::sha256_of(&answer.body);
        if !is_known && actual.as_str() != digest {
            self.violations.add(format!("{digest} of {version} has the digest {actual}"));
            return None;
        }
        self.pulled.insert(digest.to_owned());
        Some(answer.body)
    }
}

fn list(entrepot: &Entrepot, path: &str) -> Vec<Value> {
    let found = entrepot.api("GET", path, &json!(null)).expect(200);
    assert!(found["next"].is_null(), "{path} has further pages");
    found["results"].as_array().unwrap().clone()
}
