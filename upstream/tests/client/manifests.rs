//! Manifests: what is asked, what is verified.

use std::time::Duration;

use registry::{Algorithm, Digest, MAX_MANIFEST_BYTES, MediaType};
use upstream::{Client, Limits, ManifestHead, UpstreamError, Waiting};

use crate::faults::{FakeRegistry, Fault};
use crate::{REPOSITORY, assert_error, by_digest, by_tag, client, config, quick};

#[tokio::test]
async fn head_tells_what_a_tag_is() {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(REPOSITORY, "3.20", &[b"layer"]);
    let client = client(&fake);
    let head = client.head_manifest(&by_tag("3.20")).await.unwrap().unwrap();
    let expected = ManifestHead {
        digest: Some(image.manifest.clone()),
        media_type: Some(MediaType::OCI_MANIFEST.parse().unwrap()),
        size_bytes: Some(image.manifest_bytes.len() as u64),
    };
    assert_eq!(head, expected);
    assert_eq!(client.head_manifest(&by_tag("9")).await.unwrap(), None);
    let tag = |tag: &str| format!("HEAD /v2/library/alpine/manifests/{tag}");
    assert_eq!(crate::seen(&fake), [(tag("3.20"), 200), (tag("9"), 404)]);
}

#[tokio::test]
async fn head_does_without_headers_but_not_with_nonsense() {
    let fake = FakeRegistry::start().await;
    fake.add_image(REPOSITORY, "x", &[]);
    fake.on("HEAD", "").nth(1).inject(Fault::WithoutHeader("Docker-Content-Digest"));
    fake.on("HEAD", "").nth(1).inject(Fault::WithoutHeader("Content-Type"));
    fake.on("HEAD", "").nth(1).inject(Fault::NoLength);
    fake.on("HEAD", "").nth(2).inject(Fault::Header("Docker-Content-Digest", "sha256:x".into()));
    let client = client(&fake);
    let empty = ManifestHead { digest: None, media_type: None, size_bytes: None };
    assert_eq!(client.head_manifest(&by_tag("x")).await.unwrap(), Some(empty));
    assert_error!(client.head_manifest(&by_tag("x")).await, UpstreamError::BadAnswer { .. });
}

#[tokio::test]
async fn get_gives_the_bytes_as_received() {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(REPOSITORY, "3.20", &[b"layer"]);
    let client = client(&fake);
    for reference in [by_tag("3.20"), by_digest(&image.manifest)] {
        let fetched = client.get_manifest(&reference).await.unwrap();
        assert_eq!(fetched.digest, image.manifest);
        assert_eq!(fetched.bytes, image.manifest_bytes);
        assert_eq!(fetched.media_type.as_str(), MediaType::OCI_MANIFEST);
    }
    let accept = fake.requests()[0].header("accept").unwrap().to_owned();
    for media_type in MediaType::MANIFESTS {
        assert!(accept.contains(media_type), "{accept}");
    }
    assert!(accept.ends_with(", */*;q=0.1"), "{accept}");
    assert_error!(client.get_manifest(&by_tag("9")).await, UpstreamError::NotFound { .. });
    assert_eq!(client.request_count(), 3);
}

#[tokio::test]
async fn other_types_and_no_type_are_taken() {
    let fake = FakeRegistry::start().await;
    let digest = fake.add_manifest(REPOSITORY, "application/vnd.example.thing+json; charset=utf-8", "{}");
    let client = client(&fake);
    let fetched = client.get_manifest(&by_digest(&digest)).await.unwrap();
    assert_eq!(fetched.media_type.as_str(), "application/vnd.example.thing+json");
    fake.on("GET", "").inject(Fault::WithoutHeader("Content-Type"));
    let fetched = client.get_manifest(&by_digest(&digest)).await.unwrap();
    assert_eq!(fetched.media_type.as_str(), "application/octet-stream");
}

#[tokio::test]
async fn wrong_digests_are_found_at_once() {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(REPOSITORY, "x", &[b"layer"]);
    let client = client(&fake);
    let wrong = Digest::sha256_of(b"something else");
    fake.on("GET", "").nth(1).inject(Fault::Header("Docker-Content-Digest", wrong.to_string()));
    assert_error!(client.get_manifest(&by_tag("x")).await, UpstreamError::DigestMismatch { expected, actual, .. } if **expected == wrong && **actual == image.manifest);
    // Bytes that differ from what was asked for, with no header to compare them with.
    fake.on("GET", "").nth(1).inject(Fault::WrongBytes);
    fake.on("GET", "").nth(1).inject(Fault::WithoutHeader("Docker-Content-Digest"));
    assert_error!(client.get_manifest(&by_digest(&image.manifest)).await, UpstreamError::DigestMismatch { expected, .. } if **expected == image.manifest);
    fake.on("GET", "").nth(1).inject(Fault::WrongBytes);
    assert_error!(client.get_manifest(&by_tag("x")).await, UpstreamError::DigestMismatch { .. });
    assert_eq!(client.request_count(), 3);
}

#[tokio::test]
async fn sha512_is_verified_too() {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(REPOSITORY, "x", &[]);
    let digest = Digest::of(Algorithm::Sha512, &image.manifest_bytes);
    fake.on("GET", "").inject(Fault::Answer {
        status: 200,
        headers: vec![],
        body: image.manifest_bytes.clone(),
    });
    let client = client(&fake);
    assert_eq!(client.get_manifest(&by_digest(&digest)).await.unwrap().digest, digest);
    let other = Digest::of(Algorithm::Sha512, b"");
    assert_error!(client.get_manifest(&by_digest(&other)).await, UpstreamError::DigestMismatch { .. });
}

#[tokio::test]
async fn a_signed_schema_1_manifest_has_the_digest_of_what_is_signed() {
    let fake = FakeRegistry::start().await;
    // {"formatLength":21,"formatTail":"Cn0"}
    let protected = "eyJmb3JtYXRMZW5ndGgiOjIxLCJmb3JtYXRUYWlsIjoiQ24wIn0";
    let signed = format!("{{\"schemaVersion\":    1,\"signatures\":[{{\"protected\":\"{protected}\"}}]}}");
    let payload = Digest::sha256_of(b"{\"schemaVersion\":    \n}");
    let stored = fake.add_manifest(REPOSITORY, MediaType::DOCKER_SCHEMA1_SIGNED, signed.clone());
    fake.tag(REPOSITORY, "old", &stored);
    fake.on("GET", "").inject(Fault::Header("Docker-Content-Digest", payload.to_string()));
    let fetched = client(&fake).get_manifest(&by_tag("old")).await.unwrap();
    assert_eq!((fetched.digest, fetched.bytes), (payload, signed.into()));
}

#[tokio::test]
async fn a_truncated_manifest_is_tried_again() {
    let fake = FakeRegistry::start().await;
    let image = fake.add_image(REPOSITORY, "x", &[b"layer"]);
    fake.on("GET", "").times(2).inject(Fault::LengthLie(10));
    let client = client(&fake);
    assert_eq!(client.get_manifest(&by_tag("x")).await.unwrap().digest, image.manifest);
    assert_eq!(client.request_count(), 3);
    let length = image.manifest_bytes.len() as u64;
    fake.on("GET", "").inject(Fault::CutAfter(7));
    assert_error!(client.get_manifest(&by_tag("x")).await, UpstreamError::Truncated { expected_bytes, received_bytes: 7, .. } if *expected_bytes == length);
    assert_eq!(client.request_count(), 3 + 4);
}

#[tokio::test]
async fn a_manifest_above_4_mib_is_refused() {
    let fake = FakeRegistry::start().await;
    let client = client(&fake);
    let most = fake.add_manifest(REPOSITORY, MediaType::OCI_MANIFEST, vec![b' '; MAX_MANIFEST_BYTES]);
    assert_eq!(client.get_manifest(&by_digest(&most)).await.unwrap().bytes.len(), MAX_MANIFEST_BYTES);
    let more = fake.add_manifest(REPOSITORY, MediaType::OCI_MANIFEST, vec![b' '; MAX_MANIFEST_BYTES + 1]);
    assert_error!(
        client.get_manifest(&by_digest(&more)).await,
        UpstreamError::TooLarge { limit: MAX_MANIFEST_BYTES, unit: "bytes", .. }
    );
    fake.on("GET", "").inject(Fault::Chunked);
    assert_error!(
        client.get_manifest(&by_digest(&more)).await,
        UpstreamError::TooLarge { limit: MAX_MANIFEST_BYTES, unit: "bytes", .. }
    );
    assert_eq!(client.request_count(), 3);
}

#[tokio::test]
async fn compressed_answers_are_refused() {
    let fake = FakeRegistry::start().await;
    fake.add_image(REPOSITORY, "x", &[]);
    let client = client(&fake);
    fake.on("*", "").times(2).inject(Fault::Header("Content-Encoding", "gzip".into()));
    assert_error!(client.get_manifest(&by_tag("x")).await, UpstreamError::ContentEncoding { encoding, .. } if encoding == "gzip");
    assert_error!(client.head_manifest(&by_tag("x")).await, UpstreamError::ContentEncoding { .. });
    fake.on("*", "").nth(1).inject(Fault::Header("Content-Encoding", "Identity".into()));
    assert!(client.get_manifest(&by_tag("x")).await.is_ok());
    assert_eq!(client.request_count(), 3);
}

#[tokio::test]
async fn a_dripping_manifest_is_too_slow() {
    let fake = FakeRegistry::start().await;
    fake.add_image(REPOSITORY, "x", &[b"layer"]);
    fake.on("GET", "").inject(Fault::Drip { piece: 1, every: Duration::from_millis(20) });
    let limits = Limits { small_answer: Duration::from_millis(200), ..quick() };
    let client = Client::with_limits(config(&fake.url()), registry::Clock::system(), limits).unwrap();
    assert_error!(client.get_manifest(&by_tag("x")).await, UpstreamError::TooSlow { received_bytes: 1..=12, waited, .. } if waited.as_millis() >= 200);
    assert_eq!(client.request_count(), 1, "it would only take as long again");
}

#[tokio::test]
async fn silence_is_a_timeout_and_tried_again() {
    let fake = FakeRegistry::start().await;
    fake.add_image(REPOSITORY, "x", &[b"layer"]);
    let until = std::sync::Arc::new(tokio::sync::Notify::new());
    fake.on("GET", "").inject(Fault::Hold { after: 5, until });
    let mut config = config(&fake.url());
    config.sock_read_timeout = Some(Duration::from_millis(50));
    config.max_retries = Some(1);
    let client = crate::client_with(config);
    assert_error!(client.get_manifest(&by_tag("x")).await, UpstreamError::Timeout { waiting: Waiting::More, limit, .. } if limit.as_millis() == 50);
    assert_eq!(client.request_count(), 2);
}
