//! Who may pull what, and what the others learn (nothing).

use poem::http::StatusCode;

use super::fixture::{Fixture, HOST, PASSWORD, PRIVATE_MIRROR, PUBLIC_MIRROR, assert_error, basic};
use crate::ServerConfig;

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn the_base_asks_for_a_login() {
    let fixture = Fixture::new().await;
    for path in ["/v2/", "/v2"] {
        let answer = fixture.get(path).send().await;
        let challenge = format!("Bearer realm=\"http://{HOST}/token/\",service=\"{HOST}\"");
        answer.assert_header("www-authenticate", challenge);
        assert_error(answer, StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required").await;
    }
    let anonymous = fixture.token(&[], false).await;
    for authorization in [bearer(&anonymous), basic("admin", PASSWORD)] {
        let answer = fixture.get("/v2/").header("authorization", authorization).send().await;
        answer.assert_status_is_ok();
        answer.assert_header("docker-distribution-api-version", "registry/2.0");
        answer.assert_text("{}").await;
    }
}

#[tokio::test]
async fn wrong_credentials_are_refused_even_for_public_names() {
    let fixture = Fixture::new().await;
    fixture.serve("a", &PUBLIC_MIRROR, &["t"], b"x").await;
    let challenge =
        format!("Bearer realm=\"http://{HOST}/token/\",service=\"{HOST}\",scope=\"repository:a:pull\"");
    let expired = fixture.token(&["repository:a:pull"], false).await;
    fixture.clock.advance_seconds(361);
    for (authorization, error, message) in [
        (basic("admin", "wrong"), "", "the user name or the password is wrong"),
        (basic("nobody", PASSWORD), "", "the user name or the password is wrong"),
        ("Negotiate x".to_owned(), "", "the Authorization header cannot be used here"),
        (bearer("x.y.z"), ",error=\"invalid_token\"", "the token is invalid or has expired"),
        (bearer(&expired), ",error=\"invalid_token\"", "the token is invalid or has expired"),
    ] {
        let answer = fixture.get("/v2/a/manifests/t").header("authorization", authorization).send().await;
        answer.assert_header("www-authenticate", format!("{challenge}{error}"));
        assert_error(answer, StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message).await;
    }
}

#[tokio::test]
async fn private_and_unknown_names_look_the_same_to_strangers() {
    let fixture = Fixture::new().await;
    let image = fixture.serve("secret", &PRIVATE_MIRROR, &["t"], b"x").await;
    let scopes = ["repository:secret:pull", "repository:absent:pull"];
    let anonymous = fixture.token(&scopes, false).await;
    let layer = &image.layer;
    for tail in [
        "manifests/t".to_owned(),
        "tags/list".to_owned(),
        format!("blobs/{layer}"),
        format!("referrers/{layer}"),
    ] {
        for name in ["secret", "absent"] {
            let path = format!("/v2/{name}/{tail}");
            let scope = format!("scope=\"repository:{name}:pull\"");
            let realm = format!("Bearer realm=\"http://{HOST}/token/\",service=\"{HOST}\"");
            let answer = fixture.get(&path).send().await;
            answer.assert_header("www-authenticate", format!("{realm},{scope}"));
            assert_error(answer, StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required").await;
            let answer = fixture.get(&path).header("authorization", bearer(&anonymous)).send().await;
            answer.assert_header("www-authenticate", format!("{realm},{scope},error=\"insufficient_scope\""));
            assert_error(answer, StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required").await;
        }
    }
}

#[tokio::test]
async fn an_administrator_pulls_everything_and_learns_what_is_not_there() {
    let fixture = Fixture::new().await;
    let image = fixture.serve("secret", &PRIVATE_MIRROR, &["t"], b"x").await;
    let token = fixture.token(&["repository:secret:pull", "repository:absent:pull"], true).await;
    for authorization in [bearer(&token), basic("admin", PASSWORD)] {
        for path in ["/v2/secret/manifests/t".to_owned(), format!("/v2/secret/blobs/{}", image.layer)] {
            fixture.get(path).header("authorization", &authorization).send().await.assert_status_is_ok();
        }
        let answer =
            fixture.get("/v2/absent/manifests/t").header("authorization", &authorization).send().await;
        let message = "no repository is served under the name absent";
        assert_error(answer, StatusCode::NOT_FOUND, "NAME_UNKNOWN", message).await;
    }
    // A token without the scope is not enough, whoever holds it.
    let other = fixture.token(&["repository:other:pull"], true).await;
    let answer = fixture.get("/v2/secret/manifests/t").header("authorization", bearer(&other)).send().await;
    answer.assert_status(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_token_auth_basic_is_asked_for() {
    let config = ServerConfig { token_auth: false, ..ServerConfig::default() };
    let fixture = Fixture::with(config).await;
    fixture.serve("open", &PUBLIC_MIRROR, &["t"], b"x").await;
    fixture.serve("secret", &PRIVATE_MIRROR, &["t"], b"x").await;
    fixture.get("/v2/open/manifests/t").send().await.assert_status_is_ok();
    for path in ["/v2/", "/v2/secret/manifests/t"] {
        let answer = fixture.get(path).send().await;
        answer.assert_status(StatusCode::UNAUTHORIZED);
        answer.assert_header("www-authenticate", format!("Basic realm=\"{HOST}\""));
        let admin = fixture.get(path).header("authorization", basic("admin", PASSWORD)).send().await;
        admin.assert_status_is_ok();
        let answer = fixture.get(path).header("authorization", "Bearer x").send().await;
        answer.assert_status(StatusCode::UNAUTHORIZED);
    }
    fixture.get("/token/").send().await.assert_status(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_public_url_goes_before_the_host() {
    let config =
        ServerConfig { public_url: Some("https://registry.example/".to_owned()), ..ServerConfig::default() };
    let fixture = Fixture::with(config).await;
    let answer = fixture.get("/v2/").send().await;
    let challenge = "Bearer realm=\"https://registry.example/token/\",service=\"registry.example\"";
    answer.assert_header("www-authenticate", challenge);
}
