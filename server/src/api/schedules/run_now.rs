//! `POST /task-schedules/<id>/run_now/`

use openapi::Json;
use openapi::objects::AsyncOperation;
use registry::href::Kind;
use uuid::Uuid;

use super::failed;
use crate::AppState;
use crate::api::error::ApiError;
use crate::api::submit::{Accepted, Asker};

pub(super) async fn run_now(state: &AppState, asker: Asker<'_>, id: Uuid) -> Result<Accepted, ApiError> {
    let started = async {
        let mut tx = state.catalog.begin().await?;
        let task = tx.run_schedule(id, Some(asker.user.id), asker.cid.0.clone()).await?;
        tx.commit().await?;
        Ok(task)
    };
    let task = started.await.map_err(|error| failed(error, asker.cid))?;
    Ok(Accepted::Accepted(Json(AsyncOperation { task: Kind::Task.href(task) })))
}
