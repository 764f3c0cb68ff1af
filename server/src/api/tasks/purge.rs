//! `POST /tasks/purge/`

use openapi::Json;
use openapi::objects::Purge;
use registry::Timestamp;
use registry::task::{TaskState, Work};

use crate::AppState;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::api::submit::{Accepted, Asker, submit};

/// What is deleted unless another moment is given: what ended more than 30 days ago.
pub(crate) const DEFAULT_AGE_DAYS: i64 = 30;

pub(super) async fn purge(
    state: &AppState,
    asker: Asker<'_>,
    body: Body<Purge>,
) -> Result<Accepted, ApiError> {
    let mut fields = body.fields;
    let finished_before = fields.moment("finished_before");
    let states = states(&mut fields);
    fields.finish()?;
    let default = || state.catalog.now().plus_seconds(-DEFAULT_AGE_DAYS * 24 * 3600);
    let finished_before: Timestamp = finished_before.unwrap_or_else(default);
    let failed = |error| ApiError::from_storage(error, asker.cid);
    let tx = state.catalog.begin().await.map_err(failed)?;
    let work = Work::PurgeTasks { finished_before, states };
    Ok(Accepted::Accepted(Json(submit(tx, asker, work, Vec::new()).await.map_err(failed)?)))
}

/// The final states in the field `states`; completed by default.
pub(crate) fn states(fields: &mut Fields) -> Vec<TaskState> {
    let states = fields.nullable_texts("states").flatten();
    states.map_or_else(
        || vec![TaskState::Completed],
        |names| {
            let mut states = Vec::new();
            for name in names {
                match name.parse::<TaskState>() {
                    Ok(state) if state.is_final() => states.push(state),
                    // Pulp's word for a state that no task has here.
                    _ if name == "skipped" => {}
                    _ => fields.refuse("states", format!("\"{name}\" is not a valid choice.")),
                }
            }
            states
        },
    )
}
