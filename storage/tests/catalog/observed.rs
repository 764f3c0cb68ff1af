//! What is seen of tasks: counts of what was done, of what waits, and what tasks logged.

use std::time::Duration;

use prometheus_client::registry::Registry;
use registry::TraceParent;
use registry::task::{Reservation, ResourceKind, TaskError, TaskState, Work};
use storage::queue::{QueueCensus, TaskCount};
use storage::{
    Catalog, Fence, Filter, FilterValue, ListQuery, NewTask, Op, OrderBy, Outcome, StorageError, TaskLogLine,
};
use uuid::Uuid;

use crate::fixture::{Fixture, every_database};

const DELETE: &str = "pulpcore.app.tasks.base.general_delete";
const DONE: fn() -> Outcome = || Outcome::Completed { created_resources: Vec::new(), result: None };

async fn submit(catalog: &Catalog, reservations: &[Reservation], trace: Option<TraceParent>) -> Uuid {
    let new = NewTask {
        correlation_id: "cid".into(),
        trace_parent: trace,
        ..NewTask::new(
            Work::DeleteResource { kind: ResourceKind::Remote, id: Uuid::nil() },
            reservations.to_vec(),
        )
    };
    let mut tx = catalog.begin().await.unwrap();
    let id = tx.submit(new).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn claim(catalog: &Catalog, worker: Uuid, id: Uuid, dispatch_no: i64) -> Fence {
    catalog.claim_task(worker, id, dispatch_no).await.unwrap().unwrap().1
}

async fn finish(catalog: &Catalog, fence: &Fence, outcome: Outcome) -> Result<(), StorageError> {
    let mut tx = catalog.begin().await?;
    tx.finish_task(fence, outcome).await?;
    tx.commit().await
}

/// The samples, without those of histograms' buckets.
fn samples(catalog: &Catalog) -> Vec<String> {
    let mut registry = Registry::default();
    catalog.queue_metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let is_shown = |line: &&str| !line.starts_with('#') && !line.contains("_bucket{");
    let mut lines: Vec<String> = text
        .lines()
        .filter(is_shown)
        .map(|line| line.replace(&format!("kind=\"{DELETE}\""), "kind=DELETE"))
        .collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn what_was_done_with_tasks_is_counted_once() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let worker = catalog.register_worker("w").await.unwrap();
        assert_eq!(samples(&catalog), ["task_lease_takeovers_total 0"]);
        let first = submit(&catalog, &[], None).await;
        clock.advance_seconds(3);
        let fence = claim(&catalog, worker, first, 1).await;
        clock.advance_seconds(10);
        let error = TaskError { description: "503".into(), code: "upstream.unavailable".into() };
        catalog.retry_task(&fence, Duration::from_secs(5), error.clone()).await.unwrap();
        clock.advance_seconds(10);
        catalog.reconcile().await.unwrap();
        let fence = claim(&catalog, worker, first, 2).await;
        clock.advance_seconds(20);
        // Undone: not counted.
        let mut tx = catalog.begin().await.unwrap();
        tx.finish_task(&fence, DONE()).await.unwrap();
        drop(tx);
        finish(&catalog, &fence, DONE()).await.unwrap();
        finish(&catalog, &fence, DONE()).await.unwrap_err();

        let second = submit(&catalog, &[], None).await;
        let mut tx = catalog.begin().await.unwrap();
        tx.cancel_task(second).await.unwrap();
        tx.commit().await.unwrap();

        let dead = catalog.register_worker("dead").await.unwrap();
        let third = submit(&catalog, &[], None).await;
        claim(&catalog, dead, third, 1).await;
        catalog.unregister_worker(dead).await.unwrap();
        catalog.reconcile().await.unwrap();
        // SQLite knows only one worker at a time: the second registration ended the lease of the first.
        let worker = catalog.register_worker("w").await.unwrap();
        let fence = claim(&catalog, worker, third, 2).await;
        finish(&catalog, &fence, Outcome::Failed(error)).await.unwrap();

        assert_eq!(
            samples(&catalog),
            [
                "task_finished_total{kind=DELETE,state=\"canceled\"} 1",
                "task_finished_total{kind=DELETE,state=\"completed\"} 1",
                "task_finished_total{kind=DELETE,state=\"failed\"} 1",
                "task_lease_takeovers_total 1",
                "task_retries_total{kind=DELETE} 1",
                "task_run_seconds_count{kind=DELETE} 2",
                "task_run_seconds_sum{kind=DELETE} 40.0",
                "task_wait_seconds_count{kind=DELETE} 2",
                "task_wait_seconds_sum{kind=DELETE} 3.0",
            ]
        );
    }
}

#[tokio::test]
async fn what_waits_and_runs_is_counted_by_kind_and_state() {
    for Fixture { catalog, clock, .. } in every_database().await {
        assert_eq!(catalog.take_queue_census().await.unwrap(), QueueCensus::default());
        let worker = catalog.register_worker("w").await.unwrap();
        let x = [Reservation::exclusive("prn:x")];
        let start = clock.now();
        let running = submit(&catalog, &x, None).await;
        let ended = submit(&catalog, &[], None).await;
        let fence = claim(&catalog, worker, ended, 1).await;
        finish(&catalog, &fence, DONE()).await.unwrap();
        let fence = claim(&catalog, worker, running, 1).await;
        clock.advance_seconds(5);
        submit(&catalog, &x, None).await;
        clock.advance_seconds(5);
        submit(&catalog, &x, None).await;
        submit(&catalog, &[], None).await;
        let mut census = catalog.take_queue_census().await.unwrap();
        census.counts.sort_by(|one, other| one.state.cmp(&other.state));
        let count = |state: &str, tasks| TaskCount { kind: DELETE.into(), state: state.into(), tasks };
        assert_eq!(census.counts, [count("queued", 1), count("running", 1), count("waiting", 2)]);
        assert_eq!((census.depth(), census.waiting_since), (3, Some(start.plus_seconds(5))));

        // One that is to be tried again later is not late.
        let error = TaskError { description: "503".into(), code: "upstream.unavailable".into() };
        let tasks = catalog.list_tasks(&ListQuery::default()).await.unwrap().items;
        for task in tasks.iter().filter(|task| task.state == TaskState::Waiting) {
            let mut tx = catalog.begin().await.unwrap();
            tx.cancel_task(task.id).await.unwrap();
            tx.commit().await.unwrap();
        }
        catalog.retry_task(&fence, Duration::from_mins(1), error).await.unwrap();
        let census = catalog.take_queue_census().await.unwrap();
        assert_eq!((census.depth(), census.waiting_since), (1, None));
    }
}

fn line(level: &'static str, message: &str, at: registry::Timestamp) -> TaskLogLine {
    TaskLogLine { at, level, target: "worker".into(), message: message.into() }
}

#[tokio::test]
async fn logs_are_kept_in_order_and_go_with_their_task() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let [one, other] = [submit(&catalog, &[], None).await, submit(&catalog, &[], None).await];
        let (now, gone) = (clock.now(), Uuid::now_v7());
        let lines = vec![
            (one, line("info", "first", now)),
            (other, line("info", "of another", now)),
            (gone, line("info", "of nobody", now)),
            (one, line("error", "second", now)),
        ];
        catalog.append_task_logs(lines).await.unwrap();
        catalog.append_task_logs(vec![(one, line("debug", "third", now))]).await.unwrap();
        let list = async |query: ListQuery| {
            let page = catalog.list_task_log(one, &query).await.unwrap().unwrap();
            let lines: Vec<_> = page.items.into_iter().map(|kept| kept.line.message).collect();
            (page.total, lines.join(" "))
        };
        assert_eq!(list(ListQuery::default()).await, (3, "first second third".into()));
        assert_eq!(
            list(ListQuery { limit: 1, offset: 1, ..ListQuery::default() }).await,
            (3, "second".into())
        );
        let value = FilterValue::Texts(vec!["error".into(), "debug".into()]);
        let filter = Some(Filter::Field { field: "level", op: Op::In, value });
        assert_eq!(list(ListQuery { filter, ..ListQuery::default() }).await, (2, "second third".into()));
        let order = vec![OrderBy { field: "at", descending: true }];
        assert_eq!(list(ListQuery { order, ..ListQuery::default() }).await, (3, "third second first".into()));

        let all = catalog.task_log_after(one, 0, 10).await.unwrap();
        assert_eq!(all[1].line, line("error", "second", now));
        let rest = catalog.task_log_after(one, all[0].seq, 1).await.unwrap();
        assert_eq!(rest, all[1..2]);
        assert_eq!(catalog.count_task_log(one).await.unwrap(), 3);
        assert_eq!(catalog.list_task_log(gone, &ListQuery::default()).await.unwrap(), None);

        let mut tx = catalog.begin().await.unwrap();
        tx.cancel_task(one).await.unwrap();
        tx.delete_task(one).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(catalog.task_log_after(one, 0, 10).await.unwrap(), []);
        assert_eq!(catalog.count_task_log(other).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn the_trace_of_a_request_stays_with_its_task() {
    for Fixture { catalog, .. } in every_database().await {
        let trace: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
        for expected in [Some(trace), None] {
            let id = submit(&catalog, &[], expected.clone()).await;
            assert_eq!(catalog.find_task(id).await.unwrap().unwrap().trace_parent, expected);
        }
        let mut changes = catalog.changes();
        let id = submit(&catalog, &[], None).await;
        let told = tokio::time::timeout(Duration::from_secs(5), changes.next(Duration::from_mins(5))).await;
        assert!(told.is_ok(), "a commit was not told of");
        let task = catalog.find_task(id).await.unwrap().unwrap();
        let stamp = catalog.find_task_stamp(id).await.unwrap().unwrap();
        assert_eq!((stamp.state, stamp.updated), (task.state, task.updated));
        assert_eq!(catalog.find_task_stamp(Uuid::nil()).await.unwrap(), None);
    }
}
