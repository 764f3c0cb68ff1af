//! Redirects: followed within bounds, and never with somebody else's secrets.

use upstream::UpstreamError;

use crate::faults::{FakeRegistry, Fault, Tokens};
use crate::{REPOSITORY, assert_error, by_tag, client, client_with, config, read};

#[tokio::test]
async fn a_blob_on_another_host_gets_neither_credentials_nor_custom_headers() {
    let (fake, storage) = (FakeRegistry::start().await, FakeRegistry::start().await);
    let blob = fake.add_blob(REPOSITORY, "0123456789");
    storage.add_file("/bucket/blob", "0123456789");
    fake.require_tokens(Tokens::default());
    let signed = format!("http://u:p@{}/bucket/blob?X-Amz-Signature=secret#x", storage.address());
    fake.on("GET", "/blobs/").inject(Fault::redirect(&signed));
    let mut config = config(&fake.url());
    config.headers = vec![("X-Key".into(), "mine".into())];
    let bytes = read(&client_with(config), &blob, 4, Some(10)).await.unwrap();
    assert_eq!(bytes, b"456789");
    let asked = &storage.requests()[0];
    assert_eq!(asked.path, "/bucket/blob?X-Amz-Signature=secret");
    assert_eq!((asked.header("authorization"), asked.header("x-key")), (None, None));
    assert_eq!(
        (asked.header("range"), asked.header("accept-encoding")),
        (Some("bytes=4-"), Some("identity"))
    );
    let last = &fake.requests()[2];
    assert_eq!((last.header("authorization"), last.header("x-key")), (Some("Bearer token-1"), Some("mine")));
}

#[tokio::test]
async fn what_left_its_origin_gets_nothing_when_it_comes_back() {
    let (fake, other) = (FakeRegistry::start().await, FakeRegistry::start().await);
    fake.add_image(REPOSITORY, "x", &[]);
    fake.require_tokens(Tokens::default());
    fake.add_file("/back", "{}");
    fake.on("GET", "/manifests/").inject(Fault::redirect(&format!("{}/away", other.url())));
    other.on("GET", "/away").inject(Fault::redirect(&format!("{}/back", fake.url())));
    let mut config = config(&fake.url());
    config.headers = vec![("X-Key".into(), "mine".into())];
    client_with(config).get_manifest(&by_tag("x")).await.unwrap();
    let requests = fake.requests();
    let back = requests.last().unwrap();
    assert_eq!(
        (back.path.as_str(), back.header("authorization"), back.header("x-key")),
        ("/back", None, None)
    );
}

#[tokio::test]
async fn credentials_stay_within_the_same_origin() {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(REPOSITORY, "x", &[]);
    fake.require_tokens(Tokens::default());
    let elsewhere = format!("/v2/library/alpine/manifests/{}", image.manifest);
    fake.on("GET", "/manifests/x").inject(Fault::redirect(&elsewhere));
    client(&fake).get_manifest(&by_tag("x")).await.unwrap();
    let requests = fake.requests();
    assert_eq!(requests.last().unwrap().path, elsewhere);
    assert_eq!(requests.last().unwrap().header("authorization"), Some("Bearer token-1"));
}

#[tokio::test]
async fn a_401_from_another_host_is_not_answered() {
    let (fake, other) = (FakeRegistry::start().await, FakeRegistry::start().await);
    other.require_basic("me", "secret");
    fake.on("GET", "").inject(Fault::redirect(&format!("{}/v2/library/alpine/manifests/x", other.url())));
    let mut config = config(&fake.url());
    (config.username, config.password) = (Some("me".into()), Some("secret".into()));
    assert_error!(client_with(config).get_manifest(&by_tag("x")).await, UpstreamError::Unauthorized { url, .. } if url.as_str().starts_with(&other.url()));
    assert_eq!((fake.count("*", ""), other.count("*", "")), (1, 1));
}

#[tokio::test]
async fn loops_end_at_once() {
    let fake = FakeRegistry::start().await;
    fake.on("GET", "/manifests/x").inject(Fault::redirect("/b"));
    fake.on("GET", "/b").inject(Fault::redirect("/v2/library/alpine/manifests/x"));
    let url = format!("{}/v2/library/alpine/manifests/x", fake.url());
    assert_error!(client(&fake).get_manifest(&by_tag("x")).await, UpstreamError::RedirectLoop { url: from, to } if from.as_str() == url && to.as_str() == url);
    assert_eq!(fake.count("GET", ""), 2);
    fake.heal();
    fake.on("HEAD", "").inject(Fault::redirect(&url));
    assert_error!(client(&fake).head_manifest(&by_tag("x")).await, UpstreamError::RedirectLoop { .. });
    assert_eq!(fake.count("HEAD", ""), 1);
}

#[tokio::test]
async fn five_redirects_are_followed_and_six_are_not() {
    let fake = FakeRegistry::start().await;
    fake.add_file("/end", "{}");
    fake.on("GET", "/manifests/x").inject(Fault::redirect("/hop/1"));
    for hop in 1..=4 {
        let next = if hop == 4 { "/end".to_owned() } else { format!("/hop/{}", hop + 1) };
        fake.on("GET", &format!("/hop/{hop}")).inject(Fault::redirect(&next));
    }
    assert_eq!(&client(&fake).get_manifest(&by_tag("x")).await.unwrap().bytes[..], b"{}");
    fake.on("GET", "/end").inject(Fault::redirect("/hop/6"));
    assert_error!(
        client(&fake).get_manifest(&by_tag("x")).await,
        UpstreamError::TooManyRedirects { limit: 5, .. }
    );
    assert_eq!(fake.count("GET", ""), 6 + 6);
}

#[tokio::test]
async fn redirects_to_nowhere_are_refused() {
    let fake = FakeRegistry::start().await;
    for (location, reason) in
        [("ftp://x/", "neither http nor https"), ("http://[", "malformed"), ("file:///etc/passwd", "neither")]
    {
        fake.heal();
        fake.on("GET", "").inject(Fault::redirect(location));
        assert_error!(client(&fake).get_manifest(&by_tag("x")).await, UpstreamError::BadAnswer { reason: said, .. } if said.contains(reason));
    }
    fake.heal();
    fake.on("GET", "").inject(Fault::status(302));
    assert_error!(client(&fake).get_manifest(&by_tag("x")).await, UpstreamError::BadAnswer { reason, .. } if reason == "a redirect without Location");
    assert_eq!(fake.count("GET", ""), 4);
}

#[tokio::test]
async fn errors_hide_the_signature_of_a_redirect() {
    let (fake, storage) = (FakeRegistry::start().await, FakeRegistry::start().await);
    fake.on("GET", "").inject(Fault::redirect(&format!("{}/blob?sig=secret", storage.url())));
    storage.on("GET", "").inject(Fault::status(403));
    let error = client(&fake).get_manifest(&by_tag("x")).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{}/blob forbids access (403)", storage.url()));
    assert!(!format!("{error:?}").contains("secret"));
}
