//! `/content/container/tags/`

use openapi::objects::{Labels, Page, TagResponse};
use openapi::{Json, Moment, filters};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use registry::href::Kind;
use storage::TagContent;
use uuid::Uuid;

use crate::AppState;
use crate::api::Tag as Group;
use crate::api::auth::Caller;
use crate::api::error::ApiError;
use crate::api::filter::ListRequest;
use crate::api::page::page;
use crate::telemetry::CorrelationId;

pub(crate) struct Operations;

#[OpenApi(prefix_path = "/content/container/tags", tag = "Group::Content")]
impl Operations {
    /// List tags
    #[oai(path = "/", method = "get", operation_id = "content_container_tags_list")]
    async fn list(
        &self,
        state: Data<&AppState>,
        request: ListRequest,
        _caller: Caller,
    ) -> Result<Json<Page<TagResponse>>, ApiError> {
        let query = request.query(&filters::tags())?;
        let found = state.catalog.list_tag_contents(&query).await;
        Ok(Json(page(&request, found.map_err(|error| ApiError::from_storage(error, &request.cid))?, show)))
    }

    /// Inspect a tag
    #[oai(path = "/:pulp_id/", method = "get", operation_id = "content_container_tags_read")]
    async fn read(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
    ) -> Result<Json<TagResponse>, ApiError> {
        let absent = || ApiError::not_found(Kind::Tag);
        let id = Uuid::try_parse(&pulp_id).map_err(|_| absent())?;
        let found = state.catalog.find_tag_content(id).await;
        let found = found.map_err(|error| ApiError::from_storage(error, &cid))?;
        found.map(show).map(Json).ok_or_else(absent)
    }
}

fn show(tag: TagContent) -> TagResponse {
    TagResponse {
        pulp_href: Kind::Tag.href(tag.id),
        prn: Kind::Tag.prn(tag.id),
        pulp_created: Moment(tag.created),
        pulp_last_updated: Moment(tag.created),
        pulp_labels: Labels::new(),
        vuln_report: None,
        name: tag.name,
        tagged_manifest: Kind::Manifest.href(tag.manifest),
    }
}
