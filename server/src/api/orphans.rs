//! `/orphans/`: content that no version holds.

use openapi::Json;
use openapi::objects::OrphansCleanup;
use poem::web::Data;
use poem_openapi::OpenApi;
use registry::href::Kind;
use registry::task::{Reservation, Work};
use uuid::Uuid;

use super::Tag;
use super::auth::Caller;
use super::body::Body;
use super::error::ApiError;
use super::fields::Fields;
use super::submit::{Accepted, Asker, submit};
use crate::AppState;
use crate::telemetry::CorrelationId;

pub(crate) struct Operations;

#[OpenApi(prefix_path = "/orphans", tag = "Tag::Orphans")]
impl Operations {
    /// Delete orphan content
    #[oai(path = "/cleanup/", method = "post", operation_id = "orphans_cleanup_cleanup")]
    async fn cleanup(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
        body: Body<OrphansCleanup>,
    ) -> Result<Accepted, ApiError> {
        let mut fields = body.fields;
        let protection_minutes = protection_minutes(&mut fields);
        let only = content(&mut fields);
        let dry_run = fields.boolean("dry_run").unwrap_or(false);
        fields.finish()?;
        let work = Work::CleanUpOrphans {
            protection_minutes: protection_minutes.unwrap_or(state.config.orphan_protection_minutes),
            only,
            dry_run,
        };
        start(&state, Asker { user: &caller.0, cid: &cid }, work).await
    }

    /// Delete all orphan content
    #[oai(path = "/", method = "delete", operation_id = "orphans_delete")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        cid: CorrelationId,
        caller: Caller,
    ) -> Result<Accepted, ApiError> {
        let protection_minutes = state.config.orphan_protection_minutes;
        let work = Work::CleanUpOrphans { protection_minutes, only: Vec::new(), dry_run: false };
        start(&state, Asker { user: &caller.0, cid: &cid }, work).await
    }
}

async fn start(state: &AppState, asker: Asker<'_>, work: Work) -> Result<Accepted, ApiError> {
    let failed = |error| ApiError::from_storage(error, asker.cid);
    let tx = state.catalog.begin().await.map_err(failed)?;
    let accepted = submit(tx, asker, work, Reservation::of_cleanup()).await.map_err(failed)?;
    Ok(Accepted::Accepted(Json(accepted)))
}

/// The field `orphan_protection_time`, in minutes.
pub(crate) fn protection_minutes(fields: &mut Fields) -> Option<u32> {
    let minutes = fields.nullable_number("orphan_protection_time", 0).flatten()?;
    u32::try_from(minutes).ok()
}

/// The field `content_hrefs`.
fn content(fields: &mut Fields) -> Vec<Uuid> {
    let named = fields.nullable_texts("content_hrefs").flatten();
    if named.as_ref().is_some_and(Vec::is_empty) {
        fields.refuse("content_hrefs", "This list may not be empty. Leave it out for all content.");
    }
    let mut ids = Vec::new();
    for href in named.unwrap_or_default() {
        match [Kind::Blob, Kind::Manifest, Kind::Tag].into_iter().find_map(|kind| kind.parse(&href)) {
            Some(id) => ids.push(id),
            None => fields
                .refuse("content_hrefs", format!("\"{href}\" is not the path of a blob, manifest or tag.")),
        }
    }
    ids
}
