//! `/repositories/container/container/<id>/versions/`

use std::collections::BTreeMap;

use openapi::objects::{ContentCount, ContentSummary, Page, Repair, RepositoryVersionResponse};
use openapi::{Json, Moment, filters};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use registry::href::{API_ROOT, Kind, version_href, version_prn};
use registry::task::{Reservation, Work};
use storage::{Counts, Version};

use super::find;
use crate::AppState;
use crate::api::Tag;
use crate::api::auth::Caller;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::filter::ListRequest;
use crate::api::page::page;
use crate::api::repair;
use crate::api::submit::{Accepted, Asker, submit};
use crate::telemetry::CorrelationId;

pub(crate) struct Operations;

#[OpenApi(prefix_path = "/repositories/container/container", tag = "Tag::Versions")]
impl Operations {
    /// List the versions of a repository
    #[oai(
        path = "/:repository/versions/",
        method = "get",
        operation_id = "repositories_container_container_versions_list"
    )]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
        repository: Path<String>,
    ) -> Result<Json<Page<RepositoryVersionResponse>>, ApiError> {
        let repository = find(&state, &request.cid, &repository).await?;
        let query = request.query(&filters::versions("repositories_container_container_versions_list"))?;
        let found = state.catalog.list_versions(Some(repository.id), &query).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &request.cid))?;
        Ok(Json(page(&request, found, |version| show(&version))))
    }

    /// Inspect a version of a repository
    #[oai(
        path = "/:repository/versions/:number/",
        method = "get",
        operation_id = "repositories_container_container_versions_read"
    )]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        repository: Path<String>,
        number: Path<String>,
    ) -> Result<Json<RepositoryVersionResponse>, ApiError> {
        find_version(&state, &cid, &repository, &number).await.map(|version| Json(show(&version)))
    }

    /// Repair the blobs of a version
    #[oai(
        path = "/:repository/versions/:number/repair/",
        method = "post",
        operation_id = "repositories_container_container_versions_repair"
    )]
    async fn repair(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        repository: Path<String>,
        number: Path<String>,
        body: Body<Repair>,
    ) -> Result<Accepted, ApiError> {
        let version = find_version(&state, &cid, &repository, &number).await?;
        let named = Some((version.repository, version.number));
        repair::repair(&state, Asker { user: &caller.0, cid: &cid }, named, body).await
    }

    /// Delete a version of a repository
    #[oai(
        path = "/:repository/versions/:number/",
        method = "delete",
        operation_id = "repositories_container_container_versions_delete"
    )]
    async fn delete(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        repository: Path<String>,
        number: Path<String>,
    ) -> Result<Accepted, ApiError> {
        let version = find_version(&state, &cid, &repository, &number).await?;
        let started = async {
            let tx = state.catalog.begin().await?;
            tx.check_version_deletable(version.repository, version.number).await?;
            let work = Work::DeleteVersion { repository: version.repository, number: version.number };
            let reservations = vec![Reservation::exclusive(Kind::Repository.prn(version.repository))];
            submit(tx, Asker { user: &caller.0, cid: &cid }, work, reservations).await
        };
        let task = started.await.map_err(|error| ApiError::from_storage(error, &cid))?;
        Ok(Accepted::Accepted(Json(task)))
    }
}

async fn find_version(
    state: &AppState,
    cid: &CorrelationId,
    repository: &str,
    number: &str,
) -> Result<Version, ApiError> {
    let repository = find(state, cid, repository).await?;
    let absent =
        || ApiError::from_storage(storage::StorageError::NotFound { kind: "RepositoryVersion" }, cid);
    let number = number.parse().map_err(|_| absent())?;
    let found = state.catalog.find_version(repository.id, number).await;
    found.map_err(|error| ApiError::from_storage(error, cid))?.ok_or_else(absent)
}

/// A version as the API shows it.
pub(crate) fn show(version: &Version) -> RepositoryVersionResponse {
    let href = version_href(version.repository, version.number);
    let prn = version_prn(version.id);
    let summary = &version.summary;
    RepositoryVersionResponse {
        vuln_report: format!("{API_ROOT}vuln_report/?repo_versions={prn}"),
        content_summary: ContentSummary {
            added: counts(&summary.added, "repository_version_added", &href),
            removed: counts(&summary.removed, "repository_version_removed", &href),
            present: counts(&summary.present, "repository_version", &href),
        },
        pulp_href: href,
        prn,
        pulp_created: Moment(version.created),
        pulp_last_updated: Moment(version.updated),
        number: version.number,
        repository: Kind::Repository.href(version.repository),
        base_version: version.base.map(|base| version_href(version.repository, base)),
    }
}

/// Kinds of which there are none are left out.
fn counts(counts: &Counts, filter: &str, version: &str) -> BTreeMap<String, ContentCount> {
    [(Kind::Blob, counts.blobs), (Kind::Manifest, counts.manifests), (Kind::Tag, counts.tags)]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| {
            let href = format!("{API_ROOT}{}?{filter}={version}", kind.collection());
            (kind.model().to_owned(), ContentCount { count, href })
        })
        .collect()
}
