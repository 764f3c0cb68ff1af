//! `tag` and `untag`: a tag on a manifest of the latest version.

use registry::{ContentChange, Digest, Tag};
use serde_json::json;
use storage::{Repository, VersionRef};

use crate::AppState;
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::telemetry::CorrelationId;

const BAD_TAG: &str = "The provided tag is not valid. A tag may contain lowercase and uppercase ASCII alphabetic characters, \
                       digits, underscores, periods, and dashes. A tag must not start with a period or a dash.";

pub(super) async fn tagged(
    state: &AppState,
    cid: &CorrelationId,
    repository: &Repository,
    mut fields: Fields,
) -> Result<ContentChange, ApiError> {
    fields.require(&["tag", "digest"]);
    let tag = read_tag(&mut fields);
    let digest = fields.text("digest").unwrap_or_default();
    fields.finish()?;
    let manifest = match digest.parse::<Digest>() {
        Ok(digest) => state.catalog.find_manifest_in(latest(repository), &digest).await,
        Err(_) => Ok(None),
    };
    let tag = tag.expect("what is required and was not refused is there");
    match manifest.map_err(|error| ApiError::from_storage(error, cid))? {
        Some(manifest) => Ok(ContentChange::Tag { tag, manifest }),
        None => Err(missing(&format!("A manifest with the digest '{digest}' does not exist"), repository)),
    }
}

pub(super) async fn untagged(
    state: &AppState,
    cid: &CorrelationId,
    repository: &Repository,
    mut fields: Fields,
) -> Result<ContentChange, ApiError> {
    fields.require(&["tag"]);
    let tag = read_tag(&mut fields);
    fields.finish()?;
    let tag = tag.expect("what is required and was not refused is there");
    let held = state.catalog.has_tag(latest(repository), &tag).await;
    if held.map_err(|error| ApiError::from_storage(error, cid))? {
        Ok(ContentChange::Untag { tag })
    } else {
        Err(missing(&format!("The tag '{tag}' does not exist"), repository))
    }
}

fn read_tag(fields: &mut Fields) -> Option<Tag> {
    fields.checked("tag", |text| text.parse().map_err(|_| BAD_TAG.to_owned()))
}

fn latest(repository: &Repository) -> VersionRef {
    VersionRef { repository: repository.id, number: repository.latest_version }
}

/// Pulp's words for what the latest version doesn't have.
fn missing(what: &str, repository: &Repository) -> ApiError {
    let Repository { name, latest_version, .. } = repository;
    let version = format!("<Repository: {name}; Version: {latest_version}>");
    ApiError::bad_request(
        json!({"non_field_errors": [format!("{what} in the latest repository version '{version}'")]}),
    )
}
