//! `copy_tags` and `copy_manifests`: content of a version of whichever repository.

use registry::href::{Kind, VersionName};
use registry::{ContentChange, Digest, MediaType, Tag};
use storage::VersionRef;

use crate::AppState;
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::telemetry::CorrelationId;

const GONE: &str = "Invalid hyperlink - Object does not exist.";

pub(super) async fn tags(
    state: &AppState,
    cid: &CorrelationId,
    mut fields: Fields,
) -> Result<ContentChange, ApiError> {
    let names = fields.texts_that("names", |text| text.parse::<Tag>().map_err(|error| error.to_string()));
    let VersionRef { repository: source, number } = source(state, cid, fields).await?;
    Ok(ContentChange::CopyTags { source, number, names })
}

pub(super) async fn manifests(
    state: &AppState,
    cid: &CorrelationId,
    mut fields: Fields,
) -> Result<ContentChange, ApiError> {
    let digests =
        fields.texts_that("digests", |text| text.parse::<Digest>().map_err(|error| error.to_string()));
    let media_types = fields.texts_that("media_types", |text| {
        if MediaType::MANIFESTS.contains(&text) {
            text.parse::<MediaType>().map_err(|error| error.to_string())
        } else {
            Err(format!("\"{text}\" is not a valid choice."))
        }
    });
    let VersionRef { repository: source, number } = source(state, cid, fields).await?;
    Ok(ContentChange::CopyManifests { source, number, digests, media_types })
}

/// The version that is copied from: a repository's latest one, or the one that is named.
async fn source(state: &AppState, cid: &CorrelationId, mut fields: Fields) -> Result<VersionRef, ApiError> {
    let was_sent = fields.has("source_repository") || fields.has("source_repository_version");
    let repository = fields.nullable_href("source_repository", Kind::Repository);
    let version = fields.nullable_version("source_repository_version");
    for (name, is_null) in [
        ("source_repository", repository == Some(None)),
        ("source_repository_version", version == Some(None)),
    ] {
        if is_null {
            fields.refuse(name, "This field may not be null.");
        }
    }
    let (repository, version) = (repository.flatten(), version.flatten());
    if repository.is_some() && version.is_some() {
        let message = "Either the 'repository' or 'repository_version' need to be specified but not both.";
        fields.refuse("non_field_errors", message);
    } else if !was_sent {
        let message = "Either the 'repository' or 'repository_version' needs to be specified";
        fields.refuse("non_field_errors", message);
    }
    fields.finish()?;
    let failed = |error| ApiError::from_storage(error, cid);
    if let Some(repository) = repository {
        let found = state.catalog.find_repository(repository).await.map_err(failed)?;
        let found = found.ok_or_else(|| ApiError::field("source_repository", GONE))?;
        return Ok(VersionRef { repository, number: found.latest_version });
    }
    let found = match version {
        Some(VersionName::Id(id)) => state.catalog.find_version_by_id(id).await.map_err(failed)?,
        Some(VersionName::Number { repository, number }) => {
            state.catalog.find_version(repository, number).await.map_err(failed)?
        }
        Some(VersionName::Latest(_)) | None => None,
    };
    let found = found.ok_or_else(|| ApiError::field("source_repository_version", GONE))?;
    Ok(VersionRef { repository: found.repository, number: found.number })
}
