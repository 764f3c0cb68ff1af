//! Blobs that arrive whole, or whose size is wrong.

use std::time::Duration;

use upstream::{Client, Limits, UpstreamError, Waiting};

use crate::faults::{FakeRegistry, Fault};
use crate::{REPOSITORY, assert_error, client, client_with, config, quick, read};

#[tokio::test]
async fn a_blob_is_one_request_with_or_without_its_size() {
    let fake = FakeRegistry::start().await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let blob = fake.add_blob(REPOSITORY, bytes.clone());
    let client = client(&fake);
    for size in [None, Some(3_000_000)] {
        let mut reader = client.open_blob(&blob, 0, size).await.unwrap();
        assert_eq!(reader.size_bytes(), Some(3_000_000), "the header tells it");
        let mut read = Vec::new();
        while let Some(chunk) = reader.chunk().await.unwrap() {
            read.extend_from_slice(&chunk);
        }
        assert!(read == bytes);
        assert_eq!(reader.chunk().await.unwrap(), None, "the end stays the end");
    }
    let line = format!("GET /v2/library/alpine/blobs/{blob}");
    assert_eq!(crate::seen(&fake), [(line.clone(), 200), (line, 200)]);
    assert_eq!(fake.requests()[0].header("range"), None);
}

#[tokio::test]
async fn reading_can_start_anywhere() {
    let fake = FakeRegistry::start().await;
    let blob = fake.add_blob(REPOSITORY, "0123456789");
    let client = client(&fake);
    assert_eq!(read(&client, &blob, 7, Some(10)).await.unwrap(), b"789");
    assert_eq!(read(&client, &blob, 7, None).await.unwrap(), b"789");
    assert_eq!(fake.requests()[0].header("range"), Some("bytes=7-"));
    // At the end there is nothing to ask for; if the end is unknown, the registry tells it.
    assert_eq!(read(&client, &blob, 10, Some(10)).await.unwrap(), b"");
    assert_eq!(client.request_count(), 2);
    assert_eq!(read(&client, &blob, 10, None).await.unwrap(), b"");
    assert_eq!(client.request_count(), 3);
    assert_error!(
        read(&client, &blob, 11, Some(10)).await,
        UpstreamError::SizeMismatch { expected_bytes: 10, actual_bytes: 11, .. }
    );
    assert_error!(
        read(&client, &blob, 11, None).await,
        UpstreamError::SizeMismatch { expected_bytes: 11, actual_bytes: 10, .. }
    );
    assert_eq!(client.request_count(), 4);
}

#[tokio::test]
async fn lengths_may_be_missing() {
    let fake = FakeRegistry::start().await;
    let blob = fake.add_blob(REPOSITORY, "0123456789");
    for fault in [Fault::Chunked, Fault::NoLength] {
        fake.heal();
        fake.on("GET", "").inject(fault);
        let client = client(&fake);
        for size in [None, Some(10)] {
            assert_eq!(read(&client, &blob, 0, size).await.unwrap(), b"0123456789");
        }
        assert_eq!(client.request_count(), 2);
    }
}

#[tokio::test]
async fn an_announced_size_that_differs_is_found_before_a_byte_is_read() {
    let fake = FakeRegistry::start().await;
    let blob = fake.add_blob(REPOSITORY, "0123456789");
    let client = client(&fake);
    for size in [9, 11] {
        assert_error!(client.open_blob(&blob, 0, Some(size)).await, UpstreamError::SizeMismatch { expected_bytes, actual_bytes: 10, .. } if *expected_bytes == size);
        assert_error!(
            client.open_blob(&blob, 5, Some(size)).await,
            UpstreamError::SizeMismatch { actual_bytes: 10, .. }
        );
    }
    assert_eq!(client.request_count(), 4);
}

#[tokio::test]
async fn an_unannounced_size_that_differs_is_found_too() {
    let fake = FakeRegistry::start().await;
    let blob = fake.add_blob(REPOSITORY, "0123456789");
    let client = client(&fake);
    fake.on("GET", "").inject(Fault::Chunked);
    assert_error!(
        read(&client, &blob, 0, Some(9)).await,
        UpstreamError::SizeMismatch { expected_bytes: 9, actual_bytes: 10, .. }
    );
    assert_error!(
        read(&client, &blob, 0, Some(11)).await,
        UpstreamError::SizeMismatch { expected_bytes: 11, actual_bytes: 10, .. }
    );
    assert_eq!(client.request_count(), 2);
    // Without chunks the connection may as well have broken: whether there is more has to be asked.
    fake.heal();
    fake.on("GET", "").nth(1).inject(Fault::NoLength);
    assert_error!(
        read(&client, &blob, 0, Some(11)).await,
        UpstreamError::SizeMismatch { expected_bytes: 11, actual_bytes: 10, .. }
    );
    assert_eq!(fake.requests()[3].header("range"), Some("bytes=10-"));
    assert_eq!((fake.requests()[3].status, client.request_count()), (416, 4));
}

#[tokio::test]
async fn failures_to_open_are_tried_again_or_given() {
    let fake = FakeRegistry::start().await;
    let blob = fake.add_blob(REPOSITORY, "0123456789");
    let client = client(&fake);
    fake.on("GET", "").times(3).inject(Fault::status(503));
    assert_eq!(read(&client, &blob, 0, Some(10)).await.unwrap(), b"0123456789");
    assert_eq!(client.request_count(), 4);
    fake.on("GET", "").times(4).inject(Fault::status(503));
    assert_error!(client.open_blob(&blob, 0, Some(10)).await, UpstreamError::Status { code: 503, .. });
    assert_eq!(client.request_count(), 8);
    fake.remove_blob(REPOSITORY, &blob);
    assert_error!(client.open_blob(&blob, 0, Some(10)).await, UpstreamError::NotFound { .. });
    assert_eq!(client.request_count(), 9);
}

#[tokio::test]
async fn compressed_blobs_are_refused() {
    let fake = FakeRegistry::start().await;
    let blob = fake.add_blob(REPOSITORY, "0123456789");
    fake.on("GET", "").inject(Fault::Header("Content-Encoding", "br".into()));
    let client = client(&fake);
    for offset in [0, 3] {
        assert_error!(client.open_blob(&blob, offset, None).await, UpstreamError::ContentEncoding { encoding, .. } if encoding == "br");
    }
    assert_eq!(client.request_count(), 2);
}

#[tokio::test]
async fn a_dripping_blob_is_too_slow() {
    let fake = FakeRegistry::start().await;
    let blob = fake.add_blob(REPOSITORY, vec![0; 1000]);
    fake.on("GET", "").inject(Fault::Drip { piece: 1, every: Duration::from_millis(10) });
    let limits = Limits { floor_window: Duration::from_millis(200), ..quick() };
    let client = Client::with_limits(config(&fake.url()), registry::Clock::system(), limits).unwrap();
    assert_error!(read(&client, &blob, 0, None).await, UpstreamError::TooSlow { received_bytes: 1..=21, waited, .. } if waited.as_millis() >= 200);
    assert_eq!(client.request_count(), 1);
}

#[tokio::test]
async fn a_slow_reader_is_not_the_upstreams_fault() {
    let fake = FakeRegistry::start().await;
    let blob = fake.add_blob(REPOSITORY, "0123456789");
    let limits = Limits { floor_window: Duration::from_millis(200), ..quick() };
    let client = Client::with_limits(config(&fake.url()), registry::Clock::system(), limits).unwrap();
    let mut reader = client.open_blob(&blob, 0, None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(reader.chunk().await.unwrap().unwrap(), "0123456789");
}

#[tokio::test]
async fn a_permit_is_held_while_a_reader_lives() {
    let fake = FakeRegistry::start().await;
    let blob = fake.add_blob(REPOSITORY, "0123456789");
    let mut config = config(&fake.url());
    config.download_concurrency = Some(1);
    let client = client_with(config);
    let reader = client.open_blob(&blob, 0, None).await.unwrap();
    let second = tokio::time::timeout(Duration::from_millis(100), client.open_blob(&blob, 0, None)).await;
    assert!(second.is_err(), "it has to wait");
    assert_eq!(client.request_count(), 1);
    drop(reader);
    assert_eq!(read(&client, &blob, 0, None).await.unwrap(), b"0123456789");
}

#[tokio::test]
async fn the_total_timeout_bounds_each_request() {
    let fake = FakeRegistry::start().await;
    let blob = fake.add_blob(REPOSITORY, "0123456789");
    fake.on("GET", "").inject(Fault::Drip { piece: 1, every: Duration::from_millis(40) });
    let mut config = config(&fake.url());
    (config.total_timeout, config.max_retries) = (Some(Duration::from_millis(100)), Some(0));
    assert_error!(read(&client_with(config), &blob, 0, None).await, UpstreamError::Timeout { waiting: Waiting::End, limit, .. } if limit.as_millis() == 100);
}
