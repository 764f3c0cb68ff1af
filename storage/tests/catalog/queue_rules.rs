//! What keeps tasks waiting, what they belong to, and how they are forgotten.

use std::time::Duration;

use registry::task::{Reservation, ResourceKind, TaskError, TaskState, WaitingFor, Work};
use storage::queue::Job;
use storage::{Catalog, Fence, NewRemote, NewTask, Outcome, StorageError};
use uuid::Uuid;

use crate::fixture::{Fixture, every_database};

const DONE: fn() -> Outcome = || Outcome::Completed { created_resources: Vec::new(), result: None };

fn plain(reservations: &[Reservation]) -> NewTask {
    let work = Work::DeleteResource { kind: ResourceKind::Remote, id: Uuid::nil() };
    NewTask::new(work, reservations.to_vec())
}

async fn submit(catalog: &Catalog, new: NewTask) -> Uuid {
    let mut tx = catalog.begin().await.unwrap();
    let id = tx.submit(new).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn claim(catalog: &Catalog, worker: Uuid, id: Uuid, dispatch_no: i64) -> Option<Fence> {
    catalog.claim_task(worker, id, dispatch_no).await.unwrap().map(|(_, fence)| fence)
}

async fn finish(catalog: &Catalog, fence: &Fence, outcome: Outcome) {
    let mut tx = catalog.begin().await.unwrap();
    tx.finish_task(fence, outcome).await.unwrap();
    tx.commit().await.unwrap();
}

async fn reason(catalog: &Catalog, id: Uuid) -> Option<WaitingFor> {
    catalog.find_task(id).await.unwrap().unwrap().waiting_for
}

#[tokio::test]
async fn a_task_says_what_it_waits_for() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let worker = catalog.register_worker("w").await.unwrap();
        let x = [Reservation::exclusive("prn:x")];
        let first = submit(&catalog, plain(&x)).await;
        let second = submit(&catalog, plain(&x)).await;
        let third = submit(&catalog, plain(&x)).await;
        assert_eq!(reason(&catalog, first).await, Some(WaitingFor::Worker));
        let behind_first = WaitingFor::Task { task: first, resource: "prn:x".into() };
        for waiting in [second, third] {
            assert_eq!(reason(&catalog, waiting).await, Some(behind_first.clone()), "the earliest is named");
        }
        let fence = claim(&catalog, worker, first, 1).await.unwrap();
        assert_eq!(reason(&catalog, first).await, None, "it runs");
        let error = TaskError { description: "away".into(), code: "upstream.connect".into() };
        catalog.retry_task(&fence, Duration::from_secs(30), error).await.unwrap();
        let next_try = clock.now().plus_seconds(30);
        assert_eq!(reason(&catalog, first).await, Some(WaitingFor::Retry(next_try)));
        let moment = clock.now().plus_seconds(7);
        let planned = submit(&catalog, NewTask { not_before: Some(moment), ..plain(&[]) }).await;
        assert_eq!(reason(&catalog, planned).await, Some(WaitingFor::Schedule(moment)));
        assert!(claim(&catalog, worker, planned, 1).await.is_none());
        clock.advance_seconds(7);
        assert_eq!(catalog.reconcile().await.unwrap().dispatched, 1);
        assert!(claim(&catalog, worker, planned, 1).await.is_some());
    }
}

async fn remote(catalog: &Catalog, name: &str, url: &str) -> Uuid {
    let tx = catalog.begin().await.unwrap();
    let new =
        NewRemote { name: name.into(), url: url.into(), upstream_name: "app".into(), ..NewRemote::default() };
    let made = tx.create_remote(new).await.unwrap();
    tx.commit().await.unwrap();
    made.id
}

#[tokio::test]
async fn an_upstream_has_so_many_tasks_at_once() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let worker = catalog.register_worker("w").await.unwrap();
        let quay = [
            remote(&catalog, "a", "https://quay.example:8443").await,
            remote(&catalog, "b", "https://QUAY.example:8443/").await,
        ];
        let other = remote(&catalog, "c", "https://dock.example").await;
        let sync = |remote| {
            let work = Work::SyncRepository { repository: Uuid::now_v7(), remote, mirror: false };
            NewTask::new(work, Vec::new())
        };
        // The fixture's limit is four.
        let mut tasks = Vec::new();
        for number in 0..6 {
            tasks.push(submit(&catalog, sync(quay[number % 2])).await);
        }
        let elsewhere = submit(&catalog, sync(other)).await;
        assert!(claim(&catalog, worker, elsewhere, 1).await.is_some(), "another upstream has its own limit");
        let full = WaitingFor::Upstream { host: "quay.example:8443".into(), limit: 4 };
        let mut fences = Vec::new();
        for task in &tasks[..4] {
            fences.push(claim(&catalog, worker, *task, 1).await.unwrap());
        }
        for task in &tasks[4..] {
            assert!(claim(&catalog, worker, *task, 1).await.is_none());
            assert_eq!(reason(&catalog, *task).await, Some(full.clone()));
        }
        assert_eq!(catalog.reconcile().await.unwrap().dispatched, 0);
        finish(&catalog, &fences[0], DONE()).await;
        assert!(claim(&catalog, worker, tasks[5], 1).await.is_none(), "the earlier one has its turn first");
        assert!(claim(&catalog, worker, tasks[4], 1).await.is_some());
        // One that waits for its next try leaves its place to others.
        let error = TaskError { description: "away".into(), code: "upstream.connect".into() };
        catalog.retry_task(&fences[1], Duration::from_secs(5), error).await.unwrap();
        assert!(claim(&catalog, worker, tasks[5], 1).await.is_some());
        clock.advance_seconds(5);
        assert_eq!(reason(&catalog, tasks[1]).await, Some(full.clone()));
        finish(&catalog, &fences[2], DONE()).await;
        assert!(claim(&catalog, worker, tasks[1], 2).await.is_some());
    }
}

#[tokio::test]
async fn a_key_makes_one_task() {
    for Fixture { catalog, .. } in every_database().await {
        let keyed = |key: &str| NewTask { dedupe_key: Some(key.into()), ..plain(&[]) };
        let first = submit(&catalog, keyed("fire 1")).await;
        assert_eq!(submit(&catalog, keyed("fire 1")).await, first);
        assert_ne!(submit(&catalog, keyed("fire 2")).await, first);
    }
}

#[tokio::test]
async fn families_and_groups_are_known() {
    for Fixture { catalog, .. } in every_database().await {
        let worker = catalog.register_worker("w").await.unwrap();
        let mut tx = catalog.begin().await.unwrap();
        let group = tx.create_task_group("three of a kind").await.unwrap();
        let parent = tx.submit(NewTask { group: Some(group), ..plain(&[]) }).await.unwrap();
        let x = [Reservation::exclusive("prn:x")];
        let child = || NewTask { group: Some(group), parent: Some(parent), ..plain(&x) };
        let children = [tx.submit(child()).await.unwrap(), tx.submit(child()).await.unwrap()];
        tx.commit().await.unwrap();
        let found = catalog.find_task(parent).await.unwrap().unwrap();
        assert_eq!((found.children, found.parent, found.group), (children.to_vec(), None, Some(group)));
        let found = catalog.find_task(children[1]).await.unwrap().unwrap();
        assert_eq!((found.children, found.parent, found.group), (Vec::new(), Some(parent), Some(group)));

        let fence = claim(&catalog, worker, parent, 1).await.unwrap();
        finish(&catalog, &fence, DONE()).await;
        claim(&catalog, worker, children[0], 1).await.unwrap();
        let cancel = async || {
            let mut tx = catalog.begin().await.unwrap();
            let canceled = tx.cancel_task_group(group).await.unwrap();
            tx.commit().await.unwrap();
            canceled
        };
        assert!(!catalog.find_task_group(group).await.unwrap().unwrap().all_dispatched);
        assert!(cancel().await);
        let group_now = catalog.find_task_group(group).await.unwrap().unwrap();
        let states: Vec<_> = group_now.tasks.iter().map(|task| (task.id, task.state)).collect();
        assert_eq!(
            states,
            [
                (parent, TaskState::Completed),
                (children[0], TaskState::Canceling),
                (children[1], TaskState::Canceled)
            ]
        );
        assert!(group_now.all_dispatched && group_now.description == "three of a kind");
        catalog.unregister_worker(worker).await.unwrap();
        assert_eq!(catalog.reconcile().await.unwrap().ended, 1);
        assert!(!cancel().await, "all had ended");
        let mut tx = catalog.begin().await.unwrap();
        assert!(matches!(
            tx.cancel_task_group(Uuid::nil()).await,
            Err(StorageError::NotFound { kind: "TaskGroup" })
        ));
    }
}

#[tokio::test]
async fn old_tasks_are_deleted_by_age_and_state() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let worker = catalog.register_worker("w").await.unwrap();
        let mut tx = catalog.begin().await.unwrap();
        let group = tx.create_task_group("old").await.unwrap();
        let done = tx.submit(NewTask { group: Some(group), ..plain(&[]) }).await.unwrap();
        tx.close_task_group(group).await.unwrap();
        tx.commit().await.unwrap();
        let failed = submit(&catalog, plain(&[])).await;
        let waiting = submit(&catalog, plain(&[])).await;
        let fence = claim(&catalog, worker, done, 1).await.unwrap();
        finish(&catalog, &fence, DONE()).await;
        let fence = claim(&catalog, worker, failed, 1).await.unwrap();
        let error = TaskError { description: "no".into(), code: "internal".into() };
        finish(&catalog, &fence, Outcome::Failed(error)).await;
        clock.advance_seconds(60);
        let young = submit(&catalog, plain(&[])).await;
        let fence = claim(&catalog, worker, young, 1).await.unwrap();
        finish(&catalog, &fence, DONE()).await;

        let delete = async |before, states: &[TaskState]| {
            let tx = catalog.begin().await.unwrap();
            let deleted = tx.delete_ended_tasks(before, states).await?;
            tx.commit().await.unwrap();
            Ok::<_, StorageError>(deleted)
        };
        let now = clock.now();
        assert!(matches!(
            delete(now, &[TaskState::Running]).await,
            Err(StorageError::Invalid { field, .. }) if field == "states"
        ));
        assert_eq!(delete(now.plus_seconds(-60), &[TaskState::Completed]).await.unwrap(), 0);
        assert_eq!(delete(now, &[TaskState::Completed]).await.unwrap(), 1);
        assert_eq!(catalog.find_task(done).await.unwrap(), None);
        assert_eq!(catalog.find_task_group(group).await.unwrap(), None, "a group goes with its last task");
        for kept in [failed, waiting, young] {
            assert!(catalog.find_task(kept).await.unwrap().is_some());
        }
        assert_eq!(delete(now, &[TaskState::Failed, TaskState::Completed]).await.unwrap(), 1);
        assert!(catalog.find_task(young).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_task_that_keeps_killing_workers_fails_however_often_it_was_handed_back() {
    for Fixture { catalog, .. } in every_database().await {
        let id = submit(&catalog, plain(&[])).await;
        let mut dispatch_no = 0;
        for _ in 0..7 {
            dispatch_no += 1;
            let worker = catalog.register_worker("polite").await.unwrap();
            let fence = claim(&catalog, worker, id, dispatch_no).await.unwrap();
            catalog.release_task(&fence, Duration::ZERO).await.unwrap();
        }
        for death in 1..=5 {
            dispatch_no += 1;
            let worker = catalog.register_worker("doomed").await.unwrap();
            claim(&catalog, worker, id, dispatch_no).await.unwrap();
            catalog.unregister_worker(worker).await.unwrap();
            let report = catalog.reconcile().await.unwrap();
            assert_eq!((report.requeued, report.ended), if death < 5 { (1, 0) } else { (0, 1) });
        }
        let task = catalog.find_task(id).await.unwrap().unwrap();
        assert_eq!((task.state, task.error.unwrap().code.as_str()), (TaskState::Failed, "worker.died"));
    }
}

#[tokio::test]
async fn jobs_leave_nothing_with_apalis() {
    for fixture in every_database().await {
        let Fixture { catalog, clock, .. } = &fixture;
        let worker = catalog.register_worker("w").await.unwrap();
        let done = submit(catalog, plain(&[])).await;
        assert_eq!(fixture.pending_jobs().await, 1);
        let fence = claim(catalog, worker, done, 1).await.unwrap();
        assert_eq!(fixture.pending_jobs().await, 0);
        finish(catalog, &fence, DONE()).await;

        let canceled = submit(catalog, plain(&[])).await;
        let mut tx = catalog.begin().await.unwrap();
        tx.cancel_task(canceled).await.unwrap();
        tx.commit().await.unwrap();
        assert!(claim(catalog, worker, canceled, 1).await.is_none());
        assert_eq!(fixture.pending_jobs().await, 0);

        let given_up = submit(catalog, plain(&[])).await;
        catalog.forget_delivery(&Job { task: given_up, dispatch_no: 1 }).await.unwrap();
        assert_eq!(fixture.pending_jobs().await, 0);
        clock.advance_seconds(60);
        assert_eq!(catalog.reconcile().await.unwrap().dispatched, 1);

        fixture.fetch_jobs("w-1-short", 4_000).await;
        assert_eq!(fixture.pending_jobs().await, 0);
        catalog.give_back_jobs("w-2").await.unwrap();
        assert_eq!((fixture.pending_jobs().await, fixture.apalis_workers().await), (0, 1));
        catalog.reconcile().await.unwrap();
        assert_eq!(fixture.apalis_workers().await, 1, "it still has a job");
        catalog.give_back_jobs("w-1").await.unwrap();
        assert_eq!(fixture.pending_jobs().await, 1);
        catalog.reconcile().await.unwrap();
        assert_eq!(fixture.apalis_workers().await, 0);
        // What a worker had fetched when it died is given back when its lease has run out, which a heartbeat of 1970
        // stands for.
        let dead = catalog.register_worker("dead-1").await.unwrap();
        fixture.fetch_jobs("dead-1-short", 0).await;
        catalog.reconcile().await.unwrap();
        assert_eq!(fixture.pending_jobs().await, 0, "it lives");
        fixture.end_lease(dead).await;
        catalog.reconcile().await.unwrap();
        assert_eq!(fixture.pending_jobs().await, 1);
        let worker = catalog.register_worker("w").await.unwrap();
        assert!(claim(catalog, worker, given_up, 2).await.is_some());
    }
}
