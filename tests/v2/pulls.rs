//! What pulls answer: ranges, conditions, media types, lists, fixed versions.

use serde_json::json;

use crate::harness::{
    Database, Entrepot, Mirror, faults::FakeImage, faults::FakeRegistry, on_both_databases,
};

on_both_databases!(manifests_and_blobs_are_served_as_they_are, lists_come_in_pages, a_fixed_version_stays);

const NAME: &str = "app";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

async fn mirrored(database: Database, tags: &[&str]) -> (FakeRegistry, Entrepot, Mirror, Vec<FakeImage>) {
    let fake = FakeRegistry::start().await;
    let images = tags.iter().map(|tag| fake.add_image(NAME, tag, &[tag.as_bytes(), b"shared"])).collect();
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror(NAME, &fake.url(), NAME, json!({}));
    entrepot.sync_to_version(&mirror, false);
    (fake, entrepot, mirror, images)
}

async fn manifests_and_blobs_are_served_as_they_are(database: Database) {
    let (_fake, entrepot, _, images) = mirrored(database, &["1.0"]).await;
    let puller = entrepot.puller(&entrepot.anonymous(), NAME);
    let accept = |types| [("accept", types)];

    let path = "/v2/app/manifests/1.0";
    for types in ["*/*", OCI_MANIFEST, "application/json;q=0.2, application/*;q=0.1", "text/html, */*;q=0.1"]
    {
        let found = puller.request("GET", path, &accept(types), &[]);
        assert_eq!((found.status, &found.body[..]), (200, &images[0].manifest_bytes[..]), "{types}");
        assert_eq!(found.header("content-type"), OCI_MANIFEST);
        assert_eq!(found.header("docker-content-digest"), images[0].manifest.as_str());
    }
    let other = "application/vnd.docker.distribution.manifest.v2+json";
    let refused = puller.request("GET", path, &accept(other), &[]);
    assert_eq!(refused.expect(404)["errors"][0]["code"], "MANIFEST_UNKNOWN");

    let blob = format!("/v2/app/blobs/{}", images[0].layers[1]);
    let whole = puller.get(&blob);
    assert_eq!((whole.status, &whole.body[..]), (200, &b"shared"[..]));
    assert_eq!(whole.header("etag"), format!("\"{}\"", images[0].layers[1]));
    assert!(whole.header("cache-control").contains("immutable"), "{:?}", whole.headers);
    let part = puller.request("GET", &blob, &[("range", "bytes=2-4")], &[]);
    assert_eq!(
        (part.status, part.header("content-range"), &part.body[..]),
        (206, "bytes 2-4/6", &b"are"[..])
    );
    let outside = puller.request("GET", &blob, &[("range", "bytes=6-")], &[]);
    assert_eq!((outside.status, outside.header("content-range")), (416, "bytes */6"));
    let head = puller.request("HEAD", &blob, &[], &[]);
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "6", 0));
}

async fn lists_come_in_pages(database: Database) {
    let (_fake, entrepot, _, _) = mirrored(database, &["a", "b", "c"]).await;
    let puller = entrepot.puller(&entrepot.anonymous(), NAME);
    let first = puller.get("/v2/app/tags/list?n=2");
    assert_eq!(first.json(), json!({"name": "app", "tags": ["a", "b"]}));
    let link = first.header("link");
    assert!(link.contains("last=b") && link.contains("n=2") && link.ends_with(">; rel=\"next\""), "{link}");
    let second = puller.get("/v2/app/tags/list?n=2&last=b");
    assert_eq!((second.json(), second.header("link")), (json!({"name": "app", "tags": ["c"]}), ""));
}

async fn a_fixed_version_stays(database: Database) {
    let (fake, entrepot, mirror, images) = mirrored(database, &["1.0"]).await;
    let version = format!("{}versions/1/", mirror.repository);
    let fixed = json!({"name": "fixed", "base_path": "fixed", "repository_version": version});
    entrepot.create_distribution(&fixed);
    let moved = fake.add_image(NAME, "1.0", &[b"moved"]);
    assert_eq!(entrepot.sync_to_version(&mirror, true), 2);

    assert_eq!(entrepot.served_tags("fixed")["1.0"], images[0].manifest.as_str());
    assert_eq!(entrepot.served_tags("app")["1.0"], moved.manifest.as_str());
    // A blob is served where it belongs, never by its digest alone.
    let gone = entrepot.pull("app", &format!("blobs/{}", images[0].layers[0]));
    assert_eq!(gone.expect(404)["errors"][0]["code"], "BLOB_UNKNOWN");
    assert_eq!(entrepot.pull("fixed", &format!("blobs/{}", images[0].layers[0])).status, 200);
    let foreign = entrepot.pull("fixed", &format!("manifests/{}", moved.manifest));
    assert_eq!(foreign.expect(404)["errors"][0]["code"], "MANIFEST_UNKNOWN");
}
