//! A task as the API shows it.

use openapi::Moment;
use openapi::objects::{AnyJson, ProgressReport, TaskErrorDocument, TaskResponse};
use poem_openapi::types::Any;
use registry::href::Kind;
use registry::task::Reservation;
use storage::Task;

pub(crate) fn show(task: Task) -> TaskResponse {
    let (hrefs, prns) = task.created_resources.into_iter().map(|made| (made.href, made.prn)).unzip();
    let result: Option<AnyJson> = task.result.map(Any);
    TaskResponse {
        pulp_href: Kind::Task.href(task.id),
        prn: Kind::Task.prn(task.id),
        pulp_created: Moment(task.created),
        pulp_last_updated: Moment(task.updated),
        state: task.state.to_string(),
        name: task.name,
        logging_cid: task.logging_cid,
        created_by: task.created_by.map(|id| Kind::User.href(id)),
        unblocked_at: task.unblocked_at.map(Moment),
        started_at: task.started_at.map(Moment),
        finished_at: task.finished_at.map(Moment),
        error: task.error.map(|error| TaskErrorDocument {
            description: error.description,
            reason: error.code,
            traceback: None,
        }),
        worker: task.worker.map(|id| Kind::Worker.href(id)),
        parent_task: None,
        child_tasks: Vec::new(),
        task_group: None,
        progress_reports: (task.progress.into_iter())
            .map(|report| ProgressReport {
                message: report.message,
                code: report.code,
                state: report.state.to_string(),
                total: report.total,
                done: report.done,
                suffix: report.suffix,
            })
            .collect(),
        created_resources: hrefs,
        created_resource_prns: prns,
        reserved_resources_record: task.reservations.iter().map(Reservation::record).collect(),
        result,
        pulp_api_version: "v3".to_owned(),
    }
}
