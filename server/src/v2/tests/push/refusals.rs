//! Who may not push, and where nobody may.

use poem::http::{Method, StatusCode};
use registry::Digest;
use storage::{DistributionChanges, VersionRef};

use super::super::fixture::{HOST, PASSWORD, PRIVATE_MIRROR, PUBLIC_MIRROR, assert_error, basic};
use super::pusher::{NAME, Pusher};

const UPLOAD: &str = "0189d7a0-5b1f-7000-8000-000000000000";

fn pushes(name: &str) -> Vec<(Method, String)> {
    vec![
        (Method::POST, format!("/v2/{name}/blobs/uploads/")),
        (Method::GET, format!("/v2/{name}/blobs/uploads/{UPLOAD}")),
        (Method::PATCH, format!("/v2/{name}/blobs/uploads/{UPLOAD}")),
        (Method::PUT, format!("/v2/{name}/blobs/uploads/{UPLOAD}")),
        (Method::DELETE, format!("/v2/{name}/blobs/uploads/{UPLOAD}")),
        (Method::PUT, format!("/v2/{name}/manifests/t")),
    ]
}

fn deletions(name: &str) -> Vec<(Method, String)> {
    vec![
        (Method::DELETE, format!("/v2/{name}/manifests/t")),
        (Method::DELETE, format!("/v2/{name}/manifests/{}", Digest::sha256_of(b"x"))),
        (Method::DELETE, format!("/v2/{name}/blobs/{}", Digest::sha256_of(b"x"))),
    ]
}

#[tokio::test]
async fn strangers_are_challenged_for_the_scope() {
    let pusher = Pusher::new().await;
    let fixture = &pusher.fixture;
    fixture.serve("mirror", &PUBLIC_MIRROR, &["t"], b"x").await;
    fixture.serve("secret", &PRIVATE_MIRROR, &["t"], b"x").await;
    pusher.push(NAME, "t", "x").await;
    for name in ["mirror", "secret", NAME, "team/absent"] {
        let anonymous = fixture.token(&[&format!("repository:{name}:pull,push,delete")], false).await;
        let asked = pushes(name).into_iter().map(|push| (push, "pull,push"));
        let asked = asked.chain(deletions(name).into_iter().map(|deletion| (deletion, "delete")));
        for ((method, path), actions) in asked {
            let challenge = format!(
                "Bearer realm=\"http://{HOST}/token/\",service=\"{HOST}\",scope=\"repository:{name}:{actions}\""
            );
            let answer = fixture.client.request(method.clone(), &path).header("host", HOST).send().await;
            answer.assert_header("www-authenticate", &challenge);
            assert_error(answer, StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required").await;
            let request = fixture.client.request(method, &path).header("host", HOST);
            let answer = request.header("authorization", format!("Bearer {anonymous}")).send().await;
            answer.assert_header("www-authenticate", format!("{challenge},error=\"insufficient_scope\""));
            answer.assert_status(StatusCode::UNAUTHORIZED);
        }
    }
    // And nothing was made.
    let catalog = &fixture.state.catalog;
    assert!(catalog.find_repository_by_name("team/absent").await.unwrap().is_none());
}

/// A token for pulls pushes nothing, and one for pushes deletes nothing.
#[tokio::test]
async fn a_token_allows_what_it_says() {
    let pusher = Pusher::new().await;
    pusher.push(NAME, "t", "x").await;
    for (scope, paths) in [("pull", pushes(NAME)), ("pull,push", deletions(NAME))] {
        let token = pusher.fixture.token(&[&format!("repository:{NAME}:{scope}")], true).await;
        for (method, path) in paths {
            let request = pusher.fixture.client.request(method, &path).header("host", HOST);
            let answer = request.header("authorization", format!("Bearer {token}")).send().await;
            answer.assert_status(StatusCode::UNAUTHORIZED);
        }
    }
}

/// A mirror takes nothing (DENIED), and loses nothing ("If deletes are disabled, MUST respond with 400 or 405").
#[tokio::test]
async fn a_mirror_is_not_a_push_target() {
    let pusher = Pusher::new().await;
    pusher.fixture.serve("mirror", &PUBLIC_MIRROR, &["t"], b"x").await;
    let token = pusher.fixture.token(&["repository:mirror:pull,push,delete"], true).await;
    for authorization in [format!("Bearer {token}"), basic("admin", PASSWORD)] {
        let ask = async |method, path: &str| {
            let request = pusher.fixture.client.request(method, path).header("host", HOST);
            request.header("authorization", &authorization).send().await
        };
        for (method, path) in pushes("mirror") {
            let answer = ask(method, &path).await;
            let message = "mirror is a mirror: its content comes from its upstream by syncing, so that it is \
                           not a push target";
            assert_error(answer, StatusCode::FORBIDDEN, "DENIED", message).await;
        }
        for (method, path) in deletions("mirror") {
            let answer = ask(method, &path).await;
            answer.assert_header("allow", "GET, HEAD");
            let message = "mirror is a mirror: its content comes from its upstream by syncing, so that \
                           nothing can be deleted from it";
            assert_error(answer, StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message).await;
        }
    }
}

/// A name that serves one version for good would not show what was pushed.
#[tokio::test]
async fn a_fixed_version_takes_nothing() {
    let pusher = Pusher::new().await;
    pusher.push(NAME, "t", "x").await;
    let catalog = &pusher.fixture.state.catalog;
    let held = catalog.find_distribution_by_base_path(NAME).await.unwrap().unwrap();
    let version = VersionRef { repository: held.repository.unwrap(), number: 1 };
    let tx = catalog.begin().await.unwrap();
    let changes = DistributionChanges { version: Some(Some(version)), ..DistributionChanges::default() };
    tx.update_distribution(held.id, &changes).await.unwrap();
    tx.commit().await.unwrap();
    let (method, path) = &pushes(NAME)[0];
    let answer = pusher.request(method.clone(), path).send().await;
    let message = "team/app serves one version for good, so that it is not a push target";
    assert_error(answer, StatusCode::FORBIDDEN, "DENIED", message).await;
    let (method, path) = &deletions(NAME)[0];
    let answer = pusher.request(method.clone(), path).send().await;
    let message = "team/app serves one version for good, so that nothing can be deleted from it";
    assert_error(answer, StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message).await;
}
