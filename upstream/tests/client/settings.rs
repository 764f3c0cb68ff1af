//! Settings that cannot be used are refused with the field's name; the others reach the wire.

use registry::Clock;
use upstream::{Client, UpstreamConfig, UpstreamError};

use crate::faults::FakeRegistry;
use crate::tls_front::{CLIENT, OTHER_KEY};
use crate::{REPOSITORY, by_tag, client_with, config};

/// The field that a setting is refused with.
fn refused(change: impl FnOnce(&mut UpstreamConfig)) -> &'static str {
    let mut config = config("https://registry.example");
    change(&mut config);
    match Client::new(config, Clock::system()) {
        Err(UpstreamError::Setting { field, reason }) => {
            assert!(!reason.contains("secret"), "{reason}");
            field
        }
        Err(error) => panic!("{error:?}"),
        Ok(_) => "nothing",
    }
}

#[test]
fn a_setting_that_cannot_be_used_is_named() {
    let text = |text: &str| Some(text.to_owned());
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(refused(|_| ()), "nothing");
    assert_eq!(refused(|config| config.url = "ftp://x/".parse().unwrap()), "url");
    assert_eq!(refused(|config| config.url = "data:x".parse().unwrap()), "url");
    assert_eq!(refused(|config| config.url = "https://u:secret@x/".parse().unwrap()), "url");
    assert_eq!(refused(|config| config.ca_cert = text("secret")), "ca_cert");
    assert_eq!(refused(|config| config.ca_cert = text(garbage)), "ca_cert");
    assert_eq!(refused(|config| config.client_cert = text(CLIENT.0)), "client_key");
    assert_eq!(refused(|config| config.client_key = text(CLIENT.1)), "client_cert");
    let identity = |cert: &str, key: &str| {
        refused(|config| (config.client_cert, config.client_key) = (text(cert), text(key)))
    };
    assert_eq!(identity(CLIENT.0, CLIENT.1), "nothing");
    assert_eq!(identity("secret", CLIENT.1), "client_cert");
    assert_eq!(identity(CLIENT.0, "secret"), "client_key");
    assert_eq!(identity(CLIENT.0, OTHER_KEY), "client_key");
    for proxy in ["", "proxy", "ftp://proxy", "http://u:secret@"] {
        assert_eq!(refused(|config| config.proxy_url = text(proxy)), "proxy_url", "{proxy}");
    }
    for (name, value) in
        [("", "x"), ("a b", "x"), ("a", "secret\n"), ("Range", "x"), ("accept-encoding", "x"), ("Host", "x")]
    {
        assert_eq!(refused(|config| config.headers = vec![(name.into(), value.into())]), "headers", "{name}");
    }
}

#[tokio::test]
async fn custom_headers_and_the_clients_name_are_sent() {
    let fake = FakeRegistry::start().await;
    let mut config = config(&fake.url());
    config.headers = vec![("X-Key".into(), "a".into()), ("User-Agent".into(), "custom".into())];
    let client = client_with(config);
    assert_eq!(client.head_manifest(&by_tag("x")).await.unwrap(), None);
    let request = &fake.requests()[0];
    assert_eq!((request.header("x-key"), request.header("user-agent")), (Some("a"), Some("custom")));
    let plain = crate::client(&fake);
    plain.head_manifest(&by_tag("x")).await.unwrap();
    assert!(fake.requests()[1].header("user-agent").unwrap().starts_with("entrepot/"));
    assert_eq!(plain.config().repository.as_str(), REPOSITORY);
}
