//! Tasks and workers: cancellation, drain, sudden death, and the short tasks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use registry::task::{ResourceKind, TaskState, Work};
use storage::{CancelOutcome, DistributionChanges, NewDistribution};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::faults::{FakeRegistry, Fault};
use crate::house::{
    House, NAME, add_remote, add_repository, large, open, present, quick, submit, submit_sync, until, wait,
};

fn hold() -> Fault {
    Fault::Hold { after: 1_000, until: Arc::new(Notify::new()) }
}

async fn is_running(house: &House, task: Uuid) -> bool {
    house.catalog.find_task(task).await.unwrap().unwrap().state == TaskState::Running
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_sync_is_canceled_in_the_middle_of_a_blob() {
    let house = House::new().await;
    let image = house.fake.add_image(NAME, "1.0", &[&large(), b"small"]);
    house.fake.on("GET", &format!("/blobs/{}", image.layers[0])).inject(hold());
    let task = submit_sync(&house.catalog, house.repository, house.remote, false).await;
    until("the other blobs' arrival", async || {
        let arrived =
            house.catalog.find_blobs(&[image.config.clone(), image.layers[1].clone()]).await.unwrap();
        arrived.len() == 2
    })
    .await;

    let asked = Instant::now();
    let mut tx = house.catalog.begin().await.unwrap();
    assert!(matches!(tx.cancel_task(task).await.unwrap(), CancelOutcome::Canceling(_)));
    tx.commit().await.unwrap();
    let task = wait(&house.catalog, task).await;

    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!((task.state, house.latest().await.number), (TaskState::Canceled, 0));
    assert!(task.progress.iter().all(|report| report.state == TaskState::Canceled));
    house.fake.heal();
    house.sync_to_version(false).await;
    assert_eq!(house.fake.count("GET", &format!("/blobs/{}", image.layers[1])), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_shuts_down_hands_its_task_to_the_next() {
    let mut house = House::new().await;
    let image = house.fake.add_image(NAME, "1.0", &[&large()]);
    house.fake.on("GET", &format!("/blobs/{}", image.layers[0])).inject(hold());
    let task = submit_sync(&house.catalog, house.repository, house.remote, false).await;
    until("the task's start", async || is_running(&house, task).await).await;
    until("the blob's start", async || house.gets("blobs") == 2).await;

    house.shutdown.cancel();
    let worker = &mut house.worker;
    tokio::time::timeout(Duration::from_secs(5), worker).await.unwrap().unwrap().unwrap();
    let handed_back = house.catalog.find_task(task).await.unwrap().unwrap();
    assert_eq!((handed_back.state, handed_back.worker), (TaskState::Waiting, None));

    house.fake.heal();
    house.shutdown = CancellationToken::new();
    let next = worker::run(house.catalog.clone(), house.blobs.clone(), quick(), house.shutdown.clone());
    house.worker = tokio::spawn(next);
    let task = wait(&house.catalog, task).await;
    assert_eq!((task.state, task.attempt), (TaskState::Completed, 2));
    assert_eq!(present(&house.latest().await), (1, 1, 2));
}

#[test]
fn after_a_sudden_death_only_what_is_missing_is_fetched() {
    let outer = Runtime::new().unwrap();
    let fake = outer.block_on(FakeRegistry::start());
    let folder = tempfile::tempdir().unwrap();
    let images: Vec<_> = (0..5)
        .map(|at| fake.add_image(NAME, &format!("v{at}"), &[b"shared", format!("layer {at}").as_bytes()]))
        .collect();
    let last = fake.add_image(NAME, "last", &[&large()]);
    fake.on("GET", &format!("/blobs/{}", last.layers[0])).inject(hold());

    let first_life = Runtime::new().unwrap();
    let (task, repository) = first_life.block_on(async {
        let (catalog, blobs) = open(folder.path()).await;
        tokio::spawn(worker::run(catalog.clone(), blobs.clone(), quick(), CancellationToken::new()));
        let repository = add_repository(&catalog, "app").await;
        let remote = add_remote(&catalog, &fake.url(), |_| {}).await;
        let task = submit_sync(&catalog, repository, remote, false).await;
        until("the blobs' arrival", async || {
            let wanted = images.iter().flat_map(|image| &image.layers).chain([&last.config]);
            for digest in wanted {
                if blobs.find_size(digest).await.unwrap().is_none() {
                    return false;
                }
            }
            fake.count("GET", "/blobs/") == 13
        })
        .await;
        (task, repository)
    });
    first_life.shutdown_background();
    fake.heal();
    fake.forget_requests();

    outer.block_on(async {
        let (catalog, blobs) = open(folder.path()).await;
        let shutdown = CancellationToken::new();
        let worker = tokio::spawn(worker::run(catalog.clone(), blobs.clone(), quick(), shutdown.clone()));
        let task = wait(&catalog, task).await;
        assert_eq!((task.state, task.attempt), (TaskState::Completed, 2), "{task:#?}");
        let version = catalog.find_version(repository, 1).await.unwrap().unwrap();
        assert_eq!(present(&version), (6, 6, 13));
        assert_eq!(fake.count("GET", "/blobs/"), 1);
        shutdown.cancel();
        worker.await.unwrap().unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn syncs_of_one_repository_run_one_after_the_other() {
    let house = House::new().await;
    house.fake.add_image(NAME, "1.0", &[b"layer"]);
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(submit_sync(&house.catalog, house.repository, house.remote, false).await);
    }
    let mut ended = None;
    for task in tasks {
        let task = wait(&house.catalog, task).await;
        assert_eq!(task.state, TaskState::Completed);
        assert!(task.started_at >= ended);
        ended = task.finished_at;
    }
    assert_eq!((house.latest().await.number, house.gets("blobs")), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn short_tasks_do_not_wait_for_long_ones() {
    let house = House::new().await;
    house.fake.add_image(NAME, "1.0", &[&large()]);
    house.fake.on("GET", "/blobs/").inject(hold());
    for at in 0..6 {
        let repository = add_repository(&house.catalog, &format!("busy {at}")).await;
        submit_sync(&house.catalog, repository, house.remote, false).await;
    }
    let id = Uuid::now_v7();
    let new = NewDistribution {
        name: "app".into(),
        base_path: "app".into(),
        repository: Some(house.repository),
        ..NewDistribution::default()
    };
    let tx = house.catalog.begin().await.unwrap();
    let fields = tx.seal(&new).unwrap();
    drop(tx);
    let work = Work::CreateDistribution { distribution: id, fields };
    let task = wait(&house.catalog, submit(&house.catalog, work, id).await).await;
    assert_eq!(task.state, TaskState::Completed, "{task:#?}");
    assert_eq!(task.created_resources[0].prn, format!("prn:container.containerdistribution:{id}"));

    let changes = DistributionChanges { private: Some(true), ..DistributionChanges::default() };
    let tx = house.catalog.begin().await.unwrap();
    let fields = tx.seal(&changes).unwrap();
    drop(tx);
    let work = Work::UpdateResource { kind: ResourceKind::Distribution, id, fields };
    wait(&house.catalog, submit(&house.catalog, work, id).await).await;
    assert!(house.catalog.find_distribution(id).await.unwrap().unwrap().private);

    let work = Work::DeleteResource { kind: ResourceKind::Distribution, id };
    let task = wait(&house.catalog, submit(&house.catalog, work.clone(), id).await).await;
    assert_eq!(task.state, TaskState::Completed);
    assert!(house.catalog.find_distribution(id).await.unwrap().is_none());
    let task = wait(&house.catalog, submit(&house.catalog, work, id).await).await;
    assert_eq!(task.error.unwrap().code, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_deleted_by_a_task() {
    let house = House::new().await;
    house.fake.add_image(NAME, "1.0", &[b"one"]);
    house.sync_to_version(false).await;
    house.fake.add_image(NAME, "2.0", &[b"two"]);
    house.sync_to_version(false).await;
    let work = Work::DeleteVersion { repository: house.repository, number: 1 };
    let task = wait(&house.catalog, submit(&house.catalog, work, house.repository).await).await;
    assert_eq!(task.state, TaskState::Completed, "{task:#?}");
    assert_eq!(house.catalog.find_version(house.repository, 1).await.unwrap(), None);
    assert_eq!(house.tags().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lost_its_lease_gives_its_task_up_and_starts_over() {
    let house = House::new().await;
    let image = house.fake.add_image(NAME, "1.0", &[&large()]);
    house.fake.on("GET", &format!("/blobs/{}", image.layers[0])).nth(1).inject(hold());
    let task = submit_sync(&house.catalog, house.repository, house.remote, false).await;
    until("the blob's start", async || house.gets("blobs") == 2).await;
    let before = house.catalog.find_task(task).await.unwrap().unwrap().worker.unwrap();

    // As if it had been frozen for longer than its lease.
    house.catalog.unregister_worker(before).await.unwrap();
    let task = wait(&house.catalog, task).await;

    assert_eq!((task.state, task.attempt), (TaskState::Completed, 2), "{task:#?}");
    assert_eq!(house.fake.count("GET", &format!("/blobs/{}", image.layers[0])), 2);
    assert_eq!(present(&house.latest().await), (1, 1, 2));
    let workers = house.catalog.list_workers(&storage::ListQuery::default()).await.unwrap().items;
    assert!(workers.iter().all(|worker| worker.id != before) && workers.len() == 1, "{workers:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_only_a_later_release_knows_is_left_to_it() {
    let house = House::new().await;
    let task = submit(&house.catalog, Work::Unknown, Uuid::now_v7()).await;
    let find = async || house.catalog.find_task(task).await.unwrap().unwrap();
    until("two tries", async || find().await.attempt >= 2).await;
    let left = find().await;
    assert_eq!((left.failures, left.error, left.finished_at), (0, None, None));
    let mut tx = house.catalog.begin().await.unwrap();
    tx.cancel_task(task).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(wait(&house.catalog, task).await.state, TaskState::Canceled);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_syncs_are_started_once_and_what_is_old_is_purged() {
    let house = House::new().await;
    house.fake.add_image(NAME, "1.0", &[b"layer"]);
    let mut tx = house.catalog.begin().await.unwrap();
    let changes = storage::RepositoryChanges { remote: Some(Some(house.remote)), ..Default::default() };
    tx.update_repository(house.repository, changes).await.unwrap();
    let group = tx.create_task_group("all").await.unwrap();
    let work = Work::SyncRepositories { repositories: Vec::new(), mirror: false };
    let parent =
        tx.submit(storage::NewTask { group: Some(group), ..storage::NewTask::new(work, Vec::new()) });
    let parent = parent.await.unwrap();
    tx.commit().await.unwrap();
    let ended = wait(&house.catalog, parent).await;
    assert_eq!((ended.state, ended.children.len()), (TaskState::Completed, 1));
    let child = wait(&house.catalog, ended.children[0]).await;
    assert_eq!((child.state, child.parent, child.group), (TaskState::Completed, Some(parent), Some(group)));
    assert_eq!(house.latest().await.number, 1);
    assert!(house.catalog.find_task_group(group).await.unwrap().unwrap().all_dispatched);

    let finished_before = house.catalog.now().plus_seconds(60);
    let work = Work::PurgeTasks { finished_before, states: vec![TaskState::Completed] };
    let purge = submit(&house.catalog, work, Uuid::now_v7()).await;
    let purge = wait(&house.catalog, purge).await;
    assert_eq!((purge.state, purge.progress[0].done), (TaskState::Completed, 2));
    for gone in [parent, child.id] {
        assert_eq!(house.catalog.find_task(gone).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_long_ago_is_forgotten_by_itself() {
    let mut house = House::new().await;
    let task = submit(
        &house.catalog,
        Work::DeleteResource { kind: ResourceKind::Remote, id: house.remote },
        Uuid::nil(),
    );
    let task = task.await;
    assert_eq!(wait(&house.catalog, task).await.state, TaskState::Completed);
    house.shutdown.cancel();
    (&mut house.worker).await.unwrap().unwrap();
    house.shutdown = CancellationToken::new();
    let config = worker::WorkerConfig { task_retention: Some(Duration::ZERO), ..quick() };
    let next = worker::run(house.catalog.clone(), house.blobs.clone(), config, house.shutdown.clone());
    house.worker = tokio::spawn(next);
    until("the task is gone", async || house.catalog.find_task(task).await.unwrap().is_none()).await;
}
