//! `entrepot mirror`

use super::entrepot;
use crate::harness::faults::FakeRegistry;

#[tokio::test(flavor = "multi_thread")]
async fn mirror_takes_an_image_and_tells_how_to_pull_it() {
    let fake = FakeRegistry::start().await;
    for tag in ["3.1", "3.2", "4.0"] {
        fake.add_image("library/app", tag, &[tag.as_bytes()]);
    }
    let folder = tempfile::tempdir().unwrap();
    let settings = [("ENTREPOT_LISTEN", "127.0.0.1:0")];
    let line = format!("mirror {}/library/app --tags 3.* --once", fake.address());
    let (ok, stdout, stderr) = entrepot(&folder, &line, &settings);
    assert!(ok, "{stdout}{stderr}");
    assert!(stdout.contains("version 1") && stdout.contains("library/app:3."), "{stdout}{stderr}");
    assert_eq!(fake.count("GET", "/blobs/"), 4);

    // Again: nothing new, the same repository.
    let (ok, stdout, stderr) = entrepot(&folder, &line, &settings);
    assert!(ok && stdout.contains("version 1"), "{stdout}{stderr}");
    assert_eq!(fake.count("GET", "/blobs/"), 4);
}

#[test]
fn mirror_fails_with_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("ENTREPOT_LISTEN", "127.0.0.1:0")];
    let started = std::time::Instant::now();
    let (ok, _, stderr) = entrepot(&folder, "mirror 127.0.0.1:1/library/app --once", &settings);
    assert!(!ok, "{stderr}");
    // Retries of the sync would take 11 seconds at least; the start of the service takes most of this.
    assert!(started.elapsed() < std::time::Duration::from_secs(8), "{:?}", started.elapsed());
    assert!(stderr.contains("cannot connect to http://127.0.0.1:1/v2/library/app/tags/list"), "{stderr}");
    let (ok, _, stderr) = entrepot(&folder, "mirror 127.0.0.1:1/Library/App --once", &settings);
    assert!(!ok && stderr.contains("it must be in lower case"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mirror_with_credentials_tells_who_can_pull() {
    let fake = FakeRegistry::start().await;
    fake.add_image("library/app", "1.0", &[b"layer"]);
    fake.require_basic("me", "secret");
    let folder = tempfile::tempdir().unwrap();
    let settings = [("ENTREPOT_LISTEN", "127.0.0.1:0"), ("ENTREPOT_UPSTREAM_PASSWORD", "secret")];
    let mirror = |more: &str| {
        let line = format!("mirror {}/library/app --username me --once {more}", fake.address());
        let (ok, stdout, stderr) = entrepot(&folder, &line, &settings);
        assert!(ok, "{stdout}{stderr}");
        stderr
            .lines()
            .find(|line| line.contains("can pull it") || line.contains("stays public"))
            .map(str::to_owned)
    };
    let public =
        |name, remedy| Some(format!("{name}: everybody who reaches this service can pull it; {remedy}"));
    assert_eq!(mirror("--name open"), public("open", "with --private only those who log in can"));
    assert_eq!(mirror("--name open"), public("open", "make its distribution private by the API"));
    assert_eq!(mirror("--name closed --private"), None);
    assert_eq!(mirror("--name closed"), None);
}
