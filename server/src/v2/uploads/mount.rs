//! Blobs that another repository has (OCI distribution-spec 1.1, "Mounting a blob from another repository").
//!
//! A digest opens nothing by itself: the caller has to be allowed to pull the blob from where it is.

use registry::{Digest, RepositoryName};

use super::super::V2Error;
use super::super::auth::Visit;
use super::super::push_target::Target;

/// How many names are looked at when the client does not say from where.
const NAMES: u64 = 50;

/// Gives the repository the blob; whether it could. A source that the caller may not pull from, or that is none, is like
/// one that has no such blob.
pub(super) async fn mount(
    visit: &Visit<'_>,
    target: &Target,
    from: Option<&str>,
    digest: &Digest,
) -> Result<bool, V2Error> {
    let catalog = &visit.state.catalog;
    let is_readable = match from.map(str::parse) {
        Some(Ok(from)) => has(visit, target, &from, digest).await?,
        Some(Err(_)) => false,
        // "Automatic content discovery"
        None => (catalog.find_names_with_blob(digest, NAMES).await?.iter())
            .any(|(name, private)| !private || target.caller.may(name, "pull")),
    };
    if !is_readable {
        return Ok(false);
    }
    let tx = catalog.begin().await?;
    let noted = tx.note_pushed_blob(target.repository, digest).await?;
    tx.commit().await?;
    Ok(noted)
}

async fn has(
    visit: &Visit<'_>,
    target: &Target,
    from: &RepositoryName,
    digest: &Digest,
) -> Result<bool, V2Error> {
    let catalog = &visit.state.catalog;
    let Some(served) = catalog.find_served_now(from).await? else { return Ok(false) };
    if served.private && !target.caller.may(from, "pull") {
        return Ok(false);
    }
    Ok(catalog.find_served_blob(&served, digest).await?.is_some())
}
