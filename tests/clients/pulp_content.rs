//! The `pulp` commands that change what repositories hold, label content, and store files.

use serde_json::{Value, json};

use crate::harness::{Database, DockerRegistry, Entrepot, PulpCli, on_both_databases, some_images};

on_both_databases!(content_is_changed_by_command, content_is_found_by_command, files_are_stored_by_command);

/// Blobs, manifests and tags of a repository's latest version.
fn present(pulp: &PulpCli, name: &str) -> [u64; 3] {
    let version = pulp.json(&format!("container repository version show --repository {name}"));
    let present = &version["content_summary"]["present"];
    ["blob", "manifest", "tag"]
        .map(|kind| present[format!("container.{kind}")]["count"].as_u64().unwrap_or(0))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} of {value:#}"))
}

/// Three tags in a repository `app`.
fn mirror(pulp: &PulpCli, upstream: &DockerRegistry) {
    some_images(1).push_all(upstream, "app");
    let create = "container remote create --name app --upstream-name app --url";
    pulp.json(&format!("{create} {}", upstream.url()));
    pulp.json("container repository create --name app");
    pulp.quiet("container repository sync --name app --remote app");
}

async fn content_is_changed_by_command(database: Database) {
    let upstream = DockerRegistry::start();
    let entrepot = Entrepot::start(database);
    let pulp = PulpCli::new(&entrepot);
    mirror(&pulp, &upstream);
    for name in ["copy", "picked"] {
        pulp.json(&format!("container repository create --name {name}"));
    }
    assert_eq!(present(&pulp, "app"), [8, 4, 3]);

    let tags = pulp.json("container repository content -t tag list --repository app");
    let tags = tags.as_array().unwrap();
    let (name, manifest) = (text(&tags[0], "name"), text(&tags[0], "tagged_manifest"));
    let manifest = pulp.json(&format!("container content -t manifest show --href {manifest}"));
    let digest = text(&manifest, "digest");

    // Copied whole, and in part.
    pulp.quiet("container repository copy-tag --name copy --source app --version 1");
    assert_eq!(present(&pulp, "copy"), [8, 4, 3]);
    pulp.quiet(&format!("container repository copy-manifest --name picked --source app --digest {digest}"));
    let [blobs, manifests, tags_picked] = present(&pulp, "picked");
    assert_eq!((blobs > 0, manifests > 0, tags_picked), (true, true, 0));

    // Tagged and untagged.
    pulp.quiet(&format!("container repository tag --name picked --tag mine --digest {digest}"));
    let mine = pulp.json("container repository content -t tag list --repository picked");
    assert_eq!((mine.as_array().unwrap().len(), text(&mine[0], "name")), (1, "mine"));
    pulp.quiet("container repository untag --name picked --tag mine");
    assert_eq!(present(&pulp, "picked"), [blobs, manifests, 0]);
    let error = pulp.try_run("container repository untag --name picked --tag mine").unwrap_err();
    let message =
        "The tag 'mine' does not exist in the latest repository version '<Repository: picked; Version: 3>'";
    assert!(error.contains(message), "{error}");
    let absent = registry::Digest::sha256_of(b"nobody has it");
    let line = format!("container repository tag --name picked --tag x --digest {absent}");
    let error = pulp.try_run(&line).unwrap_err();
    let message =
        format!("A manifest with the digest '{absent}' does not exist in the latest repository version");
    assert!(error.contains(&message), "{error}");

    // Added and removed by units.
    let added = text(&tags[0], "pulp_href");
    pulp.quiet(&format!("container repository content add --repository picked --href {added}"));
    let named = pulp.json("container repository content -t tag list --repository picked");
    assert_eq!(text(&named[0], "name"), name);
    pulp.quiet(&format!("container repository content remove --repository picked --href {added}"));
    assert_eq!(present(&pulp, "picked"), [0, 0, 0]);
    pulp.quiet("container repository content remove --repository copy --all");
    assert_eq!(present(&pulp, "copy"), [0, 0, 0]);
}

async fn content_is_found_by_command(database: Database) {
    let upstream = DockerRegistry::start();
    let entrepot = Entrepot::start(database);
    let pulp = PulpCli::new(&entrepot);
    mirror(&pulp, &upstream);
    let tags = pulp.json("container repository content -t tag list --repository app");
    let (tag, name) = (&tags[0], text(&tags[0], "name"));
    let manifest =
        pulp.json(&format!("container content -t manifest show --href {}", text(tag, "tagged_manifest")));
    let digest = text(&manifest, "digest");

    // Labelled, and found by it.
    for kind in ["blob", "manifest", "tag"] {
        let all = pulp.json(&format!("container content -t {kind} list"));
        let href = text(&all[0], "pulp_href");
        pulp.quiet(&format!("container content -t {kind} label set --href {href} --key env --value test"));
        let shown = pulp.try_run(&format!("container content -t {kind} label show --href {href} --key env"));
        assert_eq!(shown.unwrap().0, "test\n");
        let found = pulp.json(&format!("container content -t {kind} list --label-select env=test"));
        assert_eq!((found.as_array().unwrap().len(), text(&found[0], "pulp_href")), (1, href));
        pulp.quiet(&format!("container content -t {kind} label unset --href {href} --key env"));
        let found = pulp.json(&format!("container content -t {kind} list --label-select env"));
        assert_eq!(found, json!([]));
    }

    // What Pulp's own document keeps the command from sending.
    let media_type = text(&manifest, "media_type");
    let found = pulp.json(&format!("container content -t manifest list --media-type {media_type}"));
    assert!(
        found.as_array().unwrap().iter().all(|entry| entry["media_type"] == media_type) && found != json!([])
    );
    let found = pulp.json(&format!("container content -t tag list --digest {digest}"));
    assert!(found.as_array().unwrap().iter().any(|tag| text(tag, "name") == name), "{found:#}");
    let found = pulp.json(&format!("container content -t tag list --media-type {media_type}"));
    assert!(found.as_array().unwrap().iter().any(|tag| text(tag, "name") == name), "{found:#}");

    // Of all repositories and kinds.
    let all = pulp.json("content list --limit 100");
    assert_eq!(all.as_array().unwrap().len(), 8 + 4 + 3);
    let href = text(tag, "pulp_href");
    let holding = pulp.json(&format!("repository version list --content [\"{href}\"]"));
    assert_eq!((holding.as_array().unwrap().len(), &holding[0]["number"]), (1, &json!(1)), "{holding:#}");
}

async fn files_are_stored_by_command(database: Database) {
    let mut entrepot = Entrepot::start(database);
    let pulp = PulpCli::new(&entrepot);
    let folder = tempfile::tempdir().unwrap();
    let (small, large) = (folder.path().join("small"), folder.path().join("large"));
    std::fs::write(&small, "a small file").unwrap();
    std::fs::write(&large, vec![7; 300_000]).unwrap();

    let line = format!("artifact upload --file {}", small.display());
    let stored = pulp.json(&line);
    assert_eq!(stored["size"], 12);
    let sum = text(&stored, "sha256").to_owned();
    assert_eq!(pulp.json(&line), stored, "it is there already");
    let line = format!("artifact upload --chunk-size 100kB --file {}", large.display());
    let stored = pulp.json(&line);
    assert_eq!(stored["size"], 300_000);
    assert_eq!(pulp.json("artifact list").as_array().unwrap().len(), 2);
    assert_eq!(pulp.json("upload list"), json!([]), "a committed upload is gone");
    assert_eq!(pulp.json(&format!("artifact show --sha256 {sum}"))["size"], 12);

    // An upload goes on after a restart.
    let begun = entrepot.api("POST", "/uploads/", &json!({"size": 6})).expect(201);
    let href = text(&begun, "pulp_href").to_owned();
    let put = |entrepot: &Entrepot, first: usize, bytes: &str| {
        let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
        let body = format!("{head}{bytes}\r\n--b--\r\n");
        let range = format!("bytes {first}-{}/6", first + bytes.len() - 1);
        let headers =
            [("content-type", "multipart/form-data; boundary=b"), ("content-range", range.as_str())];
        let answer = entrepot.admin().request("PUT", &href, &headers, body.as_bytes());
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    };
    put(&entrepot, 0, "abc");
    entrepot.kill();
    entrepot.restart();
    put(&entrepot, 3, "def");
    let digest = registry::Digest::sha256_of(b"abcdef");
    let commit = json!({"sha256": digest.hex()});
    let accepted = entrepot.admin().send("POST", &format!("{href}commit/"), &commit);
    let task = entrepot.completed(&accepted);
    let artifact = entrepot.read(task["created_resources"][0].as_str().unwrap());
    assert_eq!((&artifact["sha256"], &artifact["size"]), (&json!(digest.hex()), &json!(6)));
}
