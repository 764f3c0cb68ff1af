//! TLS in front of the fake registry: trust, client certificates, and no way back to plain HTTP.
//!
//! The certificates in `tls/` were made by `openssl` for 100 years; the key of their CA is gone.

use std::sync::Arc;

use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use upstream::{UpstreamConfig, UpstreamError};

use crate::faults::{FakeRegistry, Fault, Tokens};
use crate::{REPOSITORY, assert_error, by_tag, client_with, config};

const CA: &str = include_str!("tls/ca.pem");
const SERVER: (&str, &str) = (include_str!("tls/server.pem"), include_str!("tls/server.key"));
pub(crate) const CLIENT: (&str, &str) = (include_str!("tls/client.pem"), include_str!("tls/client.key"));
pub(crate) const OTHER_KEY: &str = include_str!("tls/other.key");

/// Answers TLS on another port, and hands the plain bytes on to the fake. Gives the `https` URL.
async fn put_in_front_of(fake: &FakeRegistry, wants_client: bool) -> String {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER.1.as_bytes()).unwrap();
    let builder = ServerConfig::builder();
    let builder = if wants_client {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(CA)).unwrap();
        builder.with_client_cert_verifier(WebPkiClientVerifier::builder(roots.into()).build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let acceptor =
        TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![certificate(SERVER.0)], key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, target) = (format!("https://{}", listener.local_addr().unwrap()), fake.address());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let (mut near, mut far) = (acceptor.accept(stream).await?, TcpStream::connect(target).await?);
                copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    url
}

async fn with_image() -> FakeRegistry {
    let fake = FakeRegistry::start().await;
    fake.add_image(REPOSITORY, "x", &[]);
    fake
}

fn trusting(url: &str) -> UpstreamConfig {
    UpstreamConfig { ca_cert: Some(CA.into()), ..config(url) }
}

#[tokio::test]
async fn an_unknown_certificate_is_refused_unless_trusted_or_not_checked() {
    let fake = with_image().await;
    let url = put_in_front_of(&fake, false).await;
    let client = client_with(config(&url));
    let error = client.get_manifest(&by_tag("x")).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Tls { .. }) && !error.is_transient(), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!((client.request_count(), fake.count("*", "")), (1, 0));
    client_with(trusting(&url)).get_manifest(&by_tag("x")).await.unwrap();
    let unchecked = UpstreamConfig { tls_validation: false, ..config(&url) };
    client_with(unchecked).get_manifest(&by_tag("x")).await.unwrap();
    assert_eq!(fake.count("GET", ""), 2);
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let fake = with_image().await;
    let url = put_in_front_of(&fake, true).await;
    assert_error!(client_with(trusting(&url)).get_manifest(&by_tag("x")).await, UpstreamError::Tls { .. });
    let mut config = trusting(&url);
    (config.client_cert, config.client_key) = (Some(CLIENT.0.into()), Some(CLIENT.1.into()));
    client_with(config).get_manifest(&by_tag("x")).await.unwrap();
    assert_eq!(fake.count("GET", ""), 1);
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await?;
        stream.shutdown().await
    });
    assert_error!(client_with(config(&url)).get_manifest(&by_tag("x")).await, UpstreamError::Tls { .. });
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_refused() {
    let fake = with_image().await;
    let url = put_in_front_of(&fake, false).await;
    fake.on("GET", "").inject(Fault::redirect(&format!("{}/elsewhere?sig=secret", fake.url())));
    let result = client_with(trusting(&url)).get_manifest(&by_tag("x")).await;
    assert_error!(result, UpstreamError::InsecureRedirect { to, .. } if to.as_str() == format!("{}/elsewhere", fake.url()));
    assert_eq!(fake.count("GET", ""), 1);
}

#[tokio::test]
async fn a_password_is_not_sent_from_https_to_a_plain_realm() {
    let fake = with_image().await;
    let url = put_in_front_of(&fake, false).await;
    fake.require_tokens(Tokens::default());
    let mut config = trusting(&url);
    client_with(config.clone()).get_manifest(&by_tag("x")).await.unwrap();
    assert_eq!(fake.count("GET", "/token"), 1, "without a password there is nothing to lose");
    (config.username, config.password) = (Some("me".into()), Some("secret".into()));
    let result = client_with(config).get_manifest(&by_tag("x")).await;
    assert_error!(result, UpstreamError::InsecureRealm { realm, .. } if realm.as_str() == format!("{}/token", fake.url()));
    assert_eq!(fake.count("GET", "/token"), 1);
}

#[tokio::test]
async fn a_redirect_from_http_to_https_is_followed() {
    let (fake, storage) = (with_image().await, FakeRegistry::start().await);
    storage.add_file("/blob", "{}");
    let url = put_in_front_of(&storage, false).await;
    fake.on("GET", "").inject(Fault::redirect(&format!("{url}/blob")));
    client_with(trusting(&fake.url())).get_manifest(&by_tag("x")).await.unwrap();
    assert_eq!(storage.count("GET", "/blob"), 1);
}
