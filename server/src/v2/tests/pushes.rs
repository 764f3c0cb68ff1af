//! Pushes: first a challenge, then a reason why not.

use poem::http::{Method, StatusCode};

use super::fixture::{Fixture, HOST, PASSWORD, PUBLIC_MIRROR, PUBLIC_OWN, assert_error, basic};

const UPLOAD: &str = "0189d7a0-5b1f-7000-8000-000000000000";

fn pushes(name: &str) -> Vec<(Method, String)> {
    vec![
        (Method::POST, format!("/v2/{name}/blobs/uploads/")),
        (Method::PATCH, format!("/v2/{name}/blobs/uploads/{UPLOAD}")),
        (Method::PUT, format!("/v2/{name}/blobs/uploads/{UPLOAD}")),
        (Method::PUT, format!("/v2/{name}/manifests/t")),
        (Method::DELETE, format!("/v2/{name}/manifests/t")),
    ]
}

#[tokio::test]
async fn strangers_are_challenged_for_the_push_scope() {
    let fixture = Fixture::new().await;
    fixture.serve("mirror", &PUBLIC_MIRROR, &["t"], b"x").await;
    let anonymous = fixture.token(&["repository:mirror:pull,push,delete"], false).await;
    for (method, path) in pushes("mirror") {
        let actions = if method == Method::DELETE { "delete" } else { "pull,push" };
        let challenge = format!(
            "Bearer realm=\"http://{HOST}/token/\",service=\"{HOST}\",scope=\"repository:mirror:{actions}\""
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

#[tokio::test]
async fn a_mirror_is_not_a_push_target() {
    let fixture = Fixture::new().await;
    fixture.serve("mirror", &PUBLIC_MIRROR, &["t"], b"x").await;
    let token = fixture.token(&["repository:mirror:pull,push,delete"], true).await;
    for authorization in [format!("Bearer {token}"), basic("admin", PASSWORD)] {
        for (method, path) in pushes("mirror") {
            let request = fixture.client.request(method, &path).header("host", HOST);
            let answer = request.header("authorization", &authorization).send().await;
            let message = "mirror is a mirror: its content comes from its upstream by syncing, so that it is \
                           not a push target";
            assert_error(answer, StatusCode::FORBIDDEN, "DENIED", message).await;
        }
    }
}

#[tokio::test]
async fn other_pushes_are_unsupported() {
    let fixture = Fixture::new().await;
    fixture.serve("own", &PUBLIC_OWN, &["t"], b"x").await;
    for name in ["own", "absent"] {
        for (method, path) in pushes(name) {
            let request = fixture.client.request(method, &path).header("host", HOST);
            let answer = request.header("authorization", basic("admin", PASSWORD)).send().await;
            answer.assert_header("allow", "GET, HEAD");
            let message =
                format!("this registry does not accept pushes to {name}: it serves what it mirrored");
            assert_error(answer, StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", &message).await;
        }
    }
}
