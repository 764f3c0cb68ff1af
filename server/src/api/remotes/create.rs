//! `POST /remotes/container/container/`

use openapi::Json;
use openapi::objects::{Remote, RemoteResponse};
use poem_openapi::ApiResponse;
use storage::{NewRemote, RemoteSecrets};

use super::read::read;
use super::show;
use crate::AppState;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::telemetry::CorrelationId;

/// A remote was created.
#[derive(ApiResponse)]
pub(crate) enum Created {
    /// The remote.
    #[oai(status = 201)]
    Created(
        Json<RemoteResponse>,
        /// Path of the remote.
        #[oai(header = "Location")]
        String,
    ),
}

pub(super) async fn create(
    state: &AppState,
    cid: &CorrelationId,
    body: Body<Remote>,
) -> Result<Created, ApiError> {
    let mut fields = body.fields;
    fields.require(&["name", "url", "upstream_name"]);
    let given = read(fields, &RemoteSecrets::default())?;
    let created = async {
        let tx = state.catalog.begin().await?;
        let remote = tx.create_remote(NewRemote::from_changes(given)).await?;
        tx.commit().await?;
        Ok(remote)
    };
    let remote = show(created.await.map_err(|error| ApiError::from_storage(error, cid))?);
    let location = remote.pulp_href.clone();
    Ok(Created::Created(Json(remote), location))
}
