//! `PUT` and `PATCH /distributions/container/container/<id>/`

use openapi::Json;
use openapi::objects::DistributionResponse;
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
    host: &str,
) -> Result<Updated<DistributionResponse>, ApiError> {
    let distribution = find(state, asker.cid, pulp_id).await?;
    let changes = read(state, asker.cid, fields).await?;
    if changes.is_noop(&distribution) {
        return Ok(Updated::Unchanged(Json(show(distribution, host))));
    }
    let started = async {
        let tx = state.catalog.begin().await?;
        tx.check_distribution_changes(distribution.id, &changes).await?;
        start(tx, asker, ResourceKind::Distribution, distribution.id, &changes).await
    };
    let task = started.await.map_err(|error| ApiError::from_storage(error, asker.cid))?;
    Ok(Updated::Accepted(Json(task)))
}
