//! skopeo, podman and buildah push, and everything comes back as it was.

use std::path::Path;
use std::process::Command;

use ::registry::{Digest, MediaType};
use serde_json::{Value, json};

use crate::harness::{ADMIN_PASSWORD, Database, Entrepot, Skopeo, on_both_databases, run, some_images};

on_both_databases!(skopeo_pushes_every_platform_and_deletes);

fn logged_in(entrepot: &Entrepot) -> Skopeo {
    let skopeo = Skopeo::new();
    let login = ["login", "--tls-verify=false", "--username", "admin", "--password", ADMIN_PASSWORD];
    skopeo.run(&[&login[..], &[entrepot.host()]].concat());
    skopeo
}

async fn skopeo_pushes_every_platform_and_deletes(database: Database) {
    let images = some_images(21);
    let entrepot = Entrepot::start(database);
    let skopeo = logged_in(&entrepot);
    let name = format!("{}/team/app", entrepot.host());
    for tag in images.tags().keys() {
        skopeo.push(images.layout(), tag, entrepot.host(), "team/app");
    }
    assert_eq!(entrepot.served_tags("team/app"), images.tags());
    for tag in images.tags().keys() {
        assert_eq!(skopeo.pull(&format!("{name}:{tag}")), images.reached_by(tag), "{tag}");
        assert_eq!(skopeo.inspect_raw(&format!("{name}:{tag}")).as_bytes(), images.manifest_bytes(tag));
    }
    // From one repository to another: blobs are mounted.
    let (source, target) =
        (format!("docker://{name}:ml"), format!("docker://{}/team/copy:ml", entrepot.host()));
    let insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    skopeo.run(&[&["copy", "--quiet", "--all"], &insecure[..], &[&source, &target]].concat());
    assert_eq!(skopeo.pull(&target["docker://".len()..]), images.reached_by("ml"));

    skopeo.run(&["delete", "--tls-verify=false", &format!("docker://{name}:other")]);
    assert_eq!(entrepot.served_tags("team/app").into_keys().collect::<Vec<_>>(), ["ml", "single"]);
    let gone = skopeo.try_run(&["inspect", "--tls-verify=false", &format!("docker://{name}:other")]);
    assert!(gone.unwrap_err().contains("manifest unknown"));
}

/// Layers of other compressions are blobs like any.
#[tokio::test(flavor = "multi_thread")]
async fn zstd_layers_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder.path().join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let put = |media_type: &str, bytes: &[u8]| -> Value {
        let digest = Digest::sha256_of(bytes);
        std::fs::write(blobs.join(digest.hex()), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    };
    let tar = vec![0; 1024];
    let layer = put("application/vnd.oci.image.layer.v1.tar+zstd", &stored_as_zstd(&tar));
    let config = json!({"architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [Digest::sha256_of(&tar)]}});
    let config = put(MediaType::OCI_CONFIG, config.to_string().as_bytes());
    let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": [layer]});
    let manifest_bytes = manifest.to_string();
    let mut manifest = put(MediaType::OCI_MANIFEST, manifest_bytes.as_bytes());
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "z"});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    std::fs::write(folder.path().join("index.json"), index.to_string()).unwrap();
    std::fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();

    let entrepot = Entrepot::start(Database::Sqlite);
    let skopeo = logged_in(&entrepot);
    skopeo.push(folder.path(), "z", entrepot.host(), "team/zstd");
    let reference = format!("{}/team/zstd:z", entrepot.host());
    assert_eq!(skopeo.inspect_raw(&reference), manifest_bytes);
    assert!(skopeo.pull(&reference).contains_key(layer["digest"].as_str().unwrap()));
}

/// One frame of one raw block (RFC 8878, 3.1.1).
fn stored_as_zstd(content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap();
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend(size.to_le_bytes());
    frame.extend(&(size << 3 | 1).to_le_bytes()[..3]);
    frame.extend(content);
    frame
}

/// podman and buildah keep their images in a folder of the test's own.
fn container_tool(program: &str, folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.arg("--root").arg(folder.join("root")).arg("--runroot").arg(folder.join("run"));
    command.args(["--storage-driver", "vfs"]).args(arguments).env("HOME", folder);
    let (ok, stdout, stderr) = run(&mut command);
    assert!(ok, "{program} {arguments:?}: {stderr}");
    stdout.trim().to_owned()
}

fn is_here(program: &str) -> bool {
    let is_here = Command::new(program).arg("--version").output().is_ok();
    if !is_here {
        eprintln!("skipped: there is no {program}");
    }
    is_here
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_pushes_what_it_pulled() {
    if !is_here("podman") {
        return;
    }
    let images = some_images(22);
    let entrepot = Entrepot::start(Database::Sqlite);
    logged_in(&entrepot).push(images.layout(), "single", entrepot.host(), "team/app");
    let folder = tempfile::tempdir().unwrap();
    let podman = |arguments: &[&str]| container_tool("podman", folder.path(), arguments);
    let host = format!("localhost:{}", entrepot.host().rsplit_once(':').unwrap().1);
    let (image, copy) = (format!("{host}/team/app:single"), format!("{host}/team/podman:v1"));
    podman(&["pull", "--quiet", "--tls-verify=false", &image]);
    podman(&["tag", &image, &copy]);
    podman(&["login", "--tls-verify=false", "--username", "admin", "--password", ADMIN_PASSWORD, &host]);
    let written = folder.path().join("digest");
    let digest_file = written.display().to_string();
    podman(&["push", "--quiet", "--tls-verify=false", "--digestfile", &digest_file, &copy]);
    let digest = std::fs::read_to_string(&written).unwrap();
    assert_eq!(entrepot.served_tags("team/podman")["v1"], digest.trim());
    podman(&["rmi", "--force", "--all"]);
    podman(&["pull", "--quiet", "--tls-verify=false", &format!("{host}/team/podman@{}", digest.trim())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn buildah_pushes_what_it_built() {
    if !is_here("buildah") {
        return;
    }
    let entrepot = Entrepot::start(Database::Sqlite);
    let folder = tempfile::tempdir().unwrap();
    let buildah = |arguments: &[&str]| container_tool("buildah", folder.path(), arguments);
    let host = format!("localhost:{}", entrepot.host().rsplit_once(':').unwrap().1);
    let cargo = folder.path().join("cargo");
    std::fs::write(&cargo, "coffee").unwrap();
    let container = buildah(&["from", "scratch"]);
    buildah(&["copy", &container, &cargo.display().to_string(), "/cargo"]);
    let image = format!("{host}/team/built:v1");
    buildah(&["commit", "--quiet", &container, &image]);
    let credentials = format!("admin:{ADMIN_PASSWORD}");
    let written = folder.path().join("digest");
    let digest_file = written.display().to_string();
    let target = format!("docker://{image}");
    buildah(&[
        "push",
        "--quiet",
        "--tls-verify=false",
        "--creds",
        &credentials,
        "--digestfile",
        &digest_file,
        &image,
        &target,
    ]);
    let digest = std::fs::read_to_string(&written).unwrap();
    assert_eq!(entrepot.served_tags("team/built")["v1"], digest.trim());
    let pulled = Skopeo::new().pull(&format!("{}/team/built:v1", entrepot.host()));
    assert!(pulled.contains_key(digest.trim()));
}
