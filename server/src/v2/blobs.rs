//! `GET` and `HEAD` of blobs (OCI distribution-spec 1.1, "Pulling blobs").
//!
//! A digest alone opens nothing: the blob has to be in the version that the name serves, or to have been pushed there.

use std::ops::Range;

use poem::http::{HeaderValue, StatusCode, header};
use poem::{Body, Response};
use registry::{Digest, RepositoryName};

use super::auth::Visit;
use super::range::{self, Part};
use super::validators::{Lifetime, cache_control, digest_value, entity_tag, is_known, range_applies};
use super::{CONTENT_DIGEST, V2Error};

/// The blob, or one range of it, as a stream.
pub(super) async fn pull(
    visit: &Visit<'_>,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Response, V2Error> {
    let served = visit.authorise_pull(name).await?;
    let catalog = &visit.state.catalog;
    let mut found = catalog.find_served_blob(&served, digest).await?;
    if found.is_none()
        && let Some(newer) = visit.find_newer(&served).await?
    {
        found = catalog.find_served_blob(&newer, digest).await?;
    }
    let unknown = || V2Error::BlobUnknown { name: name.clone(), digest: digest.clone() };
    let size_bytes = found.ok_or_else(unknown)?;
    let mut response = Response::default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_DIGEST, digest_value(digest));
    headers.insert(header::ETAG, entity_tag(digest));
    headers.insert(header::CACHE_CONTROL, cache_control(Lifetime::Forever, served.private));
    if is_known(visit.request.headers(), digest) {
        response.set_status(StatusCode::NOT_MODIFIED);
        return Ok(response);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if visit.wants_head() {
        headers.insert(header::CONTENT_LENGTH, size_bytes.into());
        return Ok(response);
    }
    let bytes = match wanted_part(visit, digest, size_bytes) {
        Part::Whole => 0..size_bytes,
        Part::Unsatisfiable => return Err(V2Error::RangeUnsatisfiable { size_bytes }),
        Part::Bytes(bytes) => {
            let value = format!("bytes {}-{}/{size_bytes}", bytes.start, bytes.end - 1);
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(header::CONTENT_RANGE, value);
            }
            response.set_status(StatusCode::PARTIAL_CONTENT);
            bytes
        }
    };
    send(visit, digest, bytes, response).await
}

/// `Range` has a meaning for GET only (RFC 9110, section 14.2).
fn wanted_part(visit: &Visit<'_>, digest: &Digest, size_bytes: u64) -> Part {
    let headers = visit.request.headers();
    match headers.get(header::RANGE).and_then(|value| value.to_str().ok()) {
        Some(value) if range_applies(headers, digest) => range::parse(value, size_bytes),
        _ => Part::Whole,
    }
}

async fn send(
    visit: &Visit<'_>,
    digest: &Digest,
    bytes: Range<u64>,
    mut response: Response,
) -> Result<Response, V2Error> {
    response.headers_mut().insert(header::CONTENT_LENGTH, (bytes.end - bytes.start).into());
    if !bytes.is_empty() {
        let body = visit.state.blobs.read(digest, bytes).await?;
        response.set_body(Body::from_bytes_stream(body));
    }
    Ok(response)
}
