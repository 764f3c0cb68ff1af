//! `PUT` of manifests (OCI distribution-spec 1.1, "Pushing Manifests").

use bytes::Bytes;
use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{Body, Response};
use registry::manifest::ImageConfig;
use registry::task::Work;
use registry::{Digest, Manifest, ManifestKind, MediaType, Reference, RepositoryName};
use storage::{NewManifest, StorageError};

use super::auth::Visit;
use super::commit::commit;
use super::incoming::Incoming;
use super::push_target::{self, Target};
use super::validators::digest_value;
use super::{CONTENT_DIGEST, V2Error};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// How many levels of indexes may lie below an index. Real ones have none.
const DEPTH_LIMIT: usize = 8;

/// Takes a manifest whose parts the repository has.
pub(super) async fn push(
    visit: &Visit<'_>,
    name: &RepositoryName,
    reference: Reference,
    body: Body,
) -> Result<Response, V2Error> {
    let target = push_target::for_push(visit, name).await?;
    let bytes = Incoming::new(body, visit.state.config.body_timeout).manifest().await?;
    let (digest, tag) = match reference {
        Reference::Digest(expected) => {
            let actual = Digest::of(expected.algorithm(), &bytes);
            if actual != expected {
                return Err(V2Error::WrongDigest { expected, actual });
            }
            (expected, None)
        }
        Reference::Tag(tag) => (Digest::sha256_of(&bytes), Some(tag)),
    };
    let manifest = parse(visit, &bytes)?;
    check_parts(visit, &target, name, &manifest).await?;
    let config = read_config(visit, &manifest).await?;
    let subject = manifest.subject.as_ref().map(|subject| digest_value(&subject.digest));
    let media_type = manifest.media_type.clone();
    let tx = visit.state.catalog.begin().await?;
    tx.record_manifest(NewManifest { digest: digest.clone(), media_type, bytes, manifest, config }).await?;
    let work = Work::PushManifest { repository: target.repository, digest: digest.clone(), tag };
    commit(visit, &target, tx, work).await?;

    let mut response = Response::builder().status(StatusCode::CREATED).finish();
    let headers = response.headers_mut();
    let location = format!("/v2/{name}/manifests/{digest}");
    headers.insert(header::LOCATION, HeaderValue::try_from(location).expect("names and digests are ASCII"));
    headers.insert(CONTENT_DIGEST, digest_value(&digest));
    if let Some(subject) = subject {
        headers.insert(SUBJECT, subject);
    }
    Ok(response)
}

/// The type is served as it was sent: header and document must not disagree.
fn parse(visit: &Visit<'_>, bytes: &Bytes) -> Result<Manifest, V2Error> {
    let sent = visit.request.headers().get(header::CONTENT_TYPE);
    let sent: Option<MediaType> = match sent.map(|value| value.to_str().map(str::parse)) {
        None => None,
        Some(Ok(Ok(media_type))) => Some(media_type),
        Some(_) => return Err(V2Error::BadContentType),
    };
    let manifest = Manifest::parse(bytes, sent.as_ref())?;
    if let Some(sent) = sent.filter(|sent| !is_vague(sent) && *sent != manifest.media_type) {
        let (inside, outside) = (manifest.media_type.to_string(), sent.to_string());
        return Err(registry::ManifestError::MediaTypeMismatch { inside, outside }.into());
    }
    if manifest.kind == ManifestKind::Schema1 {
        return Err(V2Error::Schema1);
    }
    Ok(manifest)
}

/// What clients send that don't say what they push.
fn is_vague(media_type: &MediaType) -> bool {
    matches!(
        media_type.as_str(),
        "application/json" | "application/octet-stream" | "text/plain" | "application/x-www-form-urlencoded"
    )
}

/// Refuses a manifest that could not be pulled whole. Its subject may be absent: a referrer may come first.
async fn check_parts(
    visit: &Visit<'_>,
    target: &Target,
    name: &RepositoryName,
    manifest: &Manifest,
) -> Result<(), V2Error> {
    let catalog = &visit.state.catalog;
    let blobs = manifest.blobs();
    let children: Vec<_> = manifest.manifests.iter().collect();
    let digests = |parts: &[&registry::Descriptor]| -> Vec<Digest> {
        parts.iter().map(|part| part.digest.clone()).collect()
    };
    let held_blobs = catalog.blobs_of(target.repository, &digests(&blobs)).await?;
    let held_manifests = catalog.manifests_of(target.repository, &digests(&children)).await?;
    let parts = blobs.iter().map(|part| (*part, held_blobs.get(&part.digest)));
    let parts = parts.chain(children.iter().map(|part| (*part, held_manifests.get(&part.digest))));
    let mut missing = Vec::new();
    for (part, held) in parts {
        match held {
            None => missing.push(part.digest.clone()),
            Some(actual) if *actual != part.size => {
                let (digest, stated) = (part.digest.clone(), part.size);
                return Err(V2Error::PartSize { digest, stated, actual: *actual });
            }
            Some(_) => {}
        }
    }
    if !missing.is_empty() {
        return Err(V2Error::PartsMissing { name: name.clone(), missing });
    }
    if catalog.levels_below(&digests(&children), DEPTH_LIMIT).await? > DEPTH_LIMIT {
        return Err(V2Error::TooDeep { limit: DEPTH_LIMIT });
    }
    Ok(())
}

/// What the image's configuration says of it.
async fn read_config(visit: &Visit<'_>, manifest: &Manifest) -> Result<ImageConfig, V2Error> {
    let config = manifest.config.as_ref();
    let Some(config) = config.filter(|config| !config.is_foreign() && config.size <= ImageConfig::MAX_BYTES)
    else {
        return Ok(ImageConfig::default());
    };
    match visit.state.blobs.read_small(&config.digest, ImageConfig::MAX_BYTES).await {
        Ok(bytes) => Ok(ImageConfig::parse(&bytes)),
        Err(StorageError::BlobMissing(digest)) => {
            Err(V2Error::PartVanished(format!("the blob {digest} has gone from the store: push it again")))
        }
        Err(error) => Err(error.into()),
    }
}
