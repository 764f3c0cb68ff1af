//! Challenges and tokens: what is sent, to whom, how often.

use registry::{Clock, Timestamp};
use upstream::{Client, UpstreamConfig, UpstreamError};

use crate::faults::{FakeRegistry, Fault, Tokens, basic};
use crate::{REPOSITORY, assert_error, by_tag, client, client_with, config, quick, seen};

const MANIFEST: &str = "HEAD /v2/library/alpine/manifests/x";
const TOKEN: &str = "GET /token?service=fake&scope=repository%3Alibrary%2Falpine%3Apull";

async fn with_tokens(tokens: Tokens) -> FakeRegistry {
    let fake = FakeRegistry::start().await;
    fake.add_image(REPOSITORY, "x", &[b"layer"]);
    fake.require_tokens(tokens);
    fake
}

fn with_password(fake: &FakeRegistry) -> UpstreamConfig {
    let mut config = config(&fake.url());
    (config.username, config.password) = (Some("me".into()), Some("secret".into()));
    config
}

fn authorizations(fake: &FakeRegistry) -> Vec<Option<String>> {
    fake.requests().iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_challenge_is_answered_with_an_anonymous_token() {
    for field in ["token", "access_token"] {
        let fake = with_tokens(Tokens { field, ..Tokens::default() }).await;
        let client = client(&fake);
        client.head_manifest(&by_tag("x")).await.unwrap().unwrap();
        client.head_manifest(&by_tag("x")).await.unwrap().unwrap();
        let expected = [(MANIFEST, 401), (TOKEN, 200), (MANIFEST, 200), (MANIFEST, 200)];
        assert_eq!(seen(&fake), expected.map(|(line, status)| (line.to_owned(), status)));
        let bearer = Some("Bearer token-1".to_owned());
        assert_eq!(authorizations(&fake), [None, None, bearer.clone(), bearer]);
    }
}

#[tokio::test]
async fn the_password_goes_to_the_token_server_only() {
    let credentials = Some(("me".to_owned(), "secret".to_owned()));
    let fake = with_tokens(Tokens { credentials, ..Tokens::default() }).await;
    client_with(with_password(&fake)).head_manifest(&by_tag("x")).await.unwrap().unwrap();
    let expected = [None, Some(basic("me", "secret")), Some("Bearer token-1".to_owned())];
    assert_eq!(authorizations(&fake), expected);
}

#[tokio::test]
async fn a_wrong_password_is_unauthorized_at_once() {
    let credentials = Some(("me".to_owned(), "other".to_owned()));
    let fake = with_tokens(Tokens { credentials, ..Tokens::default() }).await;
    let result = client_with(with_password(&fake)).head_manifest(&by_tag("x")).await;
    assert_error!(result, UpstreamError::Unauthorized { url, reason } if reason == "incorrect username or password" && url.as_str().contains("/token?"));
    assert_eq!(seen(&fake), [(MANIFEST.to_owned(), 401), (TOKEN.to_owned(), 401)]);
}

#[tokio::test]
async fn without_a_scope_in_the_challenge_pull_is_asked_for() {
    let fake = with_tokens(Tokens { names_scope: false, ..Tokens::default() }).await;
    client(&fake).head_manifest(&by_tag("x")).await.unwrap().unwrap();
    assert_eq!(fake.count("GET", &TOKEN[4..]), 1);
}

#[tokio::test]
async fn the_realm_may_be_another_host_which_gets_no_custom_headers() {
    let server = FakeRegistry::start().await;
    server.on("GET", "/auth").inject(Fault::body(r#"{"token":"foreign","expires_in":300}"#));
    let realm = Some(format!("{}/auth?account=a", server.url()));
    let fake = with_tokens(Tokens { realm, ..Tokens::default() }).await;
    fake.accept_token("foreign");
    let mut config = config(&fake.url());
    config.headers = vec![("X-Key".into(), "mine".into())];
    client_with(config).head_manifest(&by_tag("x")).await.unwrap().unwrap();
    assert_eq!(
        seen(&server)[0].0,
        "GET /auth?account=a&service=fake&scope=repository%3Alibrary%2Falpine%3Apull"
    );
    assert_eq!(server.requests()[0].header("x-key"), None);
    assert_eq!(fake.requests()[0].header("x-key"), Some("mine"));
}

#[tokio::test]
async fn a_token_is_renewed_shortly_before_it_expires() {
    // A token is good for 60 s at least, whatever its server says.
    for (expires_in, seconds) in [(None, 60), (Some(5), 60), (Some(300), 300), (Some(u64::MAX), 60)] {
        let fake = with_tokens(Tokens { expires_in, ..Tokens::default() }).await;
        let clock = Clock::steered(Timestamp::from_micros(0));
        let client = Client::with_limits(config(&fake.url()), clock.clone(), quick()).unwrap();
        client.head_manifest(&by_tag("x")).await.unwrap().unwrap();
        clock.advance_seconds(seconds - 11);
        client.head_manifest(&by_tag("x")).await.unwrap().unwrap();
        assert_eq!(fake.count("GET", "/token"), 1, "{expires_in:?}");
        clock.advance_seconds(1);
        client.head_manifest(&by_tag("x")).await.unwrap().unwrap();
        assert_eq!(fake.count("GET", "/token"), 2, "{expires_in:?}");
        assert_eq!(fake.count("HEAD", ""), 4, "only the first is challenged");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    let fake = with_tokens(Tokens { uses: Some(2), ..Tokens::default() }).await;
    let client = client(&fake);
    for _ in 0..3 {
        client.head_manifest(&by_tag("x")).await.unwrap().unwrap();
    }
    let expected = [
        (MANIFEST, 401),
        (TOKEN, 200),
        (MANIFEST, 200),
        (MANIFEST, 200),
        (MANIFEST, 401),
        (TOKEN, 200),
        (MANIFEST, 200),
    ];
    assert_eq!(seen(&fake), expected.map(|(line, status)| (line.to_owned(), status)));
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_is_unauthorized() {
    let fake = with_tokens(Tokens { uses: Some(0), ..Tokens::default() }).await;
    let result = client(&fake).get_manifest(&by_tag("x")).await;
    assert_error!(result, UpstreamError::Unauthorized { reason, .. } if reason == "UNAUTHORIZED: this is UNAUTHORIZED");
    assert_eq!((fake.count("GET", "/manifests/"), fake.count("GET", "/token")), (2, 1));
}

#[tokio::test]
async fn concurrent_requests_fetch_one_token() {
    let fake = with_tokens(Tokens::default()).await;
    fake.on("GET", "/token").inject(Fault::Drip { piece: 100, every: std::time::Duration::from_millis(100) });
    let client = client(&fake);
    let heads = (0..10).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.head_manifest(&by_tag("x")).await })
    });
    for head in heads.collect::<Vec<_>>() {
        head.await.unwrap().unwrap().unwrap();
    }
    assert_eq!((fake.count("GET", "/token"), fake.count("HEAD", "")), (1, 20));
    fake.revoke_tokens();
    client.list_tags().await.unwrap();
    assert_eq!((fake.count("GET", "/token"), fake.count("GET", "/tags/")), (2, 2));
}

#[tokio::test]
async fn a_failing_token_server_is_tried_again() {
    let fake = with_tokens(Tokens::default()).await;
    fake.on("GET", "/token").times(2).inject(Fault::status(503));
    client(&fake).head_manifest(&by_tag("x")).await.unwrap().unwrap();
    assert_eq!((fake.count("GET", "/token"), fake.count("HEAD", "")), (3, 4));
}

#[tokio::test]
async fn unusable_token_answers_are_refused() {
    let fake = with_tokens(Tokens::default()).await;
    for body in [r"{}", r#"{"token":""}"#, r#"{"token":"a\nb"}"#] {
        fake.heal();
        fake.on("GET", "/token").inject(Fault::body(body));
        assert_error!(client(&fake).list_tags().await, UpstreamError::BadAnswer { reason, .. } if reason.contains("token"));
    }
    fake.heal();
    fake.on("GET", "/token").inject(Fault::body("no json"));
    assert_error!(client(&fake).list_tags().await, UpstreamError::Json { .. });
    fake.heal();
    fake.on("GET", "/token").inject(Fault::body(vec![b' '; 16 * 1024 * 1024 + 1]));
    assert_error!(client(&fake).list_tags().await, UpstreamError::TooLarge { limit: 16_777_216, .. });
    for realm in ["/token", "ftp://x/token", ""] {
        let fake = with_tokens(Tokens { realm: Some(realm.into()), ..Tokens::default() }).await;
        assert_error!(client(&fake).list_tags().await, UpstreamError::BadAnswer { reason, .. } if reason.contains("realm"));
    }
}

#[tokio::test]
async fn basic_is_sent_only_after_its_challenge() {
    let fake = FakeRegistry::start().await;
    fake.add_image(REPOSITORY, "x", &[]);
    fake.require_basic("me", "secret");
    let client = client_with(with_password(&fake));
    client.head_manifest(&by_tag("x")).await.unwrap().unwrap();
    client.head_manifest(&by_tag("x")).await.unwrap().unwrap();
    let sent = Some(basic("me", "secret"));
    assert_eq!(authorizations(&fake), [None, sent.clone(), sent]);
}

#[tokio::test]
async fn basic_that_is_refused_or_missing_is_unauthorized() {
    let fake = FakeRegistry::start().await;
    fake.require_basic("me", "other");
    assert_error!(client_with(with_password(&fake)).head_manifest(&by_tag("x")).await, UpstreamError::Unauthorized { reason, .. } if reason == "the user name or the password was not accepted");
    assert_eq!(fake.count("HEAD", ""), 2);
    assert_error!(client(&fake).head_manifest(&by_tag("x")).await, UpstreamError::Unauthorized { reason, .. } if reason == "no user name and password are set");
    assert_eq!(fake.count("HEAD", ""), 3);
}
