//! What is beside the registry: the page and the probes.

use poem::http::StatusCode;

use super::fixture::{Fixture, HOST};

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
