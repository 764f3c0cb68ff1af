//! `POST /repositories/container/container/sync/`

use openapi::Json;
use openapi::objects::{SyncRepositories, TaskGroupOperation};
use poem_openapi::ApiResponse;
use registry::href::Kind;
use registry::task::Work;
use storage::NewTask;

use crate::AppState;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::submit::Asker;

/// A group of tasks was started.
#[derive(ApiResponse)]
pub(crate) enum GroupAccepted {
    /// The group.
    #[oai(status = 202)]
    Accepted(Json<TaskGroupOperation>),
}

pub(super) async fn sync_many(
    state: &AppState,
    asker: Asker<'_>,
    body: Body<SyncRepositories>,
) -> Result<GroupAccepted, ApiError> {
    let failed = |error| ApiError::from_storage(error, asker.cid);
    let mut fields = body.fields;
    let named = fields.nullable_hrefs("repositories", Kind::Repository).flatten();
    let mirror = fields.boolean("mirror").unwrap_or(false);
    let wanted = named.clone().unwrap_or_default();
    if named.is_some_and(|named| named.is_empty()) {
        fields.refuse("repositories", "This list may not be empty. Leave it out for all repositories.");
    }
    let syncable = state.catalog.repositories_with_remote(&wanted).await.map_err(failed)?;
    for id in &wanted {
        if !syncable.iter().any(|repository| repository.id == *id) {
            let href = Kind::Repository.href(*id);
            fields.refuse("repositories", format!("{href} does not exist, or has no remote to sync from."));
        }
    }
    fields.finish()?;
    let accepted = async {
        let mut tx = state.catalog.begin().await?;
        let group = tx.create_task_group(&format!("Sync of {} repositories", syncable.len())).await?;
        let work = Work::SyncRepositories { repositories: wanted, mirror };
        let new = NewTask {
            created_by: Some(asker.user.id),
            correlation_id: asker.cid.0.clone(),
            trace_parent: asker.cid.1.clone(),
            group: Some(group),
            ..NewTask::new(work, Vec::new())
        };
        tx.submit(new).await?;
        tx.commit().await?;
        Ok(TaskGroupOperation { task_group: Kind::TaskGroup.href(group) })
    };
    Ok(GroupAccepted::Accepted(Json(accepted.await.map_err(failed)?)))
}
