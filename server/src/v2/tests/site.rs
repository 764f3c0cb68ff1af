//! What is beside the registry: the page and the probes.

use poem::http::StatusCode;

use serde_json::json;

use super::fixture::{Fixture, HOST, json_of};

#[tokio::test]
async fn probes_answer() {
    let fixture = Fixture::new().await;
    for path in ["/livez", "/readyz"] {
        let answer = fixture.get(path).send().await;
        answer.assert_status_is_ok();
        answer.assert_header("cache-control", "no-store");
        answer.assert_text("ok\n").await;
    }
}

#[tokio::test]
async fn the_page_shows_how_to_pull() {
    let fixture = Fixture::new().await;
    let answer = fixture.get("/").send().await;
    answer.assert_status_is_ok();
    answer.assert_header("content-type", "text/html; charset=utf-8");
    let page = answer.0.into_body().into_string().await.unwrap();
    assert!(page.contains(&format!("podman pull {HOST}/NAME:TAG")), "{page}");
    let evil = fixture.client.get("/").header("host", "<script>").send().await;
    let page = evil.0.into_body().into_string().await.unwrap();
    assert!(page.contains("podman pull localhost/NAME:TAG") && !page.contains("script"), "{page}");
}

#[tokio::test]
async fn every_answer_has_a_correlation_id() {
    let fixture = Fixture::new().await;
    let id = "0123456789abcdef0123456789abcdef";
    for path in ["/", "/v2/", "/livez", "/nowhere"] {
        let answer = fixture.get(path).header("correlation-id", id).send().await;
        answer.assert_header("correlation-id", id);
    }
    fixture.get("/nowhere").send().await.assert_status(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_get_the_registrys_errors() {
    let fixture = Fixture::new().await;
    let no_endpoint = json!({"errors": [{"code": "UNSUPPORTED", "message": "there is no such endpoint"}]});
    for path in ["/nowhere", "/v1/_ping", "/v2/nowhere", "/tokens"] {
        let answer = fixture.get(path).send().await;
        answer.assert_status(StatusCode::NOT_FOUND);
        answer.assert_header("content-type", "application/json");
        assert_eq!(json_of(answer).await, no_endpoint, "{path}");
    }
    let message = "the method is not allowed here; these are: GET, HEAD";
    let not_allowed = json!({"errors": [{"code": "UNSUPPORTED", "message": message}]});
    for path in ["/token", "/token/", "/"] {
        let form = "grant_type=password&service=x&client_id=docker&username=a&password=b";
        let answer = fixture.client.post(path).content_type("application/x-www-form-urlencoded");
        let answer = answer.body(form).send().await;
        answer.assert_status(StatusCode::METHOD_NOT_ALLOWED);
        answer.assert_header("allow", "GET, HEAD");
        answer.assert_header("content-type", "application/json");
        assert_eq!(json_of(answer).await, not_allowed, "{path}");
    }
}
