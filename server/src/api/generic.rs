//! `/repositories/`, `/repository_versions/`, `/remotes/`, `/distributions/` and `/content/`: whatever their type.

use openapi::objects::{
    ContentResponse, DistributionResponse, Page, RemoteResponse, RepositoryResponse,
    RepositoryVersionResponse,
};
use openapi::{Json, filters};
use poem::web::Data;
use poem_openapi::OpenApi;

use super::Tag;
use super::auth::Caller;
use super::error::ApiError;
use super::filter::ListRequest;
use super::page::page;
use super::{content, distributions, remotes, repositories};
use crate::AppState;

pub(crate) struct Operations;

#[OpenApi]
impl Operations {
    /// List repositories
    #[oai(
        path = "/repositories/",
        method = "get",
        operation_id = "repositories_list",
        tag = "Tag::Repositories"
    )]
    async fn repositories(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<RepositoryResponse>>, ApiError> {
        let query = request.query(&filters::repositories("repositories_list"))?;
        let found = state.catalog.list_repositories(&query).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &request.cid))?;
        Ok(Json(page(&request, found, repositories::show)))
    }

    /// List remotes
    #[oai(path = "/remotes/", method = "get", operation_id = "remotes_list", tag = "Tag::Remotes")]
    async fn remotes(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<RemoteResponse>>, ApiError> {
        let query = request.query(&filters::remotes("remotes_list"))?;
        let found = state.catalog.list_remotes(&query).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &request.cid))?;
        Ok(Json(page(&request, found, remotes::show)))
    }

    /// List distributions
    #[oai(
        path = "/distributions/",
        method = "get",
        operation_id = "distributions_list",
        tag = "Tag::Distributions"
    )]
    async fn distributions(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<DistributionResponse>>, ApiError> {
        let query = request.query(&filters::distributions("distributions_list"))?;
        let found = state.catalog.list_distributions(&query).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &request.cid))?;
        Ok(Json(page(&request, found, |distribution| distributions::show(distribution, &request.host))))
    }

    /// List repository versions
    #[oai(
        path = "/repository_versions/",
        method = "get",
        operation_id = "repository_versions_list",
        tag = "Tag::Versions"
    )]
    async fn versions(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<RepositoryVersionResponse>>, ApiError> {
        let query = request.query(&filters::versions("repository_versions_list"))?;
        let found = state.catalog.list_versions(None, &query).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &request.cid))?;
        Ok(Json(page(&request, found, |version| repositories::versions::show(&version))))
    }

    /// List content
    #[oai(path = "/content/", method = "get", operation_id = "content_list", tag = "Tag::Content")]
    async fn contents(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<ContentResponse>>, ApiError> {
        let query = request.query(&filters::contents())?;
        let found = state.catalog.list_contents(&query).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &request.cid))?;
        Ok(Json(page(&request, found, content::show)))
    }
}
