//! `POST /task-schedules/`

use openapi::Json;
use openapi::objects::{TaskSchedule, TaskScheduleResponse};
use poem_openapi::ApiResponse;
use storage::NewSchedule;

use super::read::read;
use super::{failed, show};
use crate::AppState;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::submit::Asker;

/// The fields without a default.
pub(super) const REQUIRED: [&str; 3] = ["name", "schedule", "task"];

/// A schedule was created.
#[derive(ApiResponse)]
pub(crate) enum Created {
    /// The schedule.
    #[oai(status = 201)]
    Created(
        Json<TaskScheduleResponse>,
        /// Path of the schedule.
        #[oai(header = "Location")]
        String,
    ),
}

pub(super) async fn create(
    state: &AppState,
    asker: Asker<'_>,
    body: Body<TaskSchedule>,
) -> Result<Created, ApiError> {
    let mut fields = body.fields;
    fields.require(&REQUIRED);
    let given = read(fields, &state.config)?;
    let new = NewSchedule {
        name: given.name.unwrap_or_default(),
        expression: given.expression.unwrap_or_default(),
        time_zone: given.time_zone.unwrap_or_else(|| "UTC".to_owned()),
        work: given.work.ok_or_else(|| ApiError::field("task", "This field is required."))?,
        jitter_secs: given.jitter_secs.unwrap_or(0),
        on_overlap: given.on_overlap.unwrap_or_default(),
        on_missed: given.on_missed.unwrap_or_default(),
        enabled: given.enabled.unwrap_or(true),
        created_by: Some(asker.user.id),
    };
    let created = async {
        let tx = state.catalog.begin().await?;
        let schedule = tx.create_schedule(new).await?;
        tx.commit().await?;
        Ok(schedule)
    };
    let schedule = show(created.await.map_err(|error| failed(error, asker.cid))?);
    let location = schedule.pulp_href.clone();
    Ok(Created::Created(Json(schedule), location))
}
