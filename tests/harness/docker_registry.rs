//! Debian's docker-registry, as the registry to mirror from.

use std::process::Command;

use super::client::Client;
use super::process::Program;

/// A docker-registry with a folder of its own, in which images can be deleted.
pub struct DockerRegistry {
    _program: Program,
    _folder: tempfile::TempDir,
    host: String,
}

impl DockerRegistry {
    /// Starts an empty one.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: info, formatter: json}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http: {{addr: '127.0.0.1:0'}}\n",
            folder.path().join("data").display()
        );
        std::fs::write(&config, text).unwrap();
        let program =
            Program::start("docker-registry", Command::new("docker-registry").arg("serve").arg(&config));
        let line = program.wait_for_line("listening on 127.0.0.1:");
        let (_, port) = line.split_once("listening on 127.0.0.1:").unwrap();
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        Self { _program: program, _folder: folder, host: format!("127.0.0.1:{port}") }
    }

    /// `127.0.0.1:port`
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    /// Deletes a manifest with all its tags.
    pub fn delete_manifest(&self, repository: &str, digest: &str) {
        let path = format!("/v2/{repository}/manifests/{digest}");
        let answer = Client::new(&self.url()).request("DELETE", &path, &[], &[]);
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
}
