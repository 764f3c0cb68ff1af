//! Token authentication, step by step (Docker's token specification).

use serde_json::json;

use crate::harness::{Database, Entrepot, faults::FakeRegistry, on_both_databases};

on_both_databases!(
    a_challenge_leads_to_a_token,
    private_names_need_a_login,
    without_tokens_basic_does,
    wrong_logins_take_no_memory
);

const NAME: &str = "app";

async fn serving(database: Database, settings: &[(&str, &str)]) -> (FakeRegistry, Entrepot) {
    let fake = FakeRegistry::start().await;
    fake.add_image(NAME, "1.0", &[b"layer"]);
    let entrepot = Entrepot::start_with(database, settings);
    let mirror = entrepot.create_mirror("app", &fake.url(), NAME, json!({}));
    entrepot.sync_to_version(&mirror, false);
    let closed =
        json!({"name": "closed", "base_path": "closed", "repository": mirror.repository, "private": true});
    entrepot.create_distribution(&closed);
    (fake, entrepot)
}

async fn a_challenge_leads_to_a_token(database: Database) {
    let (_fake, entrepot) = serving(database, &[]).await;
    let anonymous = entrepot.anonymous();

    let base = anonymous.get("/v2/");
    assert_eq!(base.header("docker-distribution-api-version"), "registry/2.0");
    assert_eq!(base.expect(401)["errors"][0]["code"], "UNAUTHORIZED");
    let challenged = anonymous.get("/v2/closed/manifests/1.0");
    assert_eq!(challenged.expect(401)["errors"][0]["code"], "UNAUTHORIZED");
    let (url, host) = (entrepot.url(), entrepot.host());
    let expected =
        format!("Bearer realm=\"{url}/token/\",service=\"{host}\",scope=\"repository:closed:pull\"");
    assert_eq!(challenged.header("www-authenticate"), expected);

    let token = anonymous.get(&format!("/token/?service={host}&scope=repository:app:pull")).expect(200);
    assert_eq!((&token["token"], &token["expires_in"]), (&token["access_token"], &json!(300)));
    let bearer = anonymous.with_authorization(&format!("Bearer {}", token["token"].as_str().unwrap()));
    assert_eq!(bearer.get("/v2/app/manifests/1.0").status, 200);
    assert_eq!(bearer.get("/v2/").status, 200);
    // It is for that name alone.
    assert_eq!(bearer.get("/v2/closed/manifests/1.0").expect(401)["errors"][0]["code"], "UNAUTHORIZED");

    // What is public needs none.
    assert_eq!(anonymous.get("/v2/app/manifests/1.0").status, 200);

    let forged = anonymous.with_authorization("Bearer eyJhbGciOiJub25lIn0.eyJhY2Nlc3MiOltdfQ.");
    assert_eq!(forged.get("/v2/app/manifests/1.0").expect(401)["errors"][0]["code"], "UNAUTHORIZED");
}

async fn private_names_need_a_login(database: Database) {
    let (_fake, entrepot) = serving(database, &[]).await;
    let refused = entrepot.pull("closed", "manifests/1.0");
    assert_eq!(refused.expect(401)["errors"][0]["code"], "UNAUTHORIZED");
    let allowed = entrepot.puller(&entrepot.admin(), "closed").get("/v2/closed/manifests/1.0");
    assert_eq!(allowed.status, 200, "{}", allowed.text());

    let wrong = entrepot.anonymous().with_basic("admin", "wrong-password");
    let path = format!("/token/?service={}&scope=repository:closed:pull", entrepot.host());
    assert_eq!(wrong.get(&path).expect(401)["errors"][0]["code"], "UNAUTHORIZED");

    let listed = entrepot.puller(&entrepot.anonymous(), "app");
    let names =
        entrepot.anonymous().get(&format!("/token/?service={}&scope=registry:catalog:*", entrepot.host()));
    let names =
        listed.with_authorization(&format!("Bearer {}", names.expect(200)["token"].as_str().unwrap()));
    assert_eq!(names.get("/v2/_catalog").expect(200), json!({"repositories": ["app"]}));
}

async fn without_tokens_basic_does(database: Database) {
    let (_fake, entrepot) = serving(database, &[("ENTREPOT_TOKEN_AUTH", "false")]).await;
    assert_eq!(entrepot.anonymous().get("/v2/app/manifests/1.0").status, 200);
    let refused = entrepot.anonymous().get("/v2/closed/manifests/1.0");
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").starts_with("Basic realm="), "{:?}", refused.headers);
    assert_eq!(entrepot.admin().get("/v2/closed/manifests/1.0").status, 200);
}

async fn wrong_logins_take_no_memory(database: Database) {
    let entrepot = Entrepot::start(database);
    let login = |number: usize| {
        entrepot.anonymous().with_basic("admin", &format!("wrong {number}")).get("/token/").status
    };
    assert_eq!(login(0), 401);
    let before = entrepot.resident_kib();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let logins: Vec<_> = (1..=30).map(|number| scope.spawn(move || login(number))).collect();
        logins.into_iter().map(|login| login.join().unwrap()).collect()
    });
    assert_eq!(answers, [401; 30]);
    let grown = entrepot.resident_kib().saturating_sub(before);
    assert!(grown < 40 * 1024, "30 logins left {grown} KiB behind; one password takes 19,456");
}
