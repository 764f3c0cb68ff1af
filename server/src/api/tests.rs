//! The management API against a real catalog.

mod artifacts;
mod changes;
mod generic;

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
async fn paths_tell_which_methods_they_take() {
    let fixture = Fixture::new().await;
    for (path, expected) in [
        ("repositories/container/container/", "GET, HEAD, OPTIONS, POST"),
        ("remotes/container/container/0190/", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("status/", "GET, HEAD, OPTIONS"),
        ("docs/api.json", "GET, HEAD, OPTIONS"),
    ] {
        for (method, status) in [("TRACE", 405), ("OPTIONS", 204)] {
            let request = fixture.client.request(method.parse().unwrap(), format!("/pulp/api/v3/{path}"));
            let answer = request.send().await.0;
            assert_eq!(answer.status(), status, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(expected), "{method} {path}");
            let body = answer.into_body().into_string().await.unwrap();
            let refused = "{\"detail\":\"Method \\\"TRACE\\\" not allowed.\"}";
            assert_eq!(body, if method == "TRACE" { refused } else { "" });
        }
    }
    let nowhere = fixture.client.request("OPTIONS".parse().unwrap(), "/pulp/api/v3/nowhere/").send().await.0;
    assert_eq!((nowhere.status(), nowhere.header("allow")), (StatusCode::NOT_FOUND, None));
}

#[tokio::test]
async fn versions_and_content_are_named_by_paths_and_resource_names_alike() {
    let fixture = Fixture::new().await;
    fixture.serve("app", &PUBLIC_MIRROR, &["a"], b"layer").await;
    let (_, list) = get(&fixture, "repositories/container/container/").await;
    let repository = list["results"][0]["pulp_href"].as_str().unwrap().to_owned();
    let prn = list["results"][0]["prn"].as_str().unwrap().to_owned();
    let versions = format!("{}versions/", repository.trim_start_matches("/pulp/api/v3/"));
    let (_, version) = get(&fixture, &format!("{versions}1/")).await;
    let (version, version_prn) = (version["pulp_href"].as_str().unwrap(), version["prn"].as_str().unwrap());
    for name in [version, version_prn, &repository, &prn] {
        let (_, found) = get(&fixture, &format!("content/container/tags/?repository_version={name}")).await;
        assert_eq!(found["count"], 1, "{name}");
    }
    let zero = format!("{repository}versions/0/");
    let between = format!("content/container/tags/?added_between={zero},{version_prn}");
    assert_eq!(get(&fixture, &between).await.1["count"], 1);
    let (_, found) = get(&fixture, "content/container/tags/").await;
    let tag = found["results"][0]["pulp_href"].as_str().unwrap();
    for (path, count) in [
        (format!("repositories/?with_content={tag}&pulp_type=container.container"), 1),
        ("repositories/?pulp_type__in=container.container-push".to_owned(), 0),
        (format!("repositories/container/container/?latest_with_content={tag}"), 1),
        ("repositories/container/container/?retain_checkpoints__isnull=true".to_owned(), 1),
        ("repositories/container/container/?retain_checkpoints__gt=1".to_owned(), 0),
        (format!("distributions/?with_content={tag}&checkpoint=false"), 1),
        ("distributions/container/container/?namespace__name=app".to_owned(), 1),
        (format!("{versions}?content={tag}"), 1),
        (format!("{versions}?content__in={tag},{}", tag.replace("tags", "blobs")), 1),
        (format!("{versions}?prn__in={version_prn}"), 1),
        (format!("{versions}?pulp_href__in={version},{zero}"), 2),
        ("content/container/blobs/?orphaned_for=-1".to_owned(), 0),
        ("content/container/blobs/?q=NOT%20orphaned_for=0".to_owned(), 2),
        ("workers/?online=true&missing=false".to_owned(), 0),
    ] {
        let (status, found) = get(&fixture, &path).await;
        assert_eq!((status, &found["count"]), (StatusCode::OK, &json!(count)), "{path} {found}");
    }
    let body = json!({"name": "fixed", "base_path": "fixed", "repository_version": version_prn}).to_string();
    let path = "distributions/container/container/";
    let (status, _) = ask(&fixture, "POST", path, "application/json", &body).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let absent = "prn:core.repositoryversion:01900000-0000-7000-8000-000000000000";
    let body = json!({"name": "x", "base_path": "x", "repository_version": absent}).to_string();
    let (status, refused) = ask(&fixture, "POST", path, "application/json", &body).await;
    let message = json!({"repository_version": ["Invalid hyperlink - Object does not exist."]});
    assert_eq!((status, refused), (StatusCode::BAD_REQUEST, message));
}

#[tokio::test]
async fn fields_come_in_the_order_that_is_declared() {
    let fixture = Fixture::new().await;
    fixture.serve("app", &PUBLIC_MIRROR, &["a"], b"layer").await;
    let keys = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let (_, list) = get(&fixture, "repositories/container/container/").await;
    assert_eq!(keys(&list), "count next previous results");
    let all = "pulp_href prn pulp_created pulp_last_updated versions_href pulp_labels latest_version_href name \
               description retain_repo_versions retain_checkpoints remote manifest_signing_service";
    assert_eq!(keys(&list["results"][0]), all);
    let (_, some) = get(&fixture, "content/container/tags/?exclude_fields=vuln_report,pulp_labels").await;
    let expected = "pulp_href prn pulp_created pulp_last_updated name tagged_manifest";
    assert_eq!(keys(&some["results"][0]), expected);
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
