//! A task as the API shows it.

use openapi::Moment;
use openapi::objects::{AnyJson, ProgressReport, TaskErrorDocument, TaskResponse, WaitingForResponse};
use poem_openapi::types::Any;
use registry::href::Kind;
use registry::task::{Reservation, WaitingFor};
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
        parent_task: task.parent.map(|id| Kind::Task.href(id)),
        child_tasks: task.children.into_iter().map(|id| Kind::Task.href(id)).collect(),
        task_group: task.group.map(|id| Kind::TaskGroup.href(id)),
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
        next_try: match &task.waiting_for {
            Some(WaitingFor::Retry(moment)) => Some(Moment(*moment)),
            _ => None,
        },
        waiting_for: task.waiting_for.map(show_reason),
        retries: task.failures,
        pulp_api_version: "v3".to_owned(),
    }
}

fn show_reason(reason: WaitingFor) -> WaitingForResponse {
    let plain = |reason: &str, description: String| WaitingForResponse {
        reason: reason.to_owned(),
        task: None,
        resource: None,
        until: None,
        description,
    };
    match reason {
        WaitingFor::Task { task, resource } => {
            let href = Kind::Task.href(task);
            let description = format!("An earlier task, {href}, has {resource}.");
            WaitingForResponse { task: Some(href), resource: Some(resource), ..plain("task", description) }
        }
        WaitingFor::Upstream { host, limit } => {
            let description = format!("{limit} tasks talk to {host} already, which is the limit.");
            plain("limit", description)
        }
        WaitingFor::Retry(moment) => {
            let description = format!("It failed for a cause that may pass, and is tried again at {moment}.");
            WaitingForResponse { until: Some(Moment(moment)), ..plain("retry", description) }
        }
        WaitingFor::Schedule(moment) => {
            let description = format!("It is planned for {moment}.");
            WaitingForResponse { until: Some(Moment(moment)), ..plain("schedule", description) }
        }
        WaitingFor::Worker => plain("worker", "A worker has to have room for it.".to_owned()),
    }
}
