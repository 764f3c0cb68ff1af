//! Tags and names, page by page.

use poem::http::StatusCode;
use serde_json::json;

use super::fixture::{
    Fixture, HOST, PASSWORD, PRIVATE_MIRROR, PUBLIC_MIRROR, assert_error, basic, header, json_of,
};
use crate::ServerConfig;

#[tokio::test]
async fn tags_come_in_order_and_in_pages() {
    let fixture = Fixture::new().await;
    fixture.serve("a/b", &PUBLIC_MIRROR, &["b", "a", "C", "1.10", "1.9", "_"], b"x").await;
    let answer = fixture.get("/v2/a/b/tags/list").send().await;
    answer.assert_status_is_ok();
    answer.assert_header("content-type", "application/json");
    assert_eq!(header(answer.0.headers(), "link"), "");
    let all = json!({"name": "a/b", "tags": ["1.10", "1.9", "C", "_", "a", "b"]});
    assert_eq!(json_of(answer).await, all);

    let mut seen = Vec::new();
    let mut path = "/v2/a/b/tags/list?n=4".to_owned();
    loop {
        let answer = fixture.client.get(&path).send().await;
        let link = header(answer.0.headers(), "link").to_owned();
        seen.extend(json_of(answer).await["tags"].as_array().unwrap().clone());
        match link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")) {
            Some(next) => next.clone_into(&mut path),
            None => break,
        }
    }
    assert_eq!(path, "/v2/a/b/tags/list?n=4&last=_");
    assert_eq!(json!(seen), all["tags"]);

    for (query, tags) in [
        ("n=0", json!([])),
        ("n=6", all["tags"].clone()),
        ("last=a", json!(["b"])),
        ("last=zzz", json!([])),
        ("n=1&last=1.10", json!(["1.9"])),
    ] {
        let answer = fixture.client.get(format!("/v2/a/b/tags/list?{query}")).send().await;
        assert_eq!(json_of(answer).await["tags"], tags, "{query}");
    }
    let answer = fixture.client.get("/v2/a/b/tags/list?n=-1").send().await;
    let message = "the parameter n must be a number from 0 up";
    assert_error(answer, StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", message).await;
}

#[tokio::test]
async fn a_repository_without_tags_lists_none() {
    let fixture = Fixture::new().await;
    fixture.serve("a", &PUBLIC_MIRROR, &[], b"x").await;
    let answer = fixture.get("/v2/a/tags/list").send().await;
    assert_eq!(json_of(answer).await, json!({"name": "a", "tags": []}));
}

#[tokio::test]
async fn the_catalog_shows_private_names_to_administrators_only() {
    let fixture = Fixture::new().await;
    fixture.serve("c", &PUBLIC_MIRROR, &["t"], b"x").await;
    fixture.serve("b/secret", &PRIVATE_MIRROR, &["t"], b"x").await;
    fixture.serve("a", &PUBLIC_MIRROR, &["t"], b"x").await;
    let public = json!({"repositories": ["a", "c"]});
    let all = json!({"repositories": ["a", "b/secret", "c"]});
    assert_eq!(json_of(fixture.get("/v2/_catalog").send().await).await, public);
    let anonymous = format!("Bearer {}", fixture.token(&["registry:catalog:*"], false).await);
    let admin = format!("Bearer {}", fixture.token(&["registry:catalog:*"], true).await);
    for (authorization, expected) in [(anonymous, &public), (admin, &all), (basic("admin", PASSWORD), &all)] {
        let answer = fixture.get("/v2/_catalog").header("authorization", authorization).send().await;
        assert_eq!(&json_of(answer).await, expected);
    }
    let answer =
        fixture.get("/v2/_catalog?n=2").header("authorization", basic("admin", PASSWORD)).send().await;
    answer.assert_header("link", "</v2/_catalog?n=2&last=b%2Fsecret>; rel=\"next\"");
    assert_eq!(json_of(answer).await, json!({"repositories": ["a", "b/secret"]}));
    let answer = fixture.get("/v2/_catalog?n=1&last=a").send().await;
    assert_eq!(json_of(answer).await, json!({"repositories": ["c"]}));
}

#[tokio::test]
async fn the_catalog_can_be_closed() {
    let config = ServerConfig { anonymous_catalog: false, ..ServerConfig::default() };
    let fixture = Fixture::with(config).await;
    let answer = fixture.get("/v2/_catalog").send().await;
    let challenge =
        format!("Bearer realm=\"http://{HOST}/token/\",service=\"{HOST}\",scope=\"registry:catalog:*\"");
    answer.assert_header("www-authenticate", challenge);
    answer.assert_status(StatusCode::UNAUTHORIZED);
    let answer = fixture.get("/v2/_catalog").header("authorization", basic("admin", PASSWORD)).send().await;
    assert_eq!(json_of(answer).await, json!({"repositories": []}));
}
