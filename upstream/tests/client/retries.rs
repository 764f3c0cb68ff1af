//! What is tried again, how often, and after how long.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use upstream::{Client, Limits, UpstreamError, Waiting};

use crate::faults::{FakeRegistry, Fault};
use crate::{REPOSITORY, assert_error, by_tag, client, client_with, config, quick};

async fn with_image() -> FakeRegistry {
    let fake = FakeRegistry::start().await;
    fake.add_image(REPOSITORY, "x", &[b"layer"]);
    fake
}

#[tokio::test]
async fn passing_failures_are_tried_again() {
    for status in [408, 429, 500, 502, 503, 504] {
        let fake = with_image().await;
        fake.on("GET", "").times(3).inject(Fault::status(status));
        client(&fake).get_manifest(&by_tag("x")).await.unwrap();
        assert_eq!(fake.count("GET", ""), 4, "{status}");
    }
    let fake = with_image().await;
    fake.on("GET", "").times(3).inject(Fault::CutBeforeAnswer);
    client(&fake).get_manifest(&by_tag("x")).await.unwrap();
    assert_eq!(fake.count("GET", ""), 4);
}

#[tokio::test]
async fn after_max_retries_the_last_error_is_given() {
    let fake = with_image().await;
    fake.on("GET", "").inject(Fault::Answer {
        status: 500,
        headers: vec![],
        body: r#"{"errors":[{"code":"UNKNOWN","message":"disk full"}]}"#.into(),
    });
    let error = client(&fake).get_manifest(&by_tag("x")).await.unwrap_err();
    let url = format!("{}/v2/library/alpine/manifests/x", fake.url());
    assert_eq!(error.to_string(), format!("{url} answered with status 500: UNKNOWN: disk full"));
    assert!(error.is_transient());
    assert_eq!(fake.count("GET", ""), 4);
    for (retries, requests) in [(0, 5), (1, 7)] {
        let mut config = config(&fake.url());
        config.max_retries = Some(retries);
        assert_error!(
            client_with(config).get_manifest(&by_tag("x")).await,
            UpstreamError::Status { code: 500, .. }
        );
        assert_eq!(fake.count("GET", ""), requests);
    }
}

#[tokio::test]
async fn lasting_failures_are_not_tried_again() {
    let fake = with_image().await;
    for status in [204, 304, 400, 402, 403, 404, 405, 410, 418, 451] {
        fake.heal();
        fake.forget_requests();
        fake.on("GET", "").inject(Fault::status(status));
        let error = client(&fake).get_manifest(&by_tag("x")).await.unwrap_err();
        match status {
            403 => assert!(matches!(error, UpstreamError::Forbidden { .. }), "{error:?}"),
            404 => assert!(matches!(error, UpstreamError::NotFound { .. }), "{error:?}"),
            _ => assert!(matches!(error, UpstreamError::Status { code, .. } if code == status), "{error:?}"),
        }
        assert!(!error.is_transient());
        assert_eq!(fake.count("GET", ""), 1, "{status}");
    }
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    for (status, value) in [(429, "1"), (503, "1"), (429, "Thu, 01 Jan 1970 00:00:01 GMT")] {
        let fake = with_image().await;
        fake.on("GET", "").times(1).inject(Fault::status_with(status, "Retry-After", value));
        let limits = Limits { retry_after_max: Duration::from_secs(5), ..quick() };
        let clock = registry::Clock::steered(registry::Timestamp::from_micros(0));
        let client = Client::with_limits(config(&fake.url()), clock, limits).unwrap();
        let started = Instant::now();
        client.get_manifest(&by_tag("x")).await.unwrap();
        assert!(started.elapsed() >= Duration::from_secs(1), "{status} {value}");
        assert_eq!(fake.count("GET", ""), 2);
    }
}

#[tokio::test]
async fn retry_after_is_bounded_and_given_in_the_error() {
    let fake = with_image().await;
    fake.on("GET", "").inject(Fault::status_with(429, "Retry-After", "86400"));
    let error = client(&fake).get_manifest(&by_tag("x")).await;
    assert_error!(error, UpstreamError::RateLimited { retry_after: Some(asked), .. } if asked.as_secs() == 86400);
    assert_eq!(fake.count("GET", ""), 4);
}

#[tokio::test]
async fn a_closed_port_is_a_connect_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = client_with(config(&format!("http://{address}")));
    let error = client.get_manifest(&by_tag("x")).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Connect { .. }) && error.is_transient(), "{error:?}");
    assert!(error.is_unreachable() && error.to_string().contains("Connection refused"), "{error}");
    assert_eq!(client.request_count(), 2, "it has never answered");
}

#[tokio::test]
async fn an_unknown_host_is_tried_again_once() {
    let client = client_with(config("http://registry.invalid"));
    let error = client.get_manifest(&by_tag("x")).await.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    assert_eq!(client.request_count(), 2);
}

#[tokio::test]
async fn a_host_that_has_answered_is_given_every_retry() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_with(config(&format!("http://{}", listener.local_addr().unwrap())));
    let once = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    });
    assert_eq!(client.head_manifest(&by_tag("x")).await.unwrap(), None);
    once.await.unwrap();
    let error = client.head_manifest(&by_tag("x")).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Connect { is_first_contact: false, .. }), "{error:?}");
    assert_eq!(client.request_count(), 1 + 4);
}

#[tokio::test]
async fn garbage_instead_of_http_is_a_broken_connection() {
    let fake = with_image().await;
    fake.on("GET", "").inject(Fault::Header("Bad Name", "x".into()));
    let client = client(&fake);
    assert_error!(client.get_manifest(&by_tag("x")).await, UpstreamError::Broken { .. });
    assert_eq!(client.request_count(), 4);
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(&format!("http://{}", listener.local_addr().unwrap()));
    config.max_retries = Some(1);
    config.total_timeout = Some(Duration::from_millis(100));
    let client = client_with(config);
    assert_error!(client.get_manifest(&by_tag("x")).await, UpstreamError::Timeout { waiting: Waiting::Answer, limit, .. } if limit.as_millis() == 100);
    assert_eq!(client.request_count(), 2);
}

#[tokio::test]
async fn the_rate_limit_spreads_requests() {
    let fake = with_image().await;
    let mut config = config(&fake.url());
    config.rate_limit = Some(20);
    let client = client_with(config);
    let started = Instant::now();
    let heads = (0..11).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.head_manifest(&by_tag("x")).await.unwrap() })
    });
    for head in heads.collect::<Vec<_>>() {
        head.await.unwrap();
    }
    assert!(started.elapsed() >= Duration::from_millis(500));
    assert_eq!(fake.count("HEAD", ""), 11);
}

#[tokio::test]
async fn no_more_requests_at_a_time_than_allowed() {
    let fake = with_image().await;
    fake.on("GET", "").inject(Fault::Drip { piece: 1000, every: Duration::from_millis(20) });
    let mut config = config(&fake.url());
    config.download_concurrency = Some(3);
    let client = client_with(config);
    let gets = (0..12).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.get_manifest(&by_tag("x")).await.unwrap() })
    });
    for get in gets.collect::<Vec<_>>() {
        get.await.unwrap();
    }
    assert_eq!(fake.busiest(), 3);
}
