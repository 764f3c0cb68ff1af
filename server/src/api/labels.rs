//! `set_label` and `unset_label`, alike for everything that has labels.

use openapi::Json;
use openapi::objects::{SetLabel, SetLabelResponse, UnsetLabel, UnsetLabelResponse};
use poem_openapi::ApiResponse;
use registry::href::Kind;
use uuid::Uuid;

use super::body::Body;
use super::error::ApiError;
use crate::AppState;
use crate::telemetry::CorrelationId;

/// A label was set.
#[derive(ApiResponse)]
pub(crate) enum LabelSet {
    /// The label.
    #[oai(status = 201)]
    Created(Json<SetLabelResponse>),
}

/// A label was removed, or was not there.
#[derive(ApiResponse)]
pub(crate) enum LabelUnset {
    /// The label.
    #[oai(status = 201)]
    Created(Json<UnsetLabelResponse>),
}

/// Pulp's rules for labels.
pub(crate) fn check(key: &str, value: &str) -> Result<(), String> {
    let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    if key.is_empty() || !key.chars().all(is_word) {
        return Err(format!("Key '{key}' contains non-alphanumerics."));
    }
    if value.contains([',', '(', ')']) {
        return Err(format!("Key '{key}' contains value with comma or parenthesis."));
    }
    Ok(())
}

pub(crate) async fn set(
    state: &AppState,
    cid: &CorrelationId,
    kind: Kind,
    id: Uuid,
    body: Body<SetLabel>,
) -> Result<LabelSet, ApiError> {
    let mut fields = body.fields;
    fields.require(&["key", "value"]);
    let key = fields.text("key").unwrap_or_default();
    let value = fields.nullable_text("value").flatten().unwrap_or_default();
    if let Err(message) = check(&key, &value)
        && !key.is_empty()
    {
        fields.refuse("key", message);
    }
    fields.finish()?;
    let done = async {
        let tx = state.catalog.begin().await?;
        tx.set_label(kind, id, &key, &value).await?;
        tx.commit().await
    };
    done.await.map_err(|error| ApiError::from_storage(error, cid))?;
    Ok(LabelSet::Created(Json(SetLabelResponse { key, value })))
}

pub(crate) async fn unset(
    state: &AppState,
    cid: &CorrelationId,
    kind: Kind,
    id: Uuid,
    body: Body<UnsetLabel>,
) -> Result<LabelUnset, ApiError> {
    let mut fields = body.fields;
    fields.require(&["key"]);
    let key = fields.text("key").unwrap_or_default();
    fields.finish()?;
    let done = async {
        let tx = state.catalog.begin().await?;
        let value = tx.unset_label(kind, id, &key).await?;
        tx.commit().await?;
        Ok(value)
    };
    let value = done.await.map_err(|error| ApiError::from_storage(error, cid))?;
    Ok(LabelUnset::Created(Json(UnsetLabelResponse { key, value })))
}
