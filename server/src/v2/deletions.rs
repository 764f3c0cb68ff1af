//! `DELETE` of tags, manifests and blobs (OCI distribution-spec 1.1, "Content Management"). Each makes a version, so that a
//! deletion can be undone.

use poem::Response;
use poem::http::StatusCode;
use registry::task::Work;
use registry::{Digest, Reference, RepositoryName};

use super::V2Error;
use super::auth::Visit;
use super::commit::commit;
use super::push_target;

/// A tag alone, or a manifest with all its tags.
pub(super) async fn manifest(
    visit: &Visit<'_>,
    name: &RepositoryName,
    reference: Reference,
) -> Result<Response, V2Error> {
    let target = push_target::for_deletion(visit, name).await?;
    let catalog = &visit.state.catalog;
    let repository = target.repository;
    let served = catalog.find_served_now(name).await?;
    let served = served.ok_or_else(|| V2Error::NameUnknown(name.clone()))?;
    let is_there = match &reference {
        Reference::Tag(tag) => catalog.find_served_tag(&served, tag).await?.is_some(),
        Reference::Digest(digest) => catalog.find_served_manifest(&served, digest).await?.is_some(),
    };
    if !is_there {
        return Err(V2Error::ManifestUnknown { name: name.clone(), reference });
    }
    let work = match reference {
        Reference::Tag(tag) => Work::DeleteTag { repository, tag },
        Reference::Digest(digest) => Work::DeleteManifest { repository, digest },
    };
    commit(visit, &target, catalog.begin().await?, work).await?;
    Ok(accepted())
}

/// A blob that no manifest of the repository needs.
pub(super) async fn blob(
    visit: &Visit<'_>,
    name: &RepositoryName,
    digest: Digest,
) -> Result<Response, V2Error> {
    let target = push_target::for_deletion(visit, name).await?;
    let catalog = &visit.state.catalog;
    let served = catalog.find_served_now(name).await?;
    let served = served.ok_or_else(|| V2Error::NameUnknown(name.clone()))?;
    if catalog.find_served_blob(&served, &digest).await?.is_none() {
        return Err(V2Error::BlobUnknown { name: name.clone(), digest });
    }
    let work = Work::DeleteBlob { repository: target.repository, digest };
    commit(visit, &target, catalog.begin().await?, work).await?;
    Ok(accepted())
}

fn accepted() -> Response {
    Response::builder().status(StatusCode::ACCEPTED).finish()
}
