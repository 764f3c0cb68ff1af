//! Which tags a sync takes, and what it asks for.

use serde_json::{Value, json};

use crate::harness::{Database, Entrepot, Mirror, faults::FakeRegistry, on_both_databases};

on_both_databases!(
    wildcards_choose_and_an_empty_list_clears,
    without_a_wildcard_tags_are_not_listed,
    an_include_may_be_a_digest,
    a_second_sync_asks_once_a_tag
);

const NAME: &str = "library/app";

async fn with_tags(tags: &[&str], database: Database, fields: Value) -> (FakeRegistry, Entrepot, Mirror) {
    let fake = FakeRegistry::start().await;
    for tag in tags {
        fake.add_image(NAME, tag, &[tag.as_bytes()]);
    }
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, fields);
    (fake, entrepot, mirror)
}

fn served(entrepot: &Entrepot) -> Vec<String> {
    entrepot.served_tags("app").into_keys().collect()
}

async fn wildcards_choose_and_an_empty_list_clears(database: Database) {
    let tags = ["3.1", "3.2", "3.2-rc1", "4.0", "edge"];
    let fields = json!({"include_tags": ["3.?", "3.*"], "exclude_tags": ["*-rc?"]});
    let (fake, entrepot, mirror) = with_tags(&tags, database, fields).await;
    entrepot.sync_to_version(&mirror, true);
    assert_eq!(served(&entrepot), ["3.1", "3.2"]);
    assert_eq!((fake.count("GET", "/tags/list"), fake.count("GET", "/blobs/")), (1, 4));
    let remote = entrepot.read(&mirror.remote);
    assert_eq!((&remote["includes"], &remote["excludes"]), (&json!(["3.?", "3.*"]), &json!(["*-rc?"])));

    let clear = json!({"include_tags": [], "excludes": []});
    entrepot.completed(&entrepot.admin().send("PATCH", &mirror.remote, &clear));
    let remote = entrepot.read(&mirror.remote);
    assert_eq!((&remote["includes"], &remote["excludes"]), (&Value::Null, &Value::Null));
    entrepot.sync_to_version(&mirror, true);
    assert_eq!(served(&entrepot), tags);
}

async fn without_a_wildcard_tags_are_not_listed(database: Database) {
    let fields = json!({"includes": ["a", "b", "absent"], "excludes": ["b"]});
    let (fake, entrepot, mirror) = with_tags(&["a", "b", "c"], database, fields).await;
    entrepot.sync_to_version(&mirror, false);
    assert_eq!(served(&entrepot), ["a"]);
    assert_eq!(
        (fake.count("*", "/tags/list"), fake.count("*", "/manifests/b"), fake.count("*", "/manifests/c")),
        (0, 0, 0)
    );
}

async fn an_include_may_be_a_digest(database: Database) {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(NAME, "soon", &[b"soon gone"]);
    fake.untag(NAME, "soon");
    let entrepot = Entrepot::start(database);
    let fields = json!({"includes": [image.manifest.as_str()]});
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, fields);
    entrepot.sync_to_version(&mirror, true);
    assert_eq!(fake.count("*", "/tags/list"), 0);
    let pulled = entrepot.pull("app", &format!("manifests/{}", image.manifest));
    assert_eq!((pulled.status, &pulled.body[..]), (200, &image.manifest_bytes[..]));
    assert!(served(&entrepot).is_empty());
}

async fn a_second_sync_asks_once_a_tag(database: Database) {
    let tags = ["a", "b", "c", "d"];
    let (fake, entrepot, mirror) = with_tags(&tags, database, json!({})).await;
    entrepot.sync_to_version(&mirror, false);
    fake.forget_requests();
    assert_eq!(entrepot.sync_to_version(&mirror, false), 1);
    assert_eq!((fake.count("HEAD", "/manifests/"), fake.count("GET", "/tags/list")), (tags.len(), 1));
    assert_eq!((fake.count("GET", "/referrers/"), fake.requests().len()), (1, tags.len() + 2));
}
