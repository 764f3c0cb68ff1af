//! `POST /repositories/container/container/<id>/sync/`

use openapi::Json;
use openapi::objects::SyncRepository;
use registry::href::Kind;
use registry::task::{Reservation, Work};

use super::find;
use crate::AppState;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::submit::{Accepted, Asker, submit};

/// Why `signed_only` is refused.
pub(crate) const NO_SIGNED_ONLY: &str =
    "Syncing only signed images is not available yet: leave it out or set it to false.";

pub(super) async fn sync(
    state: &AppState,
    asker: Asker<'_>,
    pulp_id: &str,
    body: Body<SyncRepository>,
) -> Result<Accepted, ApiError> {
    let repository = find(state, asker.cid, pulp_id).await?;
    let mut fields = body.fields;
    let named = fields.nullable_href("remote", Kind::Remote);
    let mirror = fields.boolean("mirror").unwrap_or(false);
    if fields.boolean("signed_only") == Some(true) {
        fields.refuse("signed_only", NO_SIGNED_ONLY);
    }
    fields.finish()?;
    let remote = named.flatten().or(repository.remote).ok_or_else(|| {
        ApiError::field("remote", "This field is required since a remote is not set on the repository.")
    })?;
    let failed = |error| ApiError::from_storage(error, asker.cid);
    if state.catalog.find_remote(remote).await.map_err(failed)?.is_none() {
        return Err(ApiError::field("remote", "Invalid hyperlink - Object does not exist."));
    }
    let work = Work::SyncRepository { repository: repository.id, remote, mirror };
    let reservations = Reservation::of_sync(repository.id, remote);
    let tx = state.catalog.begin().await.map_err(failed)?;
    Ok(Accepted::Accepted(Json(submit(tx, asker, work, reservations).await.map_err(failed)?)))
}
