//! skopeo pulls back what was mirrored, and every digest is compared.

use serde_json::json;

use crate::harness::{
    ADMIN_PASSWORD, Database, DockerRegistry, Entrepot, Skopeo, on_both_databases, some_images,
};

on_both_databases!(
    everything_comes_back_as_it_was,
    a_second_entrepot_mirrors_the_first,
    a_login_opens_what_is_private
);

async fn everything_comes_back_as_it_was(database: Database) {
    let upstream = DockerRegistry::start();
    let images = some_images(2);
    images.push_all(&upstream, "library/app");
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("mirrored/app", &upstream.url(), "library/app", json!({}));
    assert_eq!(entrepot.sync_to_version(&mirror, false), 1);

    let skopeo = Skopeo::new();
    let name = format!("{}/mirrored/app", entrepot.host());
    assert_eq!(skopeo.list_tags(&name), images.tags().into_keys().collect::<Vec<_>>());
    for tag in images.tags().keys() {
        assert_eq!(skopeo.pull(&format!("{name}:{tag}")), images.reached_by(tag), "{tag}");
        assert_eq!(
            skopeo.inspect_raw(&format!("{name}:{tag}")).as_bytes(),
            images.manifest_bytes(tag),
            "{tag}"
        );
        let by_digest = format!("{name}@{}", images.digest(tag));
        assert_eq!(skopeo.pull(&by_digest), images.reached_by(tag), "{by_digest}");
    }
}

async fn a_second_entrepot_mirrors_the_first(database: Database) {
    let upstream = DockerRegistry::start();
    let images = some_images(3);
    images.push_all(&upstream, "library/app");
    let first = Entrepot::start(database);
    let mirror = first.create_mirror("app", &upstream.url(), "library/app", json!({}));
    first.sync_to_version(&mirror, false);
    first.create_distribution(
        &json!({"name": "closed", "base_path": "closed", "repository": mirror.repository, "private": true}),
    );

    let second = Entrepot::start(Database::Sqlite);
    let public = second.create_mirror("public", first.url(), "app", json!({}));
    assert_eq!(second.sync_to_version(&public, true), 1);
    assert_eq!(second.served_tags("public"), images.tags());

    let refused = second.create_mirror("refused", first.url(), "closed", json!({}));
    let (reason, description) = second.sync_fails(&refused);
    assert_eq!(reason, "upstream.unauthorized");
    assert!(
        description.starts_with(&format!("{}/v2/closed/tags/list?n=1000 refused access (401)", first.url())),
        "{description}"
    );

    let login = json!({"username": "admin", "password": ADMIN_PASSWORD});
    let allowed = second.create_mirror("allowed", first.url(), "closed", login);
    assert_eq!(second.sync_to_version(&allowed, true), 1);
    let name = format!("{}/allowed", second.host());
    assert_eq!(Skopeo::new().pull(&format!("{name}:ml")), images.reached_by("ml"));
}

async fn a_login_opens_what_is_private(database: Database) {
    let upstream = DockerRegistry::start();
    let images = some_images(4);
    images.push("single", &upstream, "library/app");
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &upstream.url(), "library/app", json!({}));
    entrepot.sync_to_version(&mirror, false);
    entrepot.create_distribution(
        &json!({"name": "closed", "base_path": "closed", "repository": mirror.repository, "private": true}),
    );

    let skopeo = Skopeo::new();
    let reference = format!("docker://{}/closed:single", entrepot.host());
    let error = skopeo.try_run(&["inspect", "--tls-verify=false", &reference]).unwrap_err();
    assert!(error.contains("unauthorized") || error.contains("authentication required"), "{error}");

    let login = ["login", "--tls-verify=false", "--username", "admin", "--password"];
    let wrong = skopeo.try_run(&[&login[..], &["wrong-password", entrepot.host()]].concat()).unwrap_err();
    assert!(wrong.contains("invalid username/password"), "{wrong}");
    skopeo.run(&[&login[..], &[ADMIN_PASSWORD, entrepot.host()]].concat());
    assert_eq!(skopeo.pull(&format!("{}/closed:single", entrepot.host())), images.reached_by("single"));
}
