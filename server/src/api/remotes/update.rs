//! `PUT` and `PATCH /remotes/container/container/<id>/`

use openapi::Json;
use openapi::objects::RemoteResponse;
use registry::task::ResourceKind;

use super::read::read;
use super::{find, show};
use crate::AppState;
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::api::submit::Asker;
use crate::api::update::{Updated, start};

pub(super) async fn update(
    state: &AppState,
    asker: Asker<'_>,
    pulp_id: &str,
    fields: Fields,
) -> Result<Updated<RemoteResponse>, ApiError> {
    let remote = find(state, asker.cid, pulp_id).await?;
    let changes = read(fields, &remote.secrets)?;
    if changes.is_noop(&remote) {
        return Ok(Updated::Unchanged(Json(show(remote))));
    }
    let started = async {
        let tx = state.catalog.begin().await?;
        tx.check_remote_changes(remote.id, &changes).await?;
        start(tx, asker, ResourceKind::Remote, remote.id, &changes).await
    };
    let task = started.await.map_err(|error| ApiError::from_storage(error, asker.cid))?;
    Ok(Updated::Accepted(Json(task)))
}
