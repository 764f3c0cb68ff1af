//! A schedule as the API shows it.

use openapi::Moment;
use openapi::objects::{ScheduledTask, ScheduledTaskKind, TaskScheduleResponse};
use registry::href::Kind;
use registry::schedule::ScheduledWork;
use storage::Schedule;

/// How many of the next fires are shown.
const NEXT_FIRES: usize = 5;

pub(super) fn show(schedule: Schedule) -> TaskScheduleResponse {
    TaskScheduleResponse {
        pulp_href: Kind::TaskSchedule.href(schedule.id),
        prn: Kind::TaskSchedule.prn(schedule.id),
        pulp_created: Moment(schedule.created),
        pulp_last_updated: Moment(schedule.updated),
        next_fires: schedule.next_fires(NEXT_FIRES).into_iter().map(Moment).collect(),
        name: schedule.name,
        task_name: schedule.task_name,
        dispatch_interval: None,
        next_dispatch: schedule.next_due.map(Moment),
        last_task: schedule.last_task.map(|id| Kind::Task.href(id)),
        last_task_state: schedule.last_task_state.map(|state| state.to_string()),
        schedule: schedule.expression,
        time_zone: schedule.time_zone,
        task: show_work(&schedule.work),
        jitter: schedule.jitter_secs,
        on_overlap: schedule.on_overlap.to_string(),
        on_missed: schedule.on_missed.to_string(),
        enabled: schedule.enabled,
        last_fire: schedule.last_fire.map(Moment),
        missed_fires: schedule.missed_fires,
        skipped_fires: schedule.skipped_fires,
        last_error: schedule.last_error,
    }
}

fn show_work(work: &ScheduledWork) -> ScheduledTask {
    let of_kind = |kind| ScheduledTask {
        kind,
        repository: None,
        remote: None,
        mirror: None,
        signed_only: None,
        older_than_days: None,
        states: None,
        orphan_protection_time: None,
    };
    match work {
        ScheduledWork::Sync { repository, remote, mirror, signed_only } => ScheduledTask {
            repository: Some(Kind::Repository.href(*repository)),
            remote: remote.map(|id| Kind::Remote.href(id)),
            mirror: Some(*mirror),
            signed_only: Some(*signed_only),
            ..of_kind(ScheduledTaskKind::Sync)
        },
        ScheduledWork::Purge { older_than_days, states } => ScheduledTask {
            older_than_days: Some(*older_than_days),
            states: Some(states.iter().map(ToString::to_string).collect()),
            ..of_kind(ScheduledTaskKind::Purge)
        },
        ScheduledWork::OrphanCleanup { protection_minutes } => ScheduledTask {
            orphan_protection_time: Some(i64::from(*protection_minutes)),
            ..of_kind(ScheduledTaskKind::OrphanCleanup)
        },
        ScheduledWork::Unknown => of_kind(ScheduledTaskKind::Unknown),
    }
}
