//! The task protocol: order, locks, fences, retries, cancels and what crashes leave behind.

use std::time::Duration;

use registry::task::{Reservation, ResourceKind, TaskError, TaskState, Work};
use storage::{
    CancelOutcome, Catalog, Fence, Filter, FilterValue, ListQuery, NewTask, Op, Outcome, StorageError,
};
use uuid::Uuid;

use crate::fixture::{Fixture, every_database};

const DONE: fn() -> Outcome = || Outcome::Completed { created_resources: Vec::new(), result: None };

async fn submit(catalog: &Catalog, reservations: &[Reservation]) -> Uuid {
    let mut tx = catalog.begin().await.unwrap();
    let id = tx
        .submit(NewTask {
            work: Work::DeleteResource { kind: ResourceKind::Remote, id: Uuid::nil() },
            reservations: reservations.to_vec(),
            created_by: None,
            correlation_id: "cid".into(),
            trace_parent: None,
        })
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

async fn state(catalog: &Catalog, id: Uuid) -> TaskState {
    catalog.find_task(id).await.unwrap().unwrap().state
}

/// Whether the task was given to apalis and can be claimed as the n-th dispatch.
async fn claim(catalog: &Catalog, worker: Uuid, id: Uuid, dispatch_no: i64) -> Option<Fence> {
    catalog.claim_task(worker, id, dispatch_no).await.unwrap().map(|(_, fence)| fence)
}

async fn finish(catalog: &Catalog, fence: &Fence, outcome: Outcome) -> Result<(), StorageError> {
    let mut tx = catalog.begin().await.unwrap();
    tx.finish_task(fence, outcome).await?;
    tx.commit().await
}

#[tokio::test]
async fn conflicting_tasks_run_in_order_and_others_beside_them() {
    for Fixture { catalog, .. } in every_database().await {
        let worker = catalog.register_worker("w").await.unwrap();
        let (x, y) = (Reservation::exclusive("prn:x"), Reservation::exclusive("prn:y"));
        let first = submit(&catalog, std::slice::from_ref(&x)).await;
        let second = submit(&catalog, &[Reservation::shared("prn:x")]).await;
        let third = submit(&catalog, &[Reservation::shared("prn:x")]).await;
        let fourth = submit(&catalog, &[x, Reservation::shared("prn:x"), y.clone()]).await;
        let apart = submit(&catalog, &[Reservation::exclusive("prn:z")]).await;
        let behind_fourth = submit(&catalog, &[y]).await;

        let fence = claim(&catalog, worker, first, 1).await.unwrap();
        assert!(claim(&catalog, worker, apart, 1).await.is_some());
        for waiting in [second, third, fourth, behind_fourth] {
            assert!(
                claim(&catalog, worker, waiting, 1).await.is_none(),
                "a task ran although its resources were held"
            );
        }
        finish(&catalog, &fence, DONE()).await.unwrap();
        let shared = [
            claim(&catalog, worker, second, 1).await.unwrap(),
            claim(&catalog, worker, third, 1).await.unwrap(),
        ];
        assert!(claim(&catalog, worker, fourth, 1).await.is_none());
        finish(&catalog, &shared[0], DONE()).await.unwrap();
        assert!(claim(&catalog, worker, fourth, 1).await.is_none());
        finish(&catalog, &shared[1], DONE()).await.unwrap();
        let fence = claim(&catalog, worker, fourth, 1).await.unwrap();
        finish(&catalog, &fence, DONE()).await.unwrap();
        assert!(claim(&catalog, worker, behind_fourth, 1).await.is_some());
        let done = catalog.find_task(fourth).await.unwrap().unwrap();
        let record: Vec<_> = done.reservations.iter().map(Reservation::record).collect();
        assert_eq!(record, ["prn:x", "prn:y"]);
        assert!(done.started_at.is_some() && done.finished_at.is_some() && done.unblocked_at.is_some());
    }
}

#[tokio::test]
async fn a_rolled_back_request_leaves_no_task_and_no_job() {
    for Fixture { catalog, .. } in every_database().await {
        let mut tx = catalog.begin().await.unwrap();
        let new = NewTask {
            work: Work::DeleteResource { kind: ResourceKind::Remote, id: Uuid::nil() },
            reservations: vec![Reservation::exclusive("prn:x")],
            created_by: None,
            correlation_id: String::new(),
            trace_parent: None,
        };
        let id = tx.submit(new).await.unwrap();
        drop(tx);
        assert_eq!(catalog.find_task(id).await.unwrap(), None);
        let next = submit(&catalog, &[Reservation::exclusive("prn:x")]).await;
        let worker = catalog.register_worker("w").await.unwrap();
        assert!(claim(&catalog, worker, next, 1).await.is_some());
    }
}

#[tokio::test]
async fn a_worker_that_lost_its_task_changes_nothing() {
    for Fixture { catalog, .. } in every_database().await {
        let worker = catalog.register_worker("w").await.unwrap();
        let id = submit(&catalog, &[]).await;
        let old = claim(&catalog, worker, id, 1).await.unwrap();
        assert!(claim(&catalog, worker, id, 1).await.is_none(), "a delivery was taken twice");
        catalog.release_task(&old).await.unwrap();
        assert_eq!(state(&catalog, id).await, TaskState::Waiting);
        let new = claim(&catalog, worker, id, 2).await.unwrap();
        assert!(matches!(finish(&catalog, &old, DONE()).await, Err(StorageError::Fenced)));
        assert!(matches!(catalog.report_progress(&old, &[]).await, Err(StorageError::Fenced)));
        assert!(matches!(catalog.release_task(&old).await, Err(StorageError::Fenced)));
        finish(&catalog, &new, DONE()).await.unwrap();
        assert!(matches!(finish(&catalog, &new, DONE()).await, Err(StorageError::Fenced)));
        assert_eq!(state(&catalog, id).await, TaskState::Completed);
    }
}

#[tokio::test]
async fn canceling_ends_what_waits_and_asks_what_runs() {
    for Fixture { catalog, .. } in every_database().await {
        let worker = catalog.register_worker("w").await.unwrap();
        let x = [Reservation::exclusive("prn:x")];
        let (running, waiting, last) =
            (submit(&catalog, &x).await, submit(&catalog, &x).await, submit(&catalog, &x).await);
        let fence = claim(&catalog, worker, running, 1).await.unwrap();
        let cancel = async |id| {
            let mut tx = catalog.begin().await.unwrap();
            let outcome = tx.cancel_task(id).await.unwrap();
            tx.commit().await.unwrap();
            outcome
        };
        assert!(
            matches!(cancel(waiting).await, CancelOutcome::Canceled(task) if task.state == TaskState::Canceled)
        );
        for _ in 0..2 {
            assert!(
                matches!(cancel(running).await, CancelOutcome::Canceling(task) if task.state == TaskState::Canceling)
            );
        }
        let heartbeat = catalog.heartbeat(worker).await.unwrap();
        assert_eq!((heartbeat.cancel_requested, heartbeat.lost), (vec![running], false));
        finish(&catalog, &fence, Outcome::Canceled).await.unwrap();
        assert!(
            matches!(cancel(running).await, CancelOutcome::AlreadyFinal(task) if task.state == TaskState::Canceled)
        );
        assert!(claim(&catalog, worker, last, 1).await.is_some(), "the canceled tasks kept their locks");
        let mut tx = catalog.begin().await.unwrap();
        assert!(matches!(tx.cancel_task(Uuid::nil()).await, Err(StorageError::NotFound { kind: "Task" })));
    }
}

#[tokio::test]
async fn a_retry_waits_its_time() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let worker = catalog.register_worker("w").await.unwrap();
        let id = submit(&catalog, &[]).await;
        let fence = claim(&catalog, worker, id, 1).await.unwrap();
        let error = TaskError { description: "503".into(), code: "upstream.unavailable".into() };
        catalog.retry_task(&fence, Duration::from_mins(1), error.clone()).await.unwrap();
        assert_eq!(catalog.reconcile().await.unwrap().dispatched, 0);
        let waiting = catalog.find_task(id).await.unwrap().unwrap();
        assert_eq!((waiting.state, waiting.error), (TaskState::Waiting, Some(error)));
        assert_eq!((waiting.attempt, waiting.failures), (1, 1));
        clock.advance_seconds(61);
        assert_eq!(catalog.reconcile().await.unwrap().dispatched, 1);
        let fence = claim(&catalog, worker, id, 2).await.unwrap();
        finish(&catalog, &fence, DONE()).await.unwrap();
        let done = catalog.find_task(id).await.unwrap().unwrap();
        assert_eq!((done.state, done.error, done.attempt), (TaskState::Completed, None, 2));
    }
}

#[tokio::test]
async fn tasks_of_a_dead_worker_are_taken_up() {
    for Fixture { catalog, .. } in every_database().await {
        let dead = catalog.register_worker("dead").await.unwrap();
        let (id, asked) = (submit(&catalog, &[]).await, submit(&catalog, &[]).await);
        let lost = claim(&catalog, dead, id, 1).await.unwrap();
        claim(&catalog, dead, asked, 1).await.unwrap();
        let mut tx = catalog.begin().await.unwrap();
        tx.cancel_task(asked).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            catalog.reconcile().await.unwrap().requeued,
            0,
            "the task was taken from a worker that lives"
        );
        catalog.unregister_worker(dead).await.unwrap();
        assert!(catalog.heartbeat(dead).await.unwrap().lost);
        let report = catalog.reconcile().await.unwrap();
        assert_eq!((report.requeued, report.ended), (1, 1));
        assert_eq!(state(&catalog, asked).await, TaskState::Canceled);
        assert!(claim(&catalog, dead, id, 2).await.is_none(), "a worker without a lease took a task");
        let alive = catalog.register_worker("alive").await.unwrap();
        assert!(claim(&catalog, alive, id, 2).await.is_some());
        assert!(matches!(finish(&catalog, &lost, DONE()).await, Err(StorageError::Fenced)));
        let nodes = catalog.list_workers(&ListQuery::default()).await.unwrap();
        assert_eq!(
            nodes.items.iter().map(|node| (node.name.as_str(), node.online)).collect::<Vec<_>>(),
            [("alive", true)]
        );
        assert_eq!(nodes.items[0].current_task, Some(id));
    }
}

#[tokio::test]
async fn a_job_that_apalis_lost_is_given_again() {
    for fixture in every_database().await {
        let Fixture { catalog, clock, .. } = &fixture;
        let worker = catalog.register_worker("w").await.unwrap();
        let id = submit(catalog, &[]).await;
        clock.advance_seconds(60);
        assert_eq!(
            catalog.reconcile().await.unwrap().dispatched,
            0,
            "a job that still waits was given twice"
        );
        fixture.lose_jobs().await;
        assert_eq!(catalog.reconcile().await.unwrap().dispatched, 1);
        assert!(claim(catalog, worker, id, 1).await.is_none());
        assert!(claim(catalog, worker, id, 2).await.is_some());
    }
}

#[tokio::test]
async fn tasks_are_listed_by_state_and_resource() {
    for Fixture { catalog, .. } in every_database().await {
        let worker = catalog.register_worker("w").await.unwrap();
        let first = submit(&catalog, &[Reservation::exclusive("prn:x"), Reservation::shared("prn:r")]).await;
        let second = submit(&catalog, &[Reservation::exclusive("prn:y")]).await;
        claim(&catalog, worker, first, 1).await.unwrap();
        let found = async |field, op, value: FilterValue| -> Vec<Uuid> {
            let query =
                ListQuery { filter: Some(Filter::Field { field, op, value }), ..ListQuery::default() };
            catalog.list_tasks(&query).await.unwrap().items.into_iter().map(|task| task.id).collect()
        };
        let text = |text: &str| FilterValue::Text(text.into());
        assert_eq!(found("state", Op::Eq, text("waiting")).await, [second]);
        assert_eq!(
            found("state", Op::In, FilterValue::Texts(vec!["waiting".into(), "running".into()])).await,
            [second, first]
        );
        assert_eq!(found("state", Op::Ne, text("waiting")).await, [first]);
        assert_eq!(found("reserved_resources", Op::Eq, text("prn:r")).await, [first]);
        assert_eq!(found("exclusive_resources", Op::Eq, text("prn:r")).await, Vec::<Uuid>::new());
        assert_eq!(found("shared_resources", Op::Eq, text("prn:r")).await, [first]);
        assert_eq!(found("created_resources", Op::Eq, text("/none/")).await, Vec::<Uuid>::new());
    }
}

#[tokio::test]
async fn those_who_wait_for_a_task_are_woken() {
    for Fixture { catalog, .. } in every_database().await {
        let worker = catalog.register_worker("w").await.unwrap();
        let id = submit(&catalog, &[]).await;
        let waiter = tokio::spawn({
            let catalog = catalog.clone();
            async move { catalog.wait_for_task(id).await }
        });
        let fence = claim(&catalog, worker, id, 1).await.unwrap();
        finish(&catalog, &fence, DONE()).await.unwrap();
        assert_eq!(waiter.await.unwrap().unwrap().state, TaskState::Completed);
        let tx = catalog.begin().await.unwrap();
        tx.delete_task(id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(catalog.find_task(id).await.unwrap(), None);
    }
}
