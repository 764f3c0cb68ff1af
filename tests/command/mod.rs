//! The command line: settings, `demo`, `mirror`, and how the service ends.

mod demo;
mod mirror;
mod password;
mod settings;
mod shutdown;

use std::process::Command;

use crate::harness::run;

/// Runs `entrepot` in an empty environment: whether it succeeded, stdout and stderr.
fn entrepot(folder: &tempfile::TempDir, line: &str, environment: &[(&str, &str)]) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entrepot"));
    command.args(line.split_whitespace()).current_dir(folder.path());
    command.env_clear().env("PATH", "/usr/bin:/bin").envs(environment.iter().copied());
    run(&mut command)
}
