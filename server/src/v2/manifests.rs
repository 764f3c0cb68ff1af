//! `GET` and `HEAD` of manifests (OCI distribution-spec 1.1, "Pulling manifests").

use std::sync::Arc;

use poem::http::{HeaderValue, StatusCode, header};
use poem::{Body, Response};
use registry::{Reference, RepositoryName};
use storage::{Served, ServedManifest};

use super::auth::Visit;
use super::validators::{Lifetime, cache_control, digest_value, entity_tag, is_known};
use super::{CONTENT_DIGEST, V2Error, accept};

/// The bytes that were received, never others.
pub(super) async fn pull(
    visit: &Visit<'_>,
    name: &RepositoryName,
    reference: Reference,
) -> Result<Response, V2Error> {
    let served = visit.authorise_pull(name).await?;
    let mut found = find(visit, &served, &reference).await?;
    if found.is_none()
        && let Some(newer) = visit.find_newer(&served).await?
    {
        found = find(visit, &newer, &reference).await?;
    }
    let Some(manifest) = found else {
        return Err(V2Error::ManifestUnknown { name: name.clone(), reference });
    };
    let lifetime = match reference {
        Reference::Digest(_) => Lifetime::Forever,
        Reference::Tag(_) => Lifetime::Revalidate,
    };
    let sent = visit.request.headers();
    if !accept::accepts(sent, manifest.media_type.as_str()) {
        return Err(V2Error::NotAcceptable(manifest.media_type.clone()));
    }
    let mut response = Response::default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_DIGEST, digest_value(&manifest.digest));
    headers.insert(header::ETAG, entity_tag(&manifest.digest));
    headers.insert(header::CACHE_CONTROL, cache_control(lifetime, served.private));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    if is_known(sent, &manifest.digest) {
        response.set_status(StatusCode::NOT_MODIFIED);
        return Ok(response);
    }
    if let Ok(media_type) = HeaderValue::from_str(manifest.media_type.as_str()) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    headers.insert(header::CONTENT_LENGTH, manifest.bytes.len().into());
    if !visit.wants_head() {
        response.set_body(Body::from_bytes(manifest.bytes.clone()));
    }
    Ok(response)
}

async fn find(
    visit: &Visit<'_>,
    served: &Served,
    reference: &Reference,
) -> Result<Option<Arc<ServedManifest>>, V2Error> {
    let catalog = &visit.state.catalog;
    let digest = match reference {
        Reference::Digest(digest) => Some(digest.clone()),
        Reference::Tag(tag) => catalog.find_served_tag(served, tag).await?,
    };
    match &digest {
        Some(digest) => Ok(catalog.find_served_manifest(served, digest).await?),
        None => Ok(None),
    }
}
