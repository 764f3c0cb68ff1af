//! Manifests and blobs: bytes, headers, ranges, conditions.

use poem::http::StatusCode;
use registry::{Digest, MediaType};

use super::fixture::{Fixture, PRIVATE_MIRROR, PUBLIC_MIRROR, assert_error, basic, header};

#[tokio::test]
async fn manifests_are_the_bytes_that_were_received() {
    let fixture = Fixture::new().await;
    let image = fixture.serve("library/alpine", &PUBLIC_MIRROR, &["3.20"], b"layer").await;
    for (reference, cache) in
        [("3.20".to_owned(), "no-cache"), (image.digest.to_string(), "public, max-age=31536000, immutable")]
    {
        let path = format!("/v2/library/alpine/manifests/{reference}");
        let answer = fixture.get(&path).send().await;
        answer.assert_status_is_ok();
        let headers = answer.0.headers().clone();
        assert_eq!(header(&headers, "content-type"), MediaType::OCI_MANIFEST);
        assert_eq!(header(&headers, "docker-content-digest"), image.digest.as_str());
        assert_eq!(header(&headers, "etag"), format!("\"{}\"", image.digest));
        assert_eq!(header(&headers, "content-length"), image.bytes.len().to_string());
        assert_eq!(header(&headers, "cache-control"), cache);
        assert_eq!(header(&headers, "docker-distribution-api-version"), "registry/2.0");
        assert_eq!(answer.0.into_body().into_bytes().await.unwrap(), image.bytes);

        let head = fixture.client.head(&path).send().await;
        head.assert_status_is_ok();
        let mut head_headers = head.0.headers().clone();
        let mut get_headers = headers;
        for own in [&mut head_headers, &mut get_headers] {
            own.remove("correlation-id").unwrap();
        }
        assert_eq!(head_headers, get_headers);
        assert!(head.0.into_body().is_empty());

        let known = fixture.get(&path).header("if-none-match", format!("\"{}\"", image.digest)).send().await;
        known.assert_status(StatusCode::NOT_MODIFIED);
        assert!(known.0.into_body().is_empty());
    }
}

#[tokio::test]
async fn a_client_that_cannot_take_the_type_is_told_which_it_is() {
    let fixture = Fixture::new().await;
    let image = fixture.serve("a", &PUBLIC_MIRROR, &["t"], b"layer").await;
    let path = format!("/v2/a/manifests/{}", image.digest);
    let answer = fixture.get(&path).header("accept", MediaType::DOCKER_MANIFEST).send().await;
    let message = "the manifest has the media type application/vnd.oci.image.manifest.v1+json, which the \
                   request's Accept header rules out; manifests are served as they were received";
    assert_error(answer, StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message).await;
    let both = fixture
        .get(&path)
        .header("accept", MediaType::DOCKER_MANIFEST)
        .header("accept", MediaType::OCI_MANIFEST);
    both.send().await.assert_status_is_ok();
}

#[tokio::test]
async fn what_is_not_in_the_version_is_unknown() {
    let fixture = Fixture::new().await;
    fixture.serve("a", &PUBLIC_MIRROR, &["t"], b"one").await;
    let other = fixture.serve("b", &PUBLIC_MIRROR, &["t"], b"two").await;
    let (manifest, layer) = (&other.digest, &other.layer);
    let not_found = StatusCode::NOT_FOUND;
    let answer = fixture.get("/v2/a/manifests/u").send().await;
    assert_error(answer, not_found, "MANIFEST_UNKNOWN", "a has no manifest u").await;
    let answer = fixture.get(format!("/v2/a/manifests/{manifest}")).send().await;
    assert_error(answer, not_found, "MANIFEST_UNKNOWN", &format!("a has no manifest {manifest}")).await;
    // It is in the store, but not under this name.
    let answer = fixture.get(format!("/v2/a/blobs/{layer}")).send().await;
    assert_error(answer, not_found, "BLOB_UNKNOWN", &format!("a has no blob {layer}")).await;
}

#[tokio::test]
async fn blobs_come_whole_and_in_ranges() {
    let fixture = Fixture::new().await;
    let content: Vec<u8> = (0..700_000u32).map(|number| (number % 251) as u8).collect();
    let image = fixture.serve("a", &PUBLIC_MIRROR, &["t"], &content).await;
    let path = format!("/v2/a/blobs/{}", image.layer);
    let answer = fixture.get(&path).send().await;
    answer.assert_status_is_ok();
    answer.assert_header("content-length", "700000");
    answer.assert_header("content-type", "application/octet-stream");
    answer.assert_header("accept-ranges", "bytes");
    answer.assert_header("docker-content-digest", image.layer.as_str());
    answer.assert_header("etag", format!("\"{}\"", image.layer));
    answer.assert_header("cache-control", "public, max-age=31536000, immutable");
    assert_eq!(answer.0.into_body().into_bytes().await.unwrap(), image.layer_bytes);

    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=300000-300099", 300_000, 300_100),
        ("bytes=699999-", 699_999, 700_000),
        ("bytes=-10", 699_990, 700_000),
        ("bytes=100-9999999", 100, 700_000),
    ] {
        let answer = fixture.get(&path).header("range", range).send().await;
        answer.assert_status(StatusCode::PARTIAL_CONTENT);
        answer.assert_header("content-range", format!("bytes {from}-{}/700000", to - 1));
        answer.assert_header("content-length", (to - from).to_string());
        assert_eq!(answer.0.into_body().into_bytes().await.unwrap(), content[from..to], "{range}");
    }
    let answer = fixture.get(&path).header("range", "bytes=700000-").send().await;
    answer.assert_header("content-range", "bytes */700000");
    let message = "the range lies outside of the blob, which has 700000 bytes";
    assert_error(answer, StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID", message).await;
}

#[tokio::test]
async fn conditions_on_blobs_are_kept() {
    let fixture = Fixture::new().await;
    let image = fixture.serve("a", &PUBLIC_MIRROR, &["t"], b"0123456789").await;
    let path = format!("/v2/a/blobs/{}", image.layer);
    let tag = format!("\"{}\"", image.layer);
    let known = fixture.get(&path).header("if-none-match", &tag).send().await;
    known.assert_status(StatusCode::NOT_MODIFIED);
    let same = fixture.get(&path).header("range", "bytes=0-1").header("if-range", &tag).send().await;
    same.assert_status(StatusCode::PARTIAL_CONTENT);
    let other = fixture.get(&path).header("range", "bytes=0-1").header("if-range", "\"x\"").send().await;
    other.assert_status_is_ok();
    let head = fixture.client.head(&path).header("range", "bytes=0-1").send().await;
    head.assert_status_is_ok();
    head.assert_header("content-length", "10");
    assert!(head.0.into_body().is_empty());
}

#[tokio::test]
async fn empty_blobs_are_served() {
    let fixture = Fixture::new().await;
    let image = fixture.serve("a", &PUBLIC_MIRROR, &["t"], b"").await;
    let answer = fixture.get(format!("/v2/a/blobs/{}", image.layer)).send().await;
    answer.assert_status_is_ok();
    answer.assert_header("content-length", "0");
    assert_eq!(image.layer, Digest::sha256_of(b""));
}

#[tokio::test]
async fn what_is_private_is_not_for_shared_caches() {
    let fixture = Fixture::new().await;
    let image = fixture.serve("a", &PRIVATE_MIRROR, &["t"], b"x").await;
    for (path, cache) in [
        (format!("/v2/a/blobs/{}", image.layer), "private, max-age=31536000, immutable"),
        (format!("/v2/a/manifests/{}", image.digest), "private, max-age=31536000, immutable"),
        ("/v2/a/manifests/t".to_owned(), "private, no-cache"),
    ] {
        let answer =
            fixture.get(path).header("authorization", basic("admin", super::fixture::PASSWORD)).send();
        let answer = answer.await;
        answer.assert_status_is_ok();
        answer.assert_header("cache-control", cache);
    }
}

#[tokio::test]
async fn malformed_paths_have_their_codes() {
    let fixture = Fixture::new().await;
    for (path, status, code, message) in [
        (
            "/v2/Library/alpine/tags/list",
            StatusCode::BAD_REQUEST,
            "NAME_INVALID",
            "\"Library/alpine\" is not a repository name: it must be in lower case",
        ),
        (
            "/v2/a%2F..%2Fb/tags/list",
            StatusCode::BAD_REQUEST,
            "NAME_INVALID",
            "a path must not hold percent-encoded slashes",
        ),
        (
            "/v2/a/blobs/sha256:0",
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            "\"sha256:0\" is not a digest: sha256 has 64 hexadecimal digits, sha512 has 128",
        ),
        (
            "/v2/a/manifests/.x",
            StatusCode::NOT_FOUND,
            "MANIFEST_UNKNOWN",
            "\".x\" is not a tag: it must match [A-Za-z0-9_][A-Za-z0-9._-]{0,127}",
        ),
        ("/v2/a/%FF/tags/list", StatusCode::NOT_FOUND, "UNSUPPORTED", "there is no such endpoint"),
        ("/v2/nothing", StatusCode::NOT_FOUND, "UNSUPPORTED", "there is no such endpoint"),
    ] {
        assert_error(fixture.get(path).send().await, status, code, message).await;
    }
    let answer = fixture.client.put("/v2/_catalog").send().await;
    answer.assert_header("allow", "GET, HEAD");
    let message = "the method is not allowed here; these are: GET, HEAD";
    assert_error(answer, StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message).await;
}
