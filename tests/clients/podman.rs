//! podman pulls what was mirrored, where there is a podman.

use std::process::Command;

use serde_json::json;

use crate::harness::{Database, DockerRegistry, Entrepot, run, some_images};

#[tokio::test(flavor = "multi_thread")]
async fn podman_pulls_the_image_of_its_platform() {
    if Command::new("podman").arg("--version").output().is_err() {
        eprintln!("skipped: there is no podman");
        return;
    }
    let upstream = DockerRegistry::start();
    let images = some_images(10);
    images.push("ml", &upstream, "library/app");
    let entrepot = Entrepot::start(Database::Sqlite);
    let mirror = entrepot.create_mirror("library/app", &upstream.url(), "library/app", json!({}));
    entrepot.sync_to_version(&mirror, false);

    let folder = tempfile::tempdir().unwrap();
    let podman = |arguments: &[&str]| {
        let mut command = Command::new("podman");
        command.arg("--root").arg(folder.path().join("root")).arg("--runroot").arg(folder.path().join("run"));
        command.args(["--storage-driver", "vfs"]).args(arguments).env("HOME", folder.path());
        let (ok, stdout, stderr) = run(&mut command);
        assert!(ok, "podman {arguments:?}: {stderr}");
        stdout.trim().to_owned()
    };
    let image = format!("localhost:{}/library/app:ml", entrepot.host().rsplit_once(':').unwrap().1);
    // The layers hold a file and no more: enough to be unpacked, and never run.
    let pulled = podman(&["pull", "--quiet", "--tls-verify=false", "--arch", "amd64", &image]);
    let digest = podman(&["image", "inspect", "--format", "{{.Digest}} {{.Architecture}}", &pulled]);
    // `single` names the image of that platform.
    assert!(
        [images.digest("single"), images.digest("ml")].iter().any(|known| digest == format!("{known} amd64")),
        "{digest}"
    );
}
