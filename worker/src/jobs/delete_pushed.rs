//! Makes a version without what a registry client deleted.

use registry::{Digest, Tag};
use uuid::Uuid;

use super::{JobContext, published};
use crate::JobError;

/// What is deleted.
pub(crate) enum Pushed {
    Tag(Tag),
    Manifest(Digest),
    Blob(Digest),
}

pub(crate) async fn perform(
    context: &JobContext,
    repository: Uuid,
    deleted: &Pushed,
) -> Result<(), JobError> {
    let mut tx = context.catalog.begin().await?;
    let version = match deleted {
        Pushed::Tag(tag) => tx.publish_without_tag(repository, tag).await?,
        Pushed::Manifest(digest) => tx.publish_without_manifest(repository, digest).await?,
        Pushed::Blob(digest) => tx.publish_without_blob(repository, digest).await?,
    };
    tx.finish_task(&context.fence, published(version.as_ref())).await?;
    Ok(tx.commit().await?)
}
