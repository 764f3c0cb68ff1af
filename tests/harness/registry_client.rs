//! The registry API in the words of the tests, with the dance for tokens done by hand.

use std::collections::BTreeMap;

use serde_json::Value;

use super::client::{Answer, Client};
use super::entrepot::Entrepot;

impl Entrepot {
    /// A client with a token to pull from a repository; anonymous without `client`'s credentials.
    pub fn puller(&self, client: &Client, name: &str) -> Client {
        let path = format!("/token/?service={}&scope=repository:{name}:pull", self.host());
        let token = client.get(&path).expect(200);
        self.anonymous().with_authorization(&format!("Bearer {}", token["token"].as_str().unwrap()))
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
