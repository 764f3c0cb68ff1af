//! Schedules by hand: the rules of their fields, what changes move, lists, and what goes and stays with them.

use registry::schedule::{MissedPolicy, OverlapPolicy, ScheduledWork};
use registry::task::{ResourceKind, TaskState};
use registry::{Clock, Timestamp};
use storage::{
    Catalog, Filter, FilterValue, ListQuery, NewRemote, NewRepository, NewSchedule, Op, OrderBy, Schedule,
    ScheduleChanges, StorageError,
};
use uuid::Uuid;

use crate::fixture::{Fixture, every_database, repository};

/// A repository with a remote of its own.
pub(crate) async fn mirror(catalog: &Catalog, name: &str) -> (Uuid, Uuid) {
    let tx = catalog.begin().await.unwrap();
    let remote = tx.create_remote(NewRemote { name: name.into(), ..NewRemote::default() }).await.unwrap().id;
    let new = NewRepository { name: name.into(), remote: Some(remote), ..NewRepository::default() };
    let repository = tx.create_repository(new).await.unwrap().id;
    tx.commit().await.unwrap();
    (repository, remote)
}

pub(crate) fn sync(repository: Uuid, remote: Option<Uuid>) -> ScheduledWork {
    ScheduledWork::Sync { repository, remote, mirror: true, signed_only: false }
}

/// A schedule of the defaults.
pub(crate) fn new_schedule(name: &str, expression: &str, work: ScheduledWork) -> NewSchedule {
    NewSchedule {
        name: name.into(),
        expression: expression.into(),
        time_zone: "UTC".into(),
        work,
        jitter_secs: 0,
        on_overlap: OverlapPolicy::Skip,
        on_missed: MissedPolicy::Skip,
        enabled: true,
        created_by: None,
    }
}

pub(crate) async fn create(catalog: &Catalog, new: NewSchedule) -> Result<Schedule, StorageError> {
    let tx = catalog.begin().await?;
    let made = tx.create_schedule(new).await?;
    tx.commit().await?;
    Ok(made)
}

pub(crate) async fn change(catalog: &Catalog, id: Uuid, changes: ScheduleChanges) -> Schedule {
    let tx = catalog.begin().await.unwrap();
    let made = tx.update_schedule(id, changes).await.unwrap();
    tx.commit().await.unwrap();
    made
}

/// A moment of the day on which the clocks of the fixtures begin: 2026-11-24, at 07:19:16.
pub(crate) fn today(hour: i64, minute: i64, second: i64) -> Timestamp {
    Timestamp::from_micros(1_795_478_400_000_000).plus_seconds(hour * 3_600 + minute * 60 + second)
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, StorageError>) -> (&'static str, String) {
    match outcome {
        Err(StorageError::Invalid { field, message } | StorageError::InUse { field, message }) => {
            (field, message)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_schedule_is_kept_as_it_was_made() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let (repository, remote) = mirror(&catalog, "foo").await;
        let new = NewSchedule {
            time_zone: "europe/berlin".into(),
            jitter_secs: 0,
            on_overlap: OverlapPolicy::Queue,
            on_missed: MissedPolicy::RunOnce,
            created_by: Some(Uuid::from_u128(5)),
            ..new_schedule("nightly", " 30 2 * * 1 ", sync(repository, Some(remote)))
        };
        let made = create(&catalog, new).await.unwrap();
        // Monday the 30th, 02:30 in winter.
        let first = today(24 * 5 + 25, 30, 0);
        let expected = Schedule {
            id: made.id,
            created: clock.now(),
            updated: clock.now(),
            name: "nightly".into(),
            expression: "30 2 * * 1".into(),
            time_zone: "Europe/Berlin".into(),
            work: sync(repository, Some(remote)),
            task_name: "pulp_container.app.tasks.synchronize.synchronize".into(),
            jitter_secs: 0,
            on_overlap: OverlapPolicy::Queue,
            on_missed: MissedPolicy::RunOnce,
            enabled: true,
            next_fire: Some(first),
            next_due: Some(first),
            last_fire: None,
            last_task: None,
            last_task_state: None,
            missed_fires: 0,
            skipped_fires: 0,
            last_error: None,
            created_by: Some(Uuid::from_u128(5)),
        };
        assert_eq!(made, expected);
        assert_eq!(catalog.find_schedule(made.id).await.unwrap(), Some(expected));
        let week = 7 * 86_400;
        assert_eq!(made.next_fires(3), [0, 1, 2].map(|weeks| first.plus_seconds(weeks * week)));
    }
}

#[tokio::test]
async fn what_could_never_run_is_refused() {
    for Fixture { catalog, .. } in every_database().await {
        let (mirrored, remote) = mirror(&catalog, "foo").await;
        let bare = repository(&catalog, "bare").await.id;
        create(&catalog, new_schedule("taken", "@daily", sync(mirrored, None))).await.unwrap();
        let good = new_schedule("new", "@daily", sync(mirrored, None));
        let gone = "Invalid hyperlink - Object does not exist.";
        for (new, field, message) in [
            (NewSchedule { name: "taken".into(), ..good.clone() }, "name", "This field must be unique."),
            (
                NewSchedule { expression: "61 * * * *".into(), ..good.clone() },
                "schedule",
                "the minute \"61\" must be made of *, or of numbers from 0 to 59",
            ),
            (
                NewSchedule { time_zone: "Mars".into(), ..good.clone() },
                "time_zone",
                "\"Mars\" is not a time zone of the IANA database: write one such as UTC or Europe/Berlin",
            ),
            (NewSchedule { work: sync(Uuid::nil(), Some(remote)), ..good.clone() }, "repository", gone),
            (NewSchedule { work: sync(mirrored, Some(Uuid::nil())), ..good.clone() }, "remote", gone),
            (
                NewSchedule { work: sync(bare, None), ..good.clone() },
                "remote",
                "This field is required since a remote is not set on the repository.",
            ),
        ] {
            assert_eq!(refusal(create(&catalog, new).await), (field, message.to_owned()));
        }
        create(&catalog, NewSchedule { work: sync(bare, Some(remote)), ..good }).await.unwrap();
    }
}

#[tokio::test]
async fn changes_move_the_next_fire_only_where_they_have_to() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let (repository, _) = mirror(&catalog, "foo").await;
        let made = create(&catalog, new_schedule("s", "0 12 * * *", sync(repository, None))).await.unwrap();
        clock.advance_seconds(60);
        let changes = ScheduleChanges {
            name: Some("renamed".into()),
            on_missed: Some(MissedPolicy::RunOnce),
            ..Default::default()
        };
        let renamed = change(&catalog, made.id, changes).await;
        let expected = Schedule {
            name: "renamed".into(),
            on_missed: MissedPolicy::RunOnce,
            updated: clock.now(),
            ..made
        };
        assert_eq!(renamed, expected);
        let changes = ScheduleChanges { time_zone: Some("America/New_York".into()), ..Default::default() };
        let moved = change(&catalog, renamed.id, changes).await;
        assert_eq!(moved.next_due, Some(today(17, 0, 0)));
        let changes = ScheduleChanges { jitter_secs: Some(600), ..Default::default() };
        let jittered = change(&catalog, renamed.id, changes).await;
        assert_eq!(jittered.next_fire, Some(today(17, 0, 0)));
        assert!((today(17, 0, 0)..=today(17, 10, 0)).contains(&jittered.next_due.unwrap()));
        let off = ScheduleChanges { enabled: Some(false), ..Default::default() };
        let off = change(&catalog, renamed.id, off).await;
        assert_eq!(
            (off.enabled, off.next_fire, off.next_due, off.next_fires(5)),
            (false, None, None, vec![])
        );
        clock.advance_seconds(86_400);
        let on = ScheduleChanges { enabled: Some(true), ..Default::default() };
        let on = change(&catalog, renamed.id, on).await;
        assert_eq!((on.enabled, on.next_fire, on.missed_fires), (true, Some(today(41, 0, 0)), 0));
        let tx = catalog.begin().await.unwrap();
        let missing = tx.update_schedule(Uuid::nil(), ScheduleChanges::default()).await;
        assert!(matches!(missing, Err(StorageError::NotFound { kind: "TaskSchedule" })));
    }
}

#[tokio::test]
async fn schedules_are_listed_by_what_they_say() {
    for Fixture { catalog, .. } in every_database().await {
        let (repository, _) = mirror(&catalog, "foo").await;
        for (name, expression, enabled) in
            [("b", "@daily", true), ("a", "@hourly", true), ("c", "@weekly", false)]
        {
            let new = NewSchedule { enabled, ..new_schedule(name, expression, sync(repository, None)) };
            create(&catalog, new).await.unwrap();
        }
        let names = async |filter: Option<Filter>, field| {
            let order = vec![OrderBy { field, descending: false }];
            let page =
                catalog.list_schedules(&ListQuery { filter, order, ..ListQuery::default() }).await.unwrap();
            page.items.into_iter().map(|schedule| schedule.name).collect::<Vec<_>>()
        };
        let field = |field, op, value| Some(Filter::Field { field, op, value });
        assert_eq!(names(None, "name").await, ["a", "b", "c"]);
        let enabled = field("enabled", Op::Eq, FilterValue::Bool(true));
        assert_eq!(names(enabled, "next_dispatch").await, ["a", "b"]);
        let task = field("task_name", Op::Contains, FilterValue::Text("synchronize".into()));
        assert_eq!(names(task, "task_name").await.len(), 3);
        let other = field("task_name", Op::Eq, FilterValue::Text("synchronize".into()));
        assert_eq!(names(other, "name").await, [""; 0]);
    }
}

#[tokio::test]
async fn a_schedule_goes_with_its_repository_and_keeps_its_remote() {
    for Fixture { catalog, .. } in every_database().await {
        let (foo, own) = mirror(&catalog, "foo").await;
        let (_, named) = mirror(&catalog, "bar").await;
        let by_name =
            create(&catalog, new_schedule("named", "@daily", sync(foo, Some(named)))).await.unwrap();
        let by_default = create(&catalog, new_schedule("own", "@daily", sync(foo, None))).await.unwrap();
        let tx = catalog.begin().await.unwrap();
        let bar = catalog.find_repository_by_name("bar").await.unwrap().unwrap().id;
        tx.delete_resource(ResourceKind::Repository, bar).await.unwrap();
        let refused = refusal(tx.check_deletable(ResourceKind::Remote, named).await);
        let message = "The schedule 'named' syncs from this remote: give it another one or delete it first.";
        assert_eq!(refused, ("remote", message.to_owned()));
        tx.commit().await.unwrap();
        let tx = catalog.begin().await.unwrap();
        tx.delete_resource(ResourceKind::Repository, foo).await.unwrap();
        tx.commit().await.unwrap();
        for id in [by_name.id, by_default.id] {
            assert_eq!(catalog.find_schedule(id).await.unwrap(), None);
        }
        let tx = catalog.begin().await.unwrap();
        for remote in [own, named] {
            tx.delete_resource(ResourceKind::Remote, remote).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn by_hand_a_schedule_runs_whatever_its_time() {
    for fixture in every_database().await {
        let catalog = &fixture.catalog;
        let (repository, remote) = mirror(catalog, "foo").await;
        let off = NewSchedule { enabled: false, ..new_schedule("s", "@yearly", sync(repository, None)) };
        let id = create(catalog, off).await.unwrap().id;
        let mut started = Vec::new();
        for number in 0..2 {
            let mut tx = catalog.begin().await.unwrap();
            started
                .push(tx.run_schedule(id, Some(Uuid::from_u128(1)), format!("cid {number}")).await.unwrap());
            tx.commit().await.unwrap();
        }
        let task = catalog.find_task(started[1]).await.unwrap().unwrap();
        assert_eq!((task.logging_cid.as_str(), task.created_by), ("cid 1", Some(Uuid::from_u128(1))));
        let (work, reservations) = sync(repository, None).resolve(Some(remote), fixture.clock.now()).unwrap();
        assert_eq!((task.work, task.reservations), (work, reservations));
        let shown = catalog.find_schedule(id).await.unwrap().unwrap();
        assert_eq!((shown.last_task, shown.last_task_state), (Some(started[1]), Some(TaskState::Waiting)));
        assert_eq!((shown.last_fire, shown.next_fire), (None, None));

        // A deleted task leaves nothing to show.
        let mut tx = catalog.begin().await.unwrap();
        tx.cancel_task(started[1]).await.unwrap();
        tx.delete_task(started[1]).await.unwrap();
        tx.commit().await.unwrap();
        let shown = catalog.find_schedule(id).await.unwrap().unwrap();
        assert_eq!((shown.last_task, shown.last_task_state), (None, None));

        let tx = catalog.begin().await.unwrap();
        tx.delete_schedule(id).await.unwrap();
        assert!(matches!(tx.delete_schedule(id).await, Err(StorageError::NotFound { kind: "TaskSchedule" })));
        tx.commit().await.unwrap();
        let other = fixture.another(&Clock::system()).await;
        assert_eq!(other.find_schedule(id).await.unwrap(), None);
    }
}
