//! Proxies: they are used, and their failures are told from the registry's.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use upstream::UpstreamError;

use crate::faults::{FakeRegistry, Fault, basic};
use crate::{REPOSITORY, by_tag, client_with, config};

const MANIFEST: &str = "registry.invalid/v2/library/alpine/manifests/x";

#[tokio::test]
async fn a_proxy_is_used_with_its_credentials() {
    // As a proxy it is asked for the absolute URL of a host that does not exist.
    let proxy = FakeRegistry::start().await;
    proxy.add_image(REPOSITORY, "x", &[]);
    let mut config = config("http://registry.invalid");
    config.proxy_url = Some(proxy.url());
    (config.proxy_username, config.proxy_password) = (Some("me".into()), Some("secret".into()));
    client_with(config).head_manifest(&by_tag("x")).await.unwrap().unwrap();
    let request = &proxy.requests()[0];
    assert_eq!(request.path, "http://registry.invalid/v2/library/alpine/manifests/x");
    assert_eq!(request.header("proxy-authorization"), Some(basic("me", "secret").as_str()));
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_named_without_its_credentials() {
    for scheme in ["http", "https"] {
        let mut config = config(&format!("{scheme}://registry.invalid"));
        config.proxy_url = Some("http://me:secret@127.0.0.1:1".into());
        let client = client_with(config);
        let error = client.head_manifest(&by_tag("x")).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Proxy { .. }) && error.is_unreachable(), "{error:?}");
        let expected = format!(
            "cannot connect to {scheme}://{MANIFEST} through the proxy http://127.0.0.1:1/: \
             the proxy cannot be reached: Connection refused (os error 111)"
        );
        assert_eq!((error.to_string(), client.request_count()), (expected, 2));
    }
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_is_named() {
    let proxy = FakeRegistry::start().await;
    proxy.on("*", "").inject(Fault::status(407));
    let mut config = config("http://registry.invalid");
    config.proxy_url = Some(proxy.url());
    let error = client_with(config.clone()).head_manifest(&by_tag("x")).await.unwrap_err();
    let expected = format!(
        "the proxy {}/ refused access to http://{MANIFEST} (407): \
         it asks for a user name and a password, and none are set for the proxy",
        proxy.url()
    );
    assert!(!error.is_transient());
    assert_eq!((error.to_string(), proxy.requests().len()), (expected, 1));

    (config.proxy_username, config.proxy_password) = (Some("me".into()), Some("secret".into()));
    let error = client_with(config).head_manifest(&by_tag("x")).await.unwrap_err().to_string();
    assert!(
        error.ends_with("(407): the user name or the password for the proxy was not accepted"),
        "{error}"
    );
}

/// Answers every `CONNECT` alike.
async fn tunnels_answering(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn a_tunnel_that_is_refused_is_the_proxys_doing() {
    let mut config = config("https://registry.invalid");
    config.proxy_url = Some(tunnels_answering("407 Proxy Authentication Required").await);
    let client = client_with(config.clone());
    let error = client.head_manifest(&by_tag("x")).await.unwrap_err();
    assert!(matches!(error, UpstreamError::ProxyUnauthorized { .. }), "{error:?}");
    assert_eq!(client.request_count(), 1);

    let proxy = tunnels_answering("502 Bad Gateway").await;
    config.proxy_url = Some(proxy.clone());
    let error = client_with(config).head_manifest(&by_tag("x")).await.unwrap_err();
    let expected = format!(
        "cannot connect to https://{MANIFEST} through the proxy {proxy}/: tunnel error: unsuccessful"
    );
    assert_eq!(error.to_string(), expected);
}
