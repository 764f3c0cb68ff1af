//! A mirror is not a push target.

use serde_json::json;

use crate::harness::{
    ADMIN_PASSWORD, Database, DockerRegistry, Entrepot, Skopeo, on_both_databases, some_images,
};

on_both_databases!(a_push_to_a_mirror_is_denied);

async fn a_push_to_a_mirror_is_denied(database: Database) {
    let upstream = DockerRegistry::start();
    let images = some_images(5);
    images.push("single", &upstream, "library/app");
    let entrepot = Entrepot::start(database);
    let mirror = entrepot.create_mirror("app", &upstream.url(), "library/app", json!({}));
    entrepot.sync_to_version(&mirror, false);

    let (host, source) = (entrepot.host(), format!("docker://{}/library/app:single", upstream.host()));
    let skopeo = Skopeo::new();
    skopeo.run(&["login", "--tls-verify=false", "--username", "admin", "--password", ADMIN_PASSWORD, host]);
    let copy = ["copy", "--src-tls-verify=false", "--dest-tls-verify=false", &source];
    let target = format!("docker://{host}/app:pushed");
    let error = skopeo.try_run(&[&copy[..], &[&target]].concat()).unwrap_err();
    assert!(error.contains("denied") && error.contains("app is a mirror"), "{error}");

    let scope = format!("/token/?service={host}&scope=repository:app:pull,push,delete");
    let token = entrepot.admin().get(&scope).expect(200);
    let pusher =
        entrepot.anonymous().with_authorization(&format!("Bearer {}", token["token"].as_str().unwrap()));
    for (method, path) in [
        ("POST", "/v2/app/blobs/uploads/".to_owned()),
        ("PUT", "/v2/app/manifests/pushed".to_owned()),
        ("DELETE", "/v2/app/manifests/single".to_owned()),
        ("DELETE", format!("/v2/app/manifests/{}", images.digest("single"))),
    ] {
        let refused = pusher.request(method, &path, &[], &[]).expect(403);
        assert_eq!(refused["errors"][0]["code"], "DENIED", "{method} {path}");
        assert!(
            refused["errors"][0]["message"].as_str().unwrap().starts_with("app is a mirror"),
            "{refused}"
        );
    }
    let anonymous = entrepot.anonymous().request("POST", "/v2/app/blobs/uploads/", &[], &[]);
    assert_eq!(anonymous.expect(401)["errors"][0]["code"], "UNAUTHORIZED");
    assert_eq!(entrepot.served_tags("app").into_keys().collect::<Vec<_>>(), ["single"]);
}
