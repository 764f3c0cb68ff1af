//! Changing and deleting repositories, remotes and distributions: alike for all three.

use openapi::Json;
use openapi::objects::AsyncOperation;
use poem_openapi::ApiResponse;
use poem_openapi::types::{ParseFromJSON, ToJSON};
use registry::href::Kind;
use registry::task::{Reservation, ResourceKind, Work};
use serde::Serialize;
use storage::{StorageError, Tx};
use uuid::Uuid;

use super::error::ApiError;
use super::submit::{Accepted, Asker, submit};
use crate::AppState;

/// A change was accepted, or there was none.
#[derive(ApiResponse)]
pub(crate) enum Updated<T: ParseFromJSON + ToJSON> {
    /// It is already so.
    #[oai(status = 200)]
    Unchanged(Json<T>),
    /// The task that changes it.
    #[oai(status = 202)]
    Accepted(Json<AsyncOperation>),
}

/// Starts the task that makes `changes`, which were checked in `tx`.
pub(crate) async fn start<C: Serialize>(
    tx: Tx,
    asker: Asker<'_>,
    resource: ResourceKind,
    id: Uuid,
    changes: &C,
) -> Result<AsyncOperation, StorageError> {
    let work = Work::UpdateResource { kind: resource, id, fields: tx.seal(changes)? };
    submit(tx, asker, work, vec![Reservation::exclusive(Kind::from(resource).prn(id))]).await
}

/// Starts the task that deletes a resource that nothing needs.
pub(crate) async fn delete(
    state: &AppState,
    asker: Asker<'_>,
    resource: ResourceKind,
    id: Uuid,
) -> Result<Accepted, ApiError> {
    let started = async {
        let tx = state.catalog.begin().await?;
        tx.check_deletable(resource, id).await?;
        let work = Work::DeleteResource { kind: resource, id };
        submit(tx, asker, work, vec![Reservation::exclusive(Kind::from(resource).prn(id))]).await
    };
    let task = started.await.map_err(|error| ApiError::from_storage(error, asker.cid))?;
    Ok(Accepted::Accepted(Json(task)))
}
