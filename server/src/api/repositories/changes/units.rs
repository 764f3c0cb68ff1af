//! `content_units`: what to add or remove.

use registry::ContentChange;
use registry::href::Kind;
use uuid::Uuid;

use crate::AppState;
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::telemetry::CorrelationId;

const FIELD: &str = "content_units";
/// Names everything.
const EVERYTHING: &str = "*";
/// Units that an error names.
const MAX_NAMED: usize = 20;

pub(super) async fn added(
    state: &AppState,
    cid: &CorrelationId,
    fields: Fields,
) -> Result<ContentChange, ApiError> {
    let units = read(fields)?;
    Ok(ContentChange::Add { contents: find_all(state, cid, &units).await? })
}

pub(super) async fn removed(
    state: &AppState,
    cid: &CorrelationId,
    fields: Fields,
) -> Result<ContentChange, ApiError> {
    let units = read(fields)?;
    if units.iter().any(|unit| unit == EVERYTHING) {
        return Ok(ContentChange::Clear);
    }
    Ok(ContentChange::Remove { contents: find_all(state, cid, &units).await? })
}

fn read(mut fields: Fields) -> Result<Vec<String>, ApiError> {
    let units = fields.texts_that(FIELD, |text| Ok(text.to_owned())).unwrap_or_default();
    if units.len() > 1 && units.iter().any(|unit| unit == EVERYTHING) {
        let message = format!("'*' should be the only item present in the {}", named(&units));
        fields.refuse("non_field_errors", message);
    }
    fields.finish()?;
    Ok(units)
}

/// The ids of blobs, manifests and tags, which all have to be there.
async fn find_all(state: &AppState, cid: &CorrelationId, units: &[String]) -> Result<Vec<Uuid>, ApiError> {
    let parse = |unit: &String| {
        let content = [Kind::Blob, Kind::Manifest, Kind::Tag];
        let found = content.into_iter().find_map(|kind| kind.parse(unit).map(|id| (kind, id)));
        found.ok_or_else(|| ApiError::field(FIELD, format!("URI not valid: {unit}")))
    };
    let wanted = units.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<Uuid> = wanted.iter().map(|(_, id)| *id).collect();
    let kinds = state.catalog.content_kinds(&ids).await;
    let kinds = kinds.map_err(|error| ApiError::from_storage(error, cid))?;
    let missing: Vec<String> = (units.iter().zip(&wanted))
        .filter(|(_, (kind, id))| kinds.get(id) != Some(kind))
        .map(|(unit, _)| unit.clone())
        .collect();
    if missing.is_empty() {
        return Ok(ids);
    }
    let message = format!("Could not find the following content units: {}", named(&missing));
    Err(ApiError::field(FIELD, message))
}

/// As Pulp's texts write lists.
fn named(units: &[String]) -> String {
    let mut texts: Vec<String> = units.iter().take(MAX_NAMED).map(|unit| format!("'{unit}'")).collect();
    if units.len() > MAX_NAMED {
        texts.push(format!("and {} more", units.len() - MAX_NAMED));
    }
    format!("[{}]", texts.join(", "))
}
