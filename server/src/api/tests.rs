//! The management API against a real catalog.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::http::StatusCode;
use serde_json::{Value, json};

use crate::v2::tests::fixture::{Fixture, PASSWORD, PUBLIC_MIRROR};

/// The status and the body of an answer to the administrator.
async fn ask(fixture: &Fixture, method: &str, path: &str, kind: &str, body: &str) -> (StatusCode, Value) {
    let request = fixture.client.request(method.parse().unwrap(), format!("/pulp/api/v3/{path}"));
    let credentials = STANDARD.encode(format!("admin:{PASSWORD}"));
    let request = request.header("authorization", format!("Basic {credentials}")).content_type(kind);
    let response = request.body(body.to_owned()).send().await.0;
    let status = response.status();
    let text = response.into_body().into_string().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn get(fixture: &Fixture, path: &str) -> (StatusCode, Value) {
    ask(fixture, "GET", path, "application/json", "").await
}

#[tokio::test]
async fn content_of_a_version_that_is_not_there_is_refused() {
    let fixture = Fixture::new().await;
    fixture.serve("app", &PUBLIC_MIRROR, &["a", "b"], b"layer").await;
    let (_, list) = get(&fixture, "repositories/container/container/").await;
    let repository = list["results"][0]["pulp_href"].as_str().unwrap();
    for (kind, count) in [("tags", 2), ("manifests", 1), ("blobs", 2)] {
        let of =
            |number| format!("content/container/{kind}/?repository_version={repository}versions/{number}/");
        let (status, held) = get(&fixture, &of(1)).await;
        assert_eq!((status, &held["count"]), (StatusCode::OK, &json!(count)));
        let (status, refused) = get(&fixture, &of(7)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let message = format!("URI not found for repositoryversion: {repository}versions/7/");
        assert_eq!(refused, json!({"repository_version": [&message]}));
        let joined =
            format!("content/container/{kind}/?q=repository_version_added=%22{repository}versions/7/%22");
        let (status, refused) = get(&fixture, &joined).await;
        assert_eq!(
            (status, &refused["repository_version_added"][0]),
            (StatusCode::BAD_REQUEST, &json!(message))
        );
    }
}

#[tokio::test]
async fn bodies_of_other_types_are_refused_and_names_are_trimmed() {
    let fixture = Fixture::new().await;
    let path = "repositories/container/container/";
    let (status, body) = ask(&fixture, "POST", path, "text/plain", "{\"name\": \"x\"}").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(body, json!({"detail": "Unsupported media type \"text/plain\" in request."}));
    let (status, made) = ask(&fixture, "POST", path, "application/json", "{\"name\": \" x \"}").await;
    assert_eq!((status, &made["name"]), (StatusCode::CREATED, &json!("x")));
    let (status, body) = ask(&fixture, "POST", path, "application/json", "{\"name\": \"x\"}").await;
    assert_eq!((status, body), (StatusCode::BAD_REQUEST, json!({"name": ["This field must be unique."]})));
}

#[tokio::test]
async fn lists_show_the_fields_and_parts_that_are_asked_for() {
    let fixture = Fixture::new().await;
    for name in ["a", "b", "c"] {
        let body = json!({"name": name}).to_string();
        ask(&fixture, "POST", "repositories/container/container/", "application/json", &body).await;
    }
    let (_, part) = get(&fixture, "repositories/?fields=name&ordering=name&limit=1&offset=1").await;
    assert_eq!((&part["count"], &part["results"]), (&json!(3), &json!([{"name": "b"}])));
    let at = |offset| format!("/pulp/api/v3/repositories/?fields=name&ordering=name&limit=1&offset={offset}");
    assert!(part["next"].as_str().unwrap().ends_with(&at(2)), "{part}");
    assert!(part["previous"].as_str().unwrap().ends_with(&at(0)), "{part}");
}

#[tokio::test]
async fn only_so_many_streams_are_open_and_they_are_not_gathered() {
    let config = crate::ServerConfig { max_event_streams: 1, ..crate::ServerConfig::default() };
    let fixture = Fixture::with(config).await;
    let body = json!({"name": "x", "base_path": "x"}).to_string();
    let (_, accepted) =
        ask(&fixture, "POST", "distributions/container/container/", "application/json", &body).await;
    // The task waits, since there is no worker: its events do not end. Fields would be chosen from a whole answer.
    let path = format!("{}events/?fields=name", accepted["task"].as_str().unwrap());
    let open = async || {
        let credentials = STANDARD.encode(format!("admin:{PASSWORD}"));
        let asked = fixture.client.get(&path).header("authorization", format!("Basic {credentials}")).send();
        tokio::time::timeout(std::time::Duration::from_secs(10), asked).await.unwrap().0
    };
    let first = open().await;
    assert_eq!((first.status(), first.content_type()), (StatusCode::OK, Some("text/event-stream")));
    let refused = open().await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "10");
    drop(first);
    assert_eq!(open().await.status(), StatusCode::OK);
}
