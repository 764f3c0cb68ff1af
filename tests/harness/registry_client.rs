//! The registry API in the words of the tests, with the dance for tokens done by hand.

use std::collections::BTreeMap;

use ::registry::{Digest, MediaType};
use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::entrepot::Entrepot;

impl Entrepot {
    /// A client with a token to pull from a repository; anonymous without `client`'s credentials.
    pub fn puller(&self, client: &Client, name: &str) -> Client {
        let path = format!("/token/?service={}&scope=repository:{name}:pull", self.host());
        let token = client.get(&path).expect(200);
        self.anonymous().with_authorization(&format!("Bearer {}", token["token"].as_str().unwrap()))
    }

    /// `admin`, with Basic credentials: may push and delete.
    pub fn pusher(&self) -> Pusher {
        Pusher { client: self.admin() }
    }

    /// Pulls anonymously: `path` begins behind the repository's name.
    pub fn pull(&self, name: &str, path: &str) -> Answer {
        self.puller(&self.anonymous(), name).get(&format!("/v2/{name}/{path}"))
    }

    /// Every tag that is served under a name, and its manifest's digest.
    pub fn served_tags(&self, name: &str) -> BTreeMap<String, String> {
        let puller = self.puller(&self.anonymous(), name);
        let listed = puller.get(&format!("/v2/{name}/tags/list")).expect(200);
        assert_eq!(listed["name"], name);
        let digest_of = |tag: &Value| {
            let tag = tag.as_str().unwrap();
            let found =
                puller.request("HEAD", &format!("/v2/{name}/manifests/{tag}"), &[("accept", "*/*")], &[]);
            assert_eq!(found.status, 200, "{tag}");
            (tag.to_owned(), found.header("docker-content-digest").to_owned())
        };
        listed["tags"].as_array().unwrap().iter().map(digest_of).collect()
    }
}

/// Somebody who pushes by hand.
#[derive(Clone)]
pub struct Pusher {
    /// Asks.
    pub client: Client,
}

impl Pusher {
    /// Begins an upload; gives where it goes on.
    pub fn begin(&self, name: &str) -> String {
        let begun = self.client.request("POST", &format!("/v2/{name}/blobs/uploads/"), &[], &[]);
        assert_eq!(begun.status, 202, "{}", begun.text());
        begun.header("location").to_owned()
    }

    /// Pushes a blob by two chunks and an empty end. No answer comes from a server that has just died.
    pub fn try_blob(&self, name: &str, content: &[u8]) -> Result<Digest, ureq::Error> {
        let digest = Digest::sha256_of(content);
        let begun = self.client.try_request("POST", &format!("/v2/{name}/blobs/uploads/"), &[], &[])?;
        assert_eq!(begun.status, 202, "{}", begun.text());
        let location = begun.header("location").to_owned();
        for chunk in content.chunks(content.len().div_ceil(2).max(1)) {
            let sent = self.client.try_request("PATCH", &location, &[], chunk)?;
            assert_eq!(sent.status, 202, "{}", sent.text());
        }
        let ended = self.client.try_request("PUT", &format!("{location}?digest={digest}"), &[], &[])?;
        assert_eq!(ended.status, 201, "{}", ended.text());
        Ok(digest)
    }

    /// An image of one layer whose blobs are pushed: its manifest's bytes.
    pub fn try_image(&self, name: &str, layer: &[u8]) -> Result<Vec<u8>, ureq::Error> {
        let config = self.try_blob(name, b"{}")?;
        let digest = self.try_blob(name, layer)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": {"mediaType": MediaType::OCI_CONFIG, "digest": config, "size": 2},
            "layers": [{"mediaType": MediaType::OCI_LAYER_GZIP, "digest": digest, "size": layer.len()}],
        });
        Ok(manifest.to_string().into_bytes())
    }

    /// Pushes a manifest.
    pub fn try_manifest(&self, name: &str, reference: &str, bytes: &[u8]) -> Result<Answer, ureq::Error> {
        let path = format!("/v2/{name}/manifests/{reference}");
        self.client.try_request("PUT", &path, &[("content-type", MediaType::OCI_MANIFEST)], bytes)
    }

    /// Pushes an image under a tag; gives its digest.
    pub fn push(&self, name: &str, tag: &str, layer: &[u8]) -> Digest {
        let manifest = self.try_image(name, layer).unwrap();
        let pushed = self.try_manifest(name, tag, &manifest).unwrap();
        assert_eq!(pushed.status, 201, "{}", pushed.text());
        Digest::sha256_of(&manifest)
    }
}
