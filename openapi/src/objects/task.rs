//! Tasks, workers, and the small objects around them.

use poem_openapi::Object;

use super::{AnyJson, Labels, Pageable};
use crate::Moment;

/// The task that was started.
#[derive(Debug, Object)]
#[oai(rename = "AsyncOperationResponse")]
pub struct AsyncOperation {
    /// Path of the task.
    pub task: String,
}

/// What a task was asked to become.
#[derive(Debug, Object)]
#[oai(rename = "PatchedTaskCancel")]
pub struct CancelTask {
    /// Only canceled.
    pub state: String,
}

/// One line of progress.
#[derive(Debug, Object)]
#[oai(rename = "ProgressReportResponse")]
pub struct ProgressReport {
    /// For people.
    pub message: String,
    /// For programs.
    pub code: String,
    /// How this part stands.
    pub state: String,
    /// How much there is, once that is known.
    pub total: Option<i64>,
    /// How much is done.
    pub done: i64,
    /// What follows the numbers.
    pub suffix: Option<String>,
}

/// Why a task failed.
#[derive(Debug, Object)]
#[oai(rename = "TaskError")]
pub struct TaskErrorDocument {
    /// One sentence with the cause.
    pub description: String,
    /// A stable word for the kind of cause.
    pub reason: String,
    /// Always null.
    pub traceback: Option<String>,
}

/// A task.
#[derive(Debug, Object)]
#[oai(rename = "TaskResponse")]
pub struct TaskResponse {
    /// Path of this task.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was accepted.
    pub pulp_created: Moment,
    /// When it last changed.
    pub pulp_last_updated: Moment,
    /// waiting, running, completed, failed, canceled or canceling.
    pub state: String,
    /// Its kind.
    pub name: String,
    /// The correlation id of the request that asked for it.
    pub logging_cid: String,
    /// Who asked for it.
    pub created_by: Option<String>,
    /// When its resources were free.
    pub unblocked_at: Option<Moment>,
    /// When a worker first took it.
    pub started_at: Option<Moment>,
    /// When it ended.
    pub finished_at: Option<Moment>,
    /// Why it failed, or why it is tried again.
    pub error: Option<TaskErrorDocument>,
    /// The worker that has it.
    pub worker: Option<String>,
    /// The task that started it.
    pub parent_task: Option<String>,
    /// The tasks that it started.
    pub child_tasks: Vec<String>,
    /// The group that it belongs to.
    pub task_group: Option<String>,
    /// How far it is.
    pub progress_reports: Vec<ProgressReport>,
    /// Paths of what it made.
    pub created_resources: Vec<String>,
    /// Resource names of what it made.
    pub created_resource_prns: Vec<String>,
    /// Resource names of what it reserves; shared ones are marked.
    pub reserved_resources_record: Vec<String>,
    /// What it gave.
    pub result: Option<AnyJson>,
    /// What it waits for, while it is waiting.
    pub waiting_for: Option<WaitingForResponse>,
    /// How often it was tried again after a cause that may pass.
    pub retries: i32,
    /// When it is tried again.
    pub next_try: Option<Moment>,
    /// Always v3.
    pub pulp_api_version: String,
}

/// What a task waits for.
#[derive(Debug, Object)]
#[oai(rename = "TaskWaitingForResponse")]
pub struct WaitingForResponse {
    /// task: an earlier one has what it needs. limit: enough tasks talk to its upstream already. retry: its next try.
    /// schedule: the moment that a schedule planned. worker: one that has room.
    pub reason: String,
    /// Path of the earlier task.
    pub task: Option<String>,
    /// Resource name of what the earlier task has.
    pub resource: Option<String>,
    /// Until when it waits, if that is known.
    pub until: Option<Moment>,
    /// The same, in a sentence.
    pub description: String,
}

/// The group that was started.
#[derive(Debug, Object)]
#[oai(rename = "TaskGroupOperationResponse")]
pub struct TaskGroupOperation {
    /// Path of the group.
    pub task_group: String,
}

/// A task, as its group shows it.
#[derive(Debug, Object)]
#[oai(rename = "MinimalTaskResponse")]
pub struct MinimalTaskResponse {
    /// Path of this task.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was accepted.
    pub pulp_created: Moment,
    /// When it last changed.
    pub pulp_last_updated: Moment,
    /// Always v3.
    pub pulp_api_version: String,
    /// Its kind.
    pub name: String,
    /// waiting, running, completed, failed, canceled or canceling.
    pub state: String,
    /// When its resources were free.
    pub unblocked_at: Option<Moment>,
    /// When a worker first took it.
    pub started_at: Option<Moment>,
    /// When it ended.
    pub finished_at: Option<Moment>,
    /// The worker that has it.
    pub worker: Option<String>,
}

/// A group of tasks.
#[derive(Debug, Object)]
#[oai(rename = "TaskGroupResponse")]
pub struct TaskGroupResponse {
    /// Path of this group.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// For people.
    pub description: String,
    /// Whether no more tasks will join it.
    pub all_tasks_dispatched: bool,
    /// How many of its tasks are waiting.
    pub waiting: u64,
    /// Always 0.
    pub skipped: u64,
    /// How many are running.
    pub running: u64,
    /// How many have done their work.
    pub completed: u64,
    /// How many ended because somebody asked for it.
    pub canceled: u64,
    /// How many ended with an error.
    pub failed: u64,
    /// How many were asked to end and have not yet.
    pub canceling: u64,
    /// Always empty: each task has its own.
    pub group_progress_reports: Vec<ProgressReport>,
    /// Its tasks, oldest first.
    pub tasks: Vec<MinimalTaskResponse>,
}

/// Which tasks to delete.
#[derive(Debug, Object)]
#[oai(rename = "Purge")]
pub struct Purge {
    /// Those that ended before this moment; by default 30 days ago.
    pub finished_before: Option<String>,
    /// Those in one of these states: completed, failed, canceled, skipped. By default completed.
    pub states: Option<Vec<String>>,
}

/// A line of a task's log.
#[derive(Debug, Object)]
#[oai(rename = "TaskLogLineResponse")]
pub struct TaskLogLine {
    /// When it was logged.
    pub at: Moment,
    /// error, warn, info, debug or trace.
    pub level: String,
    /// Which part of the program logged it.
    pub target: String,
    /// What happened.
    pub message: String,
}

/// A worker.
#[derive(Debug, Object)]
#[oai(rename = "WorkerResponse")]
pub struct WorkerResponse {
    /// Path of this worker.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it started.
    pub pulp_created: Moment,
    /// When it last renewed its lease.
    pub pulp_last_updated: Moment,
    /// Its process and host.
    pub name: String,
    /// When it last renewed its lease.
    pub last_heartbeat: Moment,
    /// Versions of what it runs.
    pub versions: Labels,
    /// The first of the tasks that it has.
    pub current_task: Option<String>,
    /// All tasks that it has, oldest first.
    pub current_tasks: Vec<String>,
}

/// A label to set.
#[derive(Debug, Object)]
#[oai(rename = "SetLabel")]
pub struct SetLabel {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Option<String>,
}

/// The label that was set.
#[derive(Debug, Object)]
#[oai(rename = "SetLabelResponse")]
pub struct SetLabelResponse {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A label to remove.
#[derive(Debug, Object)]
#[oai(rename = "UnsetLabel")]
pub struct UnsetLabel {
    /// Its key.
    pub key: String,
}

/// The label that was removed.
#[derive(Debug, Object)]
#[oai(rename = "UnsetLabelResponse")]
pub struct UnsetLabelResponse {
    /// Its key.
    pub key: String,
    /// The value that it had.
    pub value: Option<String>,
}

impl Pageable for TaskResponse {}
impl Pageable for TaskGroupResponse {}
impl Pageable for TaskLogLine {}
impl Pageable for WorkerResponse {}
