//! `PUT` and `PATCH /repositories/container/container/<id>/`

use openapi::Json;
use openapi::objects::RepositoryResponse;
use registry::href::Kind;
use registry::task::ResourceKind;
use storage::RepositoryChanges;

use super::{find, show};
use crate::AppState;
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::api::submit::Asker;
use crate::api::update::{Updated, start};

/// Reads what a body says about a repository.
pub(super) fn read(mut fields: Fields) -> Result<RepositoryChanges, ApiError> {
    let changes = RepositoryChanges {
        name: fields.name("name"),
        description: fields.nullable_text("description"),
        labels: fields.labels("pulp_labels"),
        remote: fields.nullable_href("remote", Kind::Remote),
        retain_repo_versions: fields.nullable_number("retain_repo_versions", 1),
    };
    fields.only_null("retain_checkpoints", "Container repositories have no checkpoints.");
    fields.only_null("manifest_signing_service", "Signing is not available yet.");
    fields.finish()?;
    Ok(changes)
}

pub(super) async fn update(
    state: &AppState,
    asker: Asker<'_>,
    pulp_id: &str,
    fields: Fields,
) -> Result<Updated<RepositoryResponse>, ApiError> {
    let repository = find(state, asker.cid, pulp_id).await?;
    let changes = read(fields)?;
    if changes.is_noop(&repository) {
        return Ok(Updated::Unchanged(Json(show(repository))));
    }
    let started = async {
        let tx = state.catalog.begin().await?;
        tx.check_repository_changes(repository.id, &changes).await?;
        start(tx, asker, ResourceKind::Repository, repository.id, &changes).await
    };
    let task = started.await.map_err(|error| ApiError::from_storage(error, asker.cid))?;
    Ok(Updated::Accepted(Json(task)))
}
