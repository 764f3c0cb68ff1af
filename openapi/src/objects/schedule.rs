//! Schedules of recurring tasks.

use poem_openapi::{Enum, Object};

use super::Pageable;
use crate::Moment;

/// What a schedule can run.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
pub enum ScheduledTaskKind {
    /// Sync a repository.
    Sync,
    /// Delete tasks that ended long ago.
    Purge,
    /// Delete content that no version holds.
    OrphanCleanup,
    /// Something that only a later release knows. It cannot be given.
    Unknown,
}

/// What happens at a fire that finds the schedule's previous task unfinished.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
pub enum OnOverlap {
    /// No task is started; the fire is counted as skipped.
    Skip,
    /// A task is started, which waits for the previous one.
    Queue,
}

/// What happens about fires that no server and no worker was there for, more than a minute late.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
pub enum OnMissed {
    /// Nothing; they are counted as missed.
    Skip,
    /// One task is started for all of them together.
    RunOnce,
}

/// What a schedule runs.
#[derive(Debug, Object)]
pub struct ScheduledTask {
    /// Its kind, which says what further fields it has.
    pub kind: ScheduledTaskKind,
    /// sync: the repository.
    pub repository: Option<String>,
    /// sync: the remote; by default the one that the repository has when the schedule fires.
    pub remote: Option<String>,
    /// sync: make each version equal to upstream (filtered), rather than only add to it. By default false.
    pub mirror: Option<bool>,
    /// sync: only signed images. Not available yet: true is refused.
    pub signed_only: Option<bool>,
    /// purge: how many days before the fire the tasks must have ended. By default 30.
    pub older_than_days: Option<i64>,
    /// purge: the states that they must have ended in. By default only completed.
    pub states: Option<Vec<String>>,
    /// `orphan_cleanup`: for how many minutes nobody must have touched the content. By default what the setting
    /// `orphan_protection_time` says.
    pub orphan_protection_time: Option<i64>,
}

/// A schedule to create.
#[derive(Debug, Object)]
pub struct TaskSchedule {
    /// A unique name for this schedule.
    pub name: String,
    /// When it fires: five fields (minute, hour, day of month, month, day of week), six (with the second in front), or
    /// one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually.
    pub schedule: String,
    /// The zone of the IANA database that the schedule is read in. By default UTC.
    pub time_zone: Option<String>,
    /// What it runs.
    pub task: ScheduledTask,
    /// By how many seconds a fire may be put off, so that not everything starts at once. By default 0.
    pub jitter: Option<i64>,
    /// What happens at a fire that finds the schedule's previous task unfinished. By default skip.
    pub on_overlap: Option<OnOverlap>,
    /// What happens about fires that nobody was there for. By default skip.
    pub on_missed: Option<OnMissed>,
    /// Whether it fires. By default true.
    pub enabled: Option<bool>,
}

/// What changes of a schedule.
#[derive(Debug, Object)]
pub struct PatchedTaskSchedule {
    /// A unique name for this schedule.
    pub name: Option<String>,
    /// When it fires.
    pub schedule: Option<String>,
    /// The zone of the IANA database that the schedule is read in.
    pub time_zone: Option<String>,
    /// What it runs; replaced as a whole.
    pub task: Option<ScheduledTask>,
    /// By how many seconds a fire may be put off.
    pub jitter: Option<i64>,
    /// What happens at a fire that finds the schedule's previous task unfinished.
    pub on_overlap: Option<OnOverlap>,
    /// What happens about fires that nobody was there for.
    pub on_missed: Option<OnMissed>,
    /// Whether it fires.
    pub enabled: Option<bool>,
}

/// A schedule.
#[derive(Debug, Object)]
pub struct TaskScheduleResponse {
    /// Path of this schedule.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was created.
    pub pulp_created: Moment,
    /// When somebody last changed it.
    pub pulp_last_updated: Moment,
    /// Its unique name.
    pub name: String,
    /// The name of the tasks that it starts.
    pub task_name: String,
    /// Always null: the schedule says when.
    pub dispatch_interval: Option<String>,
    /// When it next starts a task, with the jitter; null while it is disabled.
    pub next_dispatch: Option<Moment>,
    /// Path of the task that was last started, by a fire or by hand.
    pub last_task: Option<String>,
    /// Where that task stands: waiting, running, completed, failed, canceled or canceling.
    pub last_task_state: Option<String>,
    /// When it fires.
    pub schedule: String,
    /// The zone that the schedule is read in.
    pub time_zone: String,
    /// What it runs.
    pub task: ScheduledTask,
    /// By how many seconds a fire may be put off.
    pub jitter: i64,
    /// skip or queue.
    pub on_overlap: String,
    /// skip or `run_once`.
    pub on_missed: String,
    /// Whether it fires.
    pub enabled: bool,
    /// The next five fires, without the jitter; empty while it is disabled.
    pub next_fires: Vec<Moment>,
    /// The newest fire that came due, whatever was done about it.
    pub last_fire: Option<Moment>,
    /// How many fires nobody was there for.
    pub missed_fires: i64,
    /// How many fires found the previous task unfinished and started none.
    pub skipped_fires: i64,
    /// Why the last fire could start no task; null once one does.
    pub last_error: Option<String>,
}

impl Pageable for TaskScheduleResponse {}
