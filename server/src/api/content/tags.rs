//! `/content/container/tags/`

use openapi::objects::{Page, SetLabel, TagResponse, UnsetLabel};
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
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::filter::ListRequest;
use crate::api::labels::{self, LabelSet, LabelUnset};
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
        find(&state, &cid, &pulp_id).await.map(show).map(Json)
    }

    /// Set a label
    #[oai(path = "/:pulp_id/set_label/", method = "post", operation_id = "content_container_tags_set_label")]
    async fn set_label(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        body: Body<SetLabel>,
    ) -> Result<LabelSet, ApiError> {
        let id = find(&state, &cid, &pulp_id).await?.id;
        labels::set(&state, &cid, Kind::Tag, id, body).await
    }

    /// Unset a label
    #[oai(
        path = "/:pulp_id/unset_label/",
        method = "post",
        operation_id = "content_container_tags_unset_label"
    )]
    async fn unset_label(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        _caller: Caller,
        pulp_id: Path<String>,
        body: Body<UnsetLabel>,
    ) -> Result<LabelUnset, ApiError> {
        let id = find(&state, &cid, &pulp_id).await?.id;
        labels::unset(&state, &cid, Kind::Tag, id, body).await
    }
}

async fn find(state: &AppState, cid: &CorrelationId, pulp_id: &str) -> Result<TagContent, ApiError> {
    let absent = || ApiError::not_found(Kind::Tag);
    let id = Uuid::try_parse(pulp_id).map_err(|_| absent())?;
    let found = state.catalog.find_tag_content(id).await;
    found.map_err(|error| ApiError::from_storage(error, cid))?.ok_or_else(absent)
}

fn show(tag: TagContent) -> TagResponse {
    TagResponse {
        pulp_href: Kind::Tag.href(tag.id),
        prn: Kind::Tag.prn(tag.id),
        pulp_created: Moment(tag.created),
        pulp_last_updated: Moment(tag.created),
        pulp_labels: tag.pulp_labels,
        vuln_report: None,
        name: tag.name,
        tagged_manifest: Kind::Manifest.href(tag.manifest),
    }
}
