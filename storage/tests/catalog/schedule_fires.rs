//! Fires: each exactly once, whoever looks, whatever the clocks do; and what the policies make of late and
//! overlapping ones.

use registry::schedule::{MissedPolicy, OverlapPolicy, ScheduledWork};
use registry::task::{TaskState, Work};
use registry::{Clock, Timestamp};
use storage::{Catalog, FireReport, ListQuery, NewSchedule, Schedule, ScheduleChanges, Task};
use uuid::Uuid;

use crate::fixture::{Fixture, every_database};
use crate::schedules::{change, create, mirror, new_schedule, sync, today};

async fn fire(catalog: &Catalog) -> FireReport {
    catalog.fire_due_schedules().await.unwrap()
}

async fn shown(catalog: &Catalog, id: Uuid) -> Schedule {
    catalog.find_schedule(id).await.unwrap().unwrap()
}

async fn all_tasks(catalog: &Catalog) -> Vec<Task> {
    catalog.list_tasks(&ListQuery { limit: 1_000, ..ListQuery::default() }).await.unwrap().items
}

/// Ends a task that nobody runs.
async fn end(catalog: &Catalog, id: Uuid) {
    let mut tx = catalog.begin().await.unwrap();
    tx.cancel_task(id).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_due_fire_starts_the_task_that_was_asked_for() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let (repository, remote) = mirror(&catalog, "foo").await;
        let new = NewSchedule {
            created_by: Some(Uuid::from_u128(3)),
            ..new_schedule("s", "20 7 * * *", sync(repository, None))
        };
        let id = create(&catalog, new).await.unwrap().id;
        let idle = FireReport { next_due: Some(today(7, 20, 0)), ..FireReport::default() };
        assert_eq!(fire(&catalog).await, idle);
        clock.advance_seconds(44);
        let once = FireReport { started: 1, next_due: Some(today(31, 20, 0)), ..FireReport::default() };
        assert_eq!(fire(&catalog).await, once);
        assert_eq!(fire(&catalog).await, FireReport { started: 0, ..once });
        let [task] = all_tasks(&catalog).await.try_into().unwrap();
        assert_eq!(task.work, Work::SyncRepository { repository, remote, mirror: true });
        assert_eq!((task.created_by, task.logging_cid), (Some(Uuid::from_u128(3)), id.simple().to_string()));
        let shown = shown(&catalog, id).await;
        assert_eq!((shown.last_task, shown.last_task_state), (Some(task.id), Some(TaskState::Waiting)));
        assert_eq!((shown.last_fire, shown.next_fire), (Some(today(7, 20, 0)), Some(today(31, 20, 0))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_fire_each_time_once() {
    const PROCESSES: usize = 5;
    const FIRES: i64 = 20;
    for fixture in every_database().await {
        let catalog = &fixture.catalog;
        let mut expected = Vec::new();
        for name in ["one", "two"] {
            let (repository, remote) = mirror(catalog, name).await;
            let new = NewSchedule {
                on_overlap: OverlapPolicy::Queue,
                ..new_schedule(name, "* * * * * *", sync(repository, None))
            };
            let id = create(catalog, new).await.unwrap().id;
            expected.push((id, Work::SyncRepository { repository, remote, mirror: true }));
        }
        let mut processes = tokio::task::JoinSet::new();
        for number in 0..PROCESSES {
            // Their clocks differ by some seconds, and move on while the others look.
            let clock = Clock::steered(fixture.clock.now().plus_seconds(i64::try_from(number).unwrap()));
            let other = fixture.another(&clock).await;
            processes.spawn(async move {
                let mut started = 0;
                for _ in 0..=FIRES {
                    started += fire(&other).await.started;
                    clock.advance_seconds(1);
                }
                started
            });
        }
        let mut started: usize = processes.join_all().await.into_iter().sum();
        // The process that is ahead gets as far as this.
        let most = FIRES + i64::try_from(PROCESSES).unwrap() - 1;
        // A process passes over what another one has in hand, and looks again later.
        let ahead = Clock::steered(fixture.clock.now().plus_seconds(most));
        started += fire(&fixture.another(&ahead).await).await.started;
        let tasks = all_tasks(catalog).await;
        assert_eq!((started, tasks.len()), (tasks.len(), 2 * usize::try_from(most).unwrap()));
        for (id, work) in expected {
            let shown = shown(catalog, id).await;
            let last = fixture.clock.now().plus_seconds(most);
            assert_eq!((shown.last_fire, shown.next_fire), (Some(last), Some(last.plus_seconds(1))));
            assert_eq!((shown.missed_fires, shown.skipped_fires), (0, 0));
            assert_eq!(tasks.iter().filter(|task| task.work == work).count(), tasks.len() / 2);
        }
    }
}

#[tokio::test]
async fn a_clock_that_steps_back_fires_nothing_twice() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let (repository, _) = mirror(&catalog, "foo").await;
        let new = NewSchedule {
            on_overlap: OverlapPolicy::Queue,
            ..new_schedule("s", "* * * * *", sync(repository, None))
        };
        let id = create(&catalog, new).await.unwrap().id;
        clock.advance_seconds(60);
        assert_eq!(fire(&catalog).await.started, 1);
        // Even when the task is gone, the time is enabled anew, and the expression changes.
        let [task] = all_tasks(&catalog).await.try_into().unwrap();
        end(&catalog, task.id).await;
        let tx = catalog.begin().await.unwrap();
        tx.delete_task(task.id).await.unwrap();
        tx.commit().await.unwrap();
        clock.advance_seconds(-60);
        for changes in [
            ScheduleChanges { expression: Some("*/1 * * * *".into()), ..ScheduleChanges::default() },
            ScheduleChanges { enabled: Some(false), ..ScheduleChanges::default() },
            ScheduleChanges { enabled: Some(true), ..ScheduleChanges::default() },
        ] {
            change(&catalog, id, changes).await;
            assert_eq!(fire(&catalog).await.started, 0);
        }
        for _ in 0..60 {
            clock.advance_seconds(1);
            assert_eq!(fire(&catalog).await.started, 0);
        }
        assert_eq!(shown(&catalog, id).await.next_fire, Some(today(7, 21, 0)));
        clock.advance_seconds(60);
        assert_eq!(fire(&catalog).await.started, 1);
    }
}

#[tokio::test]
async fn after_a_downtime_the_policy_decides() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let mut ids = Vec::new();
        for (name, expression, on_missed) in [
            ("skip", "0 * * * *", MissedPolicy::Skip),
            ("once", "0 * * * *", MissedPolicy::RunOnce),
            ("rare", "0 0 1 1 *", MissedPolicy::RunOnce),
        ] {
            let (repository, _) = mirror(&catalog, name).await;
            let new = NewSchedule { on_missed, ..new_schedule(name, expression, sync(repository, None)) };
            ids.push(create(&catalog, new).await.unwrap().id);
        }
        // 08:00 to 12:00 pass without anybody; it is 12:19:16.
        clock.advance_seconds(5 * 3_600);
        let report = fire(&catalog).await;
        let expected = FireReport {
            started: 1,
            missed: 5 + 4,
            next_due: Some(today(13, 0, 0)),
            ..FireReport::default()
        };
        assert_eq!(report, expected);
        let mut seen = Vec::new();
        for id in ids {
            let shown = shown(&catalog, id).await;
            seen.push((shown.missed_fires, shown.last_task.is_some(), shown.last_fire));
        }
        let noon = Some(today(12, 0, 0));
        assert_eq!(seen, [(5, false, noon), (4, true, noon), (0, false, None)]);
        // What comes next is on time again.
        clock.advance_seconds(2_444);
        assert_eq!(
            fire(&catalog).await,
            FireReport { started: 1, skipped: 1, next_due: Some(today(14, 0, 0)), ..FireReport::default() }
        );
    }
}

#[tokio::test]
async fn a_late_look_fires_every_time_within_the_tolerance() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let (repository, _) = mirror(&catalog, "foo").await;
        let new = NewSchedule {
            on_overlap: OverlapPolicy::Queue,
            ..new_schedule("s", "*/10 * * * * *", sync(repository, None))
        };
        let id = create(&catalog, new).await.unwrap().id;
        // 07:19:20 is 61 seconds ago; 07:19:30 to 07:20:20 are not.
        clock.advance_seconds(65);
        let report = fire(&catalog).await;
        assert_eq!((report.started, report.missed), (6, 1));
        assert_eq!(shown(&catalog, id).await.missed_fires, 1);
        assert_eq!(all_tasks(&catalog).await.len(), 6);
    }
}

#[tokio::test]
async fn a_fire_that_finds_the_previous_task_skips_or_queues() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let mut ids = Vec::new();
        for (name, on_overlap) in [("skip", OverlapPolicy::Skip), ("queue", OverlapPolicy::Queue)] {
            let (repository, _) = mirror(&catalog, name).await;
            let new = NewSchedule { on_overlap, ..new_schedule(name, "* * * * *", sync(repository, None)) };
            ids.push(create(&catalog, new).await.unwrap().id);
        }
        let mut reports = Vec::new();
        for _ in 0..3 {
            clock.advance_seconds(60);
            let report = fire(&catalog).await;
            reports.push((report.started, report.skipped));
        }
        assert_eq!(reports, [(2, 0), (1, 1), (1, 1)]);
        let skipping = shown(&catalog, ids[0]).await;
        assert_eq!((skipping.skipped_fires, skipping.last_fire), (2, Some(today(7, 22, 0))));
        let queueing = shown(&catalog, ids[1]).await;
        assert_eq!((queueing.skipped_fires, queueing.last_fire), (0, Some(today(7, 22, 0))));
        end(&catalog, skipping.last_task.unwrap()).await;
        clock.advance_seconds(60);
        assert_eq!(fire(&catalog).await.started, 2);
        assert_eq!(all_tasks(&catalog).await.len(), 1 + 1 + 4);
    }
}

#[tokio::test]
async fn a_fire_that_can_start_nothing_says_why_and_comes_again() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let (repository, remote) = mirror(&catalog, "foo").await;
        let id = create(&catalog, new_schedule("s", "* * * * *", sync(repository, None))).await.unwrap().id;
        let set_remote = async |remote: Option<Uuid>| {
            let tx = catalog.begin().await.unwrap();
            let changes = storage::RepositoryChanges { remote: Some(remote), ..Default::default() };
            tx.update_repository(repository, changes).await.unwrap();
            tx.commit().await.unwrap();
        };
        set_remote(None).await;
        clock.advance_seconds(60);
        let report = fire(&catalog).await;
        assert_eq!((report.started, report.failed), (0, 1));
        let failed = shown(&catalog, id).await;
        let why = "remote: This field is required since a remote is not set on the repository.";
        assert_eq!((failed.enabled, failed.last_error.as_deref()), (true, Some(why)));
        let mut tx = catalog.begin().await.unwrap();
        let by_hand = tx.run_schedule(id, None, String::new()).await.unwrap_err();
        assert_eq!(by_hand.to_string(), why);
        drop(tx);
        set_remote(Some(remote)).await;
        clock.advance_seconds(60);
        // A dropped transaction is undone a little later; until then the schedule is passed over.
        let mut started = 0;
        while started == 0 {
            started = fire(&catalog).await.started;
        }
        assert_eq!(started, 1);
        assert_eq!(shown(&catalog, id).await.last_error, None);
    }
}

#[tokio::test]
async fn jitter_puts_the_fire_off_and_not_the_task() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let (repository, _) = mirror(&catalog, "foo").await;
        let new =
            NewSchedule { jitter_secs: 3_600, ..new_schedule("s", "0 8 * * *", sync(repository, None)) };
        let made = create(&catalog, new).await.unwrap();
        let due = made.next_due.unwrap();
        assert_eq!(made.next_fire, Some(today(8, 0, 0)));
        assert!(due >= today(8, 0, 0) && due <= today(9, 0, 0), "{due}");
        let until = |moment: Timestamp| moment.as_secs() - clock.now().as_secs();
        clock.advance_seconds(until(due) - 1);
        assert_eq!(fire(&catalog).await.started, 0);
        clock.advance_seconds(1);
        assert_eq!(fire(&catalog).await.started, 1);
        assert_eq!(shown(&catalog, made.id).await.last_fire, Some(today(8, 0, 0)));
    }
}

#[tokio::test]
async fn a_purge_is_told_the_age_at_the_fire() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let states = vec![TaskState::Completed, TaskState::Canceled];
        let work = ScheduledWork::Purge { older_than_days: 7, states: states.clone() };
        create(&catalog, new_schedule("s", "0 8 * * *", work)).await.unwrap();
        clock.advance_seconds(today(8, 0, 3).as_secs() - clock.now().as_secs());
        assert_eq!(fire(&catalog).await.started, 1);
        let [task] = all_tasks(&catalog).await.try_into().unwrap();
        let finished_before = today(8, 0, 3).plus_seconds(-7 * 86_400);
        assert_eq!(task.work, Work::PurgeTasks { finished_before, states });
        assert_eq!(task.reservations, []);
    }
}
