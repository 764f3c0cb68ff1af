//! Blobs whose connection breaks: they go on by `Range` from where they stopped.

use std::time::Duration;

use registry::{Clock, Digest};
use upstream::{Client, Limits, UpstreamError, Waiting};

use crate::faults::{FakeRegistry, Fault};
use crate::{REPOSITORY, assert_error, client, client_with, config, quick, read};

const BLOB: &[u8] = b"0123456789abcdefghij";

async fn with_blob() -> (FakeRegistry, Digest) {
    let fake = FakeRegistry::start().await;
    let blob = fake.add_blob(REPOSITORY, BLOB);
    (fake, blob)
}

fn ranges(fake: &FakeRegistry) -> Vec<Option<String>> {
    fake.requests().iter().map(|request| request.header("range").map(str::to_owned)).collect()
}

/// The `Range` of requests that start at these offsets.
fn starts<const N: usize>(offsets: [u64; N]) -> Vec<Option<String>> {
    offsets.map(|offset| (offset > 0).then(|| format!("bytes={offset}-"))).to_vec()
}

#[tokio::test]
async fn a_cut_connection_goes_on_where_it_stopped() {
    for (size, offset) in [(Some(20), 0), (None, 0), (Some(20), 2)] {
        let (fake, blob) = with_blob().await;
        fake.on("GET", "").times(2).inject(Fault::CutAfter(5));
        let start = usize::try_from(offset).unwrap();
        assert_eq!(read(&client(&fake), &blob, offset, size).await.unwrap(), &BLOB[start..]);
        assert_eq!(ranges(&fake), starts([offset, offset + 5, offset + 10]));
    }
}

#[tokio::test]
async fn an_end_without_length_that_comes_too_soon_is_a_cut() {
    let (fake, blob) = with_blob().await;
    fake.on("GET", "").nth(1).inject(Fault::NoLength);
    fake.on("GET", "").nth(1).inject(Fault::CutAfter(5));
    assert_eq!(read(&client(&fake), &blob, 0, Some(20)).await.unwrap(), BLOB);
    assert_eq!(ranges(&fake), starts([0, 5]));
}

#[tokio::test]
async fn a_cut_within_a_chunk_goes_on_too() {
    let (fake, blob) = with_blob().await;
    fake.on("GET", "").nth(1).inject(Fault::Chunked);
    fake.on("GET", "").nth(1).inject(Fault::CutAfter(5));
    assert_eq!(read(&client(&fake), &blob, 0, Some(20)).await.unwrap(), BLOB);
    assert_eq!(ranges(&fake), starts([0, 5]));
}

#[tokio::test]
async fn silence_goes_on_too() {
    let (fake, blob) = with_blob().await;
    let until = std::sync::Arc::new(tokio::sync::Notify::new());
    fake.on("GET", "").nth(1).inject(Fault::Hold { after: 5, until });
    let mut config = config(&fake.url());
    config.sock_read_timeout = Some(Duration::from_millis(100));
    assert_eq!(read(&client_with(config), &blob, 0, Some(20)).await.unwrap(), BLOB);
    assert_eq!(ranges(&fake), starts([0, 5]));
}

#[tokio::test]
async fn a_server_that_ignores_range_is_read_again_and_skipped() {
    let (fake, blob) = with_blob().await;
    fake.on("GET", "").inject(Fault::IgnoreRange);
    fake.on("GET", "").nth(1).inject(Fault::CutAfter(5));
    // The second answer breaks off before anything new.
    fake.on("GET", "").nth(2).inject(Fault::CutAfter(3));
    fake.on("GET", "").nth(3).inject(Fault::CutAfter(9));
    assert_eq!(read(&client(&fake), &blob, 0, Some(20)).await.unwrap(), BLOB);
    assert_eq!(ranges(&fake), starts([0, 5, 5, 9]));
    fake.forget_requests();
    assert_eq!(read(&client(&fake), &blob, 12, None).await.unwrap(), &BLOB[12..]);
    assert_eq!(ranges(&fake), starts([12]));
}

#[tokio::test]
async fn without_progress_the_budget_ends() {
    let (fake, blob) = with_blob().await;
    fake.on("GET", "").nth(1).inject(Fault::CutAfter(5));
    fake.on("GET", "").nth(2).times(usize::MAX).inject(Fault::CutAfter(0));
    let result = read(&client(&fake), &blob, 0, Some(20)).await;
    assert_error!(result, UpstreamError::Truncated { expected_bytes: 15, received_bytes: 0, .. });
    assert_eq!(ranges(&fake), starts([0, 5, 5, 5]), "the cut and three retries");
}

#[tokio::test]
async fn refusals_to_go_on_count_as_failures_and_progress_renews_the_budget() {
    let (fake, blob) = with_blob().await;
    fake.on("GET", "").nth(1).inject(Fault::CutAfter(5));
    fake.on("GET", "").nth(2).times(2).inject(Fault::status(500));
    fake.on("GET", "").nth(4).inject(Fault::CutAfter(5));
    fake.on("GET", "").nth(5).times(2).inject(Fault::status_with(429, "Retry-After", "0"));
    assert_eq!(read(&client(&fake), &blob, 0, Some(20)).await.unwrap(), BLOB);
    assert_eq!(ranges(&fake), starts([0, 5, 5, 5, 10, 10, 10]));
    fake.heal();
    fake.on("GET", "").nth(1).inject(Fault::CutAfter(5));
    fake.on("GET", "").nth(2).inject(Fault::status(404));
    assert_error!(read(&client(&fake), &blob, 0, Some(20)).await, UpstreamError::NotFound { .. });
}

#[tokio::test]
async fn crumbs_are_bounded_though_they_are_progress() {
    let (fake, blob) = with_blob().await;
    let limits = Limits { blob_resumes: 7, ..quick() };
    let client = Client::with_limits(config(&fake.url()), Clock::system(), limits).unwrap();
    fake.on("GET", "").inject(Fault::CutAfter(1));
    assert_error!(read(&client, &blob, 0, Some(20)).await, UpstreamError::Truncated { .. });
    assert_eq!(client.request_count(), 8);
}

#[tokio::test]
async fn answers_that_bring_much_are_not_bounded() {
    let fake = FakeRegistry::start().await;
    let bytes = vec![7; 5 * 1024 * 1024];
    let blob = fake.add_blob(REPOSITORY, bytes.clone());
    let limits = Limits { blob_resumes: 1, ..quick() };
    let client = Client::with_limits(config(&fake.url()), Clock::system(), limits).unwrap();
    fake.on("GET", "").times(4).inject(Fault::CutAfter(1024 * 1024));
    assert!(read(&client, &blob, 0, None).await.unwrap() == bytes);
    assert_eq!(client.request_count(), 5);
}

#[tokio::test]
async fn a_range_that_lies_is_refused_at_once() {
    for lie in ["bytes 4-19/20", "bytes 5-19/21", "bytes 5-18/20", "bytes 5-20/20", "bytes */20", "x", ""] {
        let (fake, blob) = with_blob().await;
        fake.on("GET", "").nth(1).inject(Fault::CutAfter(5));
        fake.on("GET", "").nth(2).inject(Fault::Header("Content-Range", lie.into()));
        let result = read(&client(&fake), &blob, 0, None).await;
        assert_error!(result, UpstreamError::BadAnswer { .. });
        assert_eq!(fake.count("GET", ""), 2, "{lie}");
    }
    let (fake, blob) = with_blob().await;
    fake.on("GET", "").nth(1).inject(Fault::CutAfter(5));
    fake.on("GET", "").nth(2).inject(Fault::Header("Content-Range", "bytes 5-19/21".into()));
    assert_error!(
        read(&client(&fake), &blob, 0, Some(20)).await,
        UpstreamError::SizeMismatch { expected_bytes: 20, actual_bytes: 21, .. }
    );
}

#[tokio::test]
async fn a_part_that_nobody_asked_for_is_refused() {
    let (fake, blob) = with_blob().await;
    let headers = vec![("Content-Range".to_owned(), "bytes 0-4/20".to_owned())];
    fake.on("GET", "").inject(Fault::Answer { status: 206, headers, body: "01234".into() });
    assert_error!(client(&fake).open_blob(&blob, 0, None).await, UpstreamError::BadAnswer { .. });
    assert_eq!(fake.count("GET", ""), 1);
}

#[tokio::test]
async fn shorter_parts_than_asked_for_are_put_together() {
    let (fake, blob) = with_blob().await;
    let part = |range: &str, body: &'static [u8]| Fault::Answer {
        status: 206,
        headers: vec![("Content-Range".to_owned(), range.to_owned())],
        body: body.into(),
    };
    fake.on("GET", "").nth(1).inject(part("bytes 10-13/20", b"abcd"));
    fake.on("GET", "").nth(2).inject(part("bytes 14-15/*", b"ef"));
    assert_eq!(read(&client(&fake), &blob, 10, None).await.unwrap(), &BLOB[10..]);
    assert_eq!(ranges(&fake), starts([10, 14, 16]));
}

#[tokio::test]
async fn a_total_timeout_with_progress_goes_on() {
    let (fake, blob) = with_blob().await;
    fake.on("GET", "").nth(1).inject(Fault::Drip { piece: 5, every: Duration::from_millis(150) });
    let mut config = config(&fake.url());
    config.total_timeout = Some(Duration::from_millis(200));
    assert_eq!(read(&client_with(config), &blob, 0, Some(20)).await.unwrap(), BLOB);
    assert_eq!(ranges(&fake), starts([0, 10]));
}

#[tokio::test]
async fn after_an_error_reading_again_starts_from_the_same_place() {
    let (fake, blob) = with_blob().await;
    let until = std::sync::Arc::new(tokio::sync::Notify::new());
    fake.on("GET", "").nth(1).inject(Fault::Hold { after: 5, until });
    let mut config = config(&fake.url());
    (config.sock_read_timeout, config.max_retries) = (Some(Duration::from_millis(50)), Some(0));
    let mut reader = client_with(config).open_blob(&blob, 0, Some(20)).await.unwrap();
    assert_eq!(reader.chunk().await.unwrap().unwrap(), &BLOB[..5]);
    assert_error!(reader.chunk().await, UpstreamError::Timeout { waiting: Waiting::More, .. });
    assert_eq!(reader.chunk().await.unwrap().unwrap(), &BLOB[5..]);
    assert_eq!(reader.chunk().await.unwrap(), None);
}
