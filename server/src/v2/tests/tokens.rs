//! `/token/` as clients see it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use poem::http::StatusCode;
use serde_json::{Value, json};

use super::fixture::{Fixture, HOST, PASSWORD, PRIVATE_MIRROR, PUBLIC_MIRROR, basic, json_of};

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn the_answer_is_as_specified() {
    let fixture = Fixture::new().await;
    for path in ["/token/", "/token"] {
        let answer = fixture.get(path).query("service", &HOST).query("account", &"x").send().await;
        answer.assert_status_is_ok();
        answer.assert_header("content-type", "application/json");
        answer.assert_header("cache-control", "no-store");
        let body = json_of(answer).await;
        assert_eq!(body["token"], body["access_token"]);
        assert_eq!(body["expires_in"], 300);
        assert_eq!(body["issued_at"], "2027-01-15T08:00:00.000000Z");
        let claims = claims(body["token"].as_str().unwrap());
        assert_eq!(claims["iss"], "entrepot");
        assert_eq!(claims["sub"], "");
        assert_eq!(claims["aud"], HOST);
        assert_eq!(claims["iat"], 1_800_000_000);
        assert_eq!(claims["nbf"], 1_800_000_000);
        assert_eq!(claims["exp"], 1_800_000_300);
        assert_eq!(claims["jti"].as_str().unwrap().len(), 32);
        assert_eq!(claims["access"], json!([]));
    }
}

#[tokio::test]
async fn strangers_get_pull_on_public_names_only() {
    let fixture = Fixture::new().await;
    fixture.serve("open", &PUBLIC_MIRROR, &["t"], b"x").await;
    fixture.serve("secret", &PRIVATE_MIRROR, &["t"], b"x").await;
    let scopes = ["repository:open:pull,push repository:secret:pull", "repository:absent:pull", "nonsense"];
    let anonymous = claims(&fixture.token(&scopes, false).await);
    let open = json!({"type": "repository", "name": "open", "actions": ["pull"]});
    assert_eq!(anonymous["access"], json!([open]));
    let admin = claims(&fixture.token(&scopes, true).await);
    assert_eq!(admin["sub"], "admin");
    let expected = json!([
        {"type": "repository", "name": "open", "actions": ["pull", "push"]},
        {"type": "repository", "name": "secret", "actions": ["pull"]},
        {"type": "repository", "name": "absent", "actions": ["pull"]},
    ]);
    assert_eq!(admin["access"], expected);
}

#[tokio::test]
async fn wrong_passwords_and_services_are_refused() {
    let fixture = Fixture::new().await;
    for authorization in [basic("admin", "wrong"), basic("nobody", PASSWORD), "Bearer x".to_owned()] {
        let answer = fixture.get("/token/").header("authorization", authorization).send().await;
        answer.assert_status(StatusCode::UNAUTHORIZED);
        answer.assert_header("www-authenticate", format!("Basic realm=\"{HOST}\""));
        let message = "the user name or the password is wrong";
        let expected = json!({"errors": [{"code": "UNAUTHORIZED", "message": message}]});
        assert_eq!(json_of(answer).await, expected);
    }
    let answer = fixture.get("/token/").query("service", &"other").send().await;
    answer.assert_status(StatusCode::BAD_REQUEST);
    fixture.client.post("/token/").send().await.assert_status(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_token_serves_one_service() {
    let fixture = Fixture::new().await;
    let token = format!("Bearer {}", fixture.token(&[], false).await);
    fixture.get("/v2/").header("authorization", &token).send().await.assert_status_is_ok();
    let other =
        fixture.client.get("/v2/").header("host", "other").header("authorization", &token).send().await;
    other.assert_status(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_that_became_too_old_for_a_private_name_is_useless() {
    let fixture = Fixture::new().await;
    fixture.serve("secret", &PRIVATE_MIRROR, &["t"], b"x").await;
    let token = format!("Bearer {}", fixture.token(&["repository:secret:pull"], true).await);
    let pull = || fixture.get("/v2/secret/manifests/t").header("authorization", &token).send();
    pull().await.assert_status_is_ok();
    fixture.clock.advance_seconds(359);
    pull().await.assert_status_is_ok();
    fixture.clock.advance_seconds(1);
    pull().await.assert_status(StatusCode::UNAUTHORIZED);
}
