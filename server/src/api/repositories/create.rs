//! `POST /repositories/container/container/`

use openapi::Json;
use openapi::objects::{Repository, RepositoryResponse};
use poem_openapi::ApiResponse;
use storage::NewRepository;

use super::show;
use super::update::read;
use crate::AppState;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::telemetry::CorrelationId;

/// A repository was created.
#[derive(ApiResponse)]
pub(crate) enum Created {
    /// The repository.
    #[oai(status = 201)]
    Created(
        Json<RepositoryResponse>,
        /// Path of the repository.
        #[oai(header = "Location")]
        String,
    ),
}

pub(super) async fn create(
    state: &AppState,
    cid: &CorrelationId,
    body: Body<Repository>,
) -> Result<Created, ApiError> {
    let mut fields = body.fields;
    fields.require(&["name"]);
    let given = read(fields)?;
    let created = async {
        let tx = state.catalog.begin().await?;
        let new = NewRepository {
            name: given.name.unwrap_or_default(),
            description: given.description.flatten(),
            labels: given.labels.unwrap_or_default(),
            remote: given.remote.flatten(),
            retain_repo_versions: given.retain_repo_versions.flatten(),
        };
        let repository = tx.create_repository(new).await?;
        tx.commit().await?;
        Ok(repository)
    };
    let repository = show(created.await.map_err(|error| ApiError::from_storage(error, cid))?);
    let location = repository.pulp_href.clone();
    Ok(Created::Created(Json(repository), location))
}
