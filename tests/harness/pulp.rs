//! The unmodified `pulp` command line.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::entrepot::{ADMIN_PASSWORD, Entrepot};
use super::process::run;

/// `pulp` with a configuration and a cache of its own.
pub struct PulpCli {
    home: tempfile::TempDir,
    url: String,
}

impl PulpCli {
    /// For this service.
    pub fn new(entrepot: &Entrepot) -> Self {
        Self { home: tempfile::tempdir().unwrap(), url: entrepot.url().to_owned() }
    }

    /// Runs a command line such as `container repository list`: stdout and stderr, or stderr if it failed.
    pub fn try_run(&self, line: &str) -> Result<(String, String), String> {
        let mut command = Command::new(program());
        command.args(["--base-url", &self.url, "--username", "admin", "--password", ADMIN_PASSWORD]);
        command.args(line.split_whitespace());
        for name in ["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
            command.env(name, self.home.path());
        }
        let (ok, stdout, stderr) = run(&mut command);
        if ok { Ok((stdout, stderr)) } else { Err(stderr) }
    }

    /// Runs a command line that prints JSON.
    pub fn json(&self, line: &str) -> Value {
        let (stdout, _) = self.try_run(line).unwrap_or_else(|error| panic!("pulp {line}: {error}"));
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("pulp {line}: {error}: {stdout}"))
    }

    /// Runs a command line that prints nothing to stdout.
    pub fn quiet(&self, line: &str) -> String {
        let (stdout, stderr) = self.try_run(line).unwrap_or_else(|error| panic!("pulp {line}: {error}"));
        assert_eq!(stdout, "", "pulp {line}");
        stderr
    }
}

/// What `tests/run` installed, in this run or in an earlier one.
fn program() -> String {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.cache/venv/bin/pulp");
    std::env::var("ENTREPOT_TEST_PULP").unwrap_or_else(|_| {
        assert!(installed.exists(), "pulp is not installed: tests/run installs it");
        installed.display().to_string()
    })
}
