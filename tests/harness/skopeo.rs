//! skopeo: fills registries and pulls from them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use ::registry::Digest;
use serde_json::Value;

use super::process::run;

/// skopeo with a home of its own: no configuration and no logins of whoever runs the tests.
pub struct Skopeo {
    home: tempfile::TempDir,
}

impl Skopeo {
    /// One that is not logged in anywhere.
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// Runs it: what it wrote to stdout, or to stderr if it failed.
    pub fn try_run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("skopeo");
        command.arg("--insecure-policy").args(arguments);
        command.env("HOME", self.home.path()).env("REGISTRY_AUTH_FILE", self.home.path().join("auth.json"));
        let (ok, stdout, stderr) = run(&mut command);
        if ok { Ok(stdout) } else { Err(stderr) }
    }

    /// Runs it: it must succeed.
    pub fn run(&self, arguments: &[&str]) -> String {
        self.try_run(arguments).unwrap_or_else(|error| panic!("skopeo {arguments:?}: {error}"))
    }

    /// Copies a tag of an OCI layout, all platforms, to a registry.
    pub fn push(&self, layout: &Path, tag: &str, host: &str, repository: &str) {
        let source = format!("oci:{}:{tag}", layout.display());
        let target = format!("docker://{host}/{repository}:{tag}");
        self.run(&["copy", "--quiet", "--all", "--dest-tls-verify=false", &source, &target]);
    }

    /// The raw manifest under this reference, such as `127.0.0.1:5000/foo:latest`.
    pub fn inspect_raw(&self, reference: &str) -> String {
        self.run(&["inspect", "--raw", "--tls-verify=false", &format!("docker://{reference}")])
    }

    /// Pulls everything under a reference and hashes each file: digest → size. Blobs and manifests must have the
    /// digests that they are named by.
    pub fn pull(&self, reference: &str) -> BTreeMap<String, u64> {
        let folder = self.home.path().join("pulled");
        let _ = std::fs::remove_dir_all(&folder);
        let source = format!("docker://{reference}");
        let target = format!("dir:{}", folder.display());
        self.run(&["copy", "--quiet", "--all", "--src-tls-verify=false", &source, &target]);
        let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| !path.ends_with("version")).map(|path| hashed(&path)).collect()
    }

    /// The tags of a repository.
    pub fn list_tags(&self, repository: &str) -> Vec<String> {
        let listed = self.run(&["list-tags", "--tls-verify=false", &format!("docker://{repository}")]);
        let listed: Value = serde_json::from_str(&listed).unwrap();
        serde_json::from_value(listed["Tags"].clone()).unwrap()
    }
}

fn hashed(path: &PathBuf) -> (String, u64) {
    let bytes = std::fs::read(path).unwrap();
    let digest = Digest::sha256_of(&bytes);
    let name = path.file_name().unwrap().to_string_lossy();
    let named = name.trim_end_matches(".manifest.json");
    assert!(name == "manifest.json" || named == digest.hex(), "{name} has the digest {digest}");
    (digest.to_string(), bytes.len() as u64)
}
