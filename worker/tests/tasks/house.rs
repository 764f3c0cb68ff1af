//! One installation in a temporary folder, with a worker, beside a fake upstream.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use registry::sync_plan::TagMap;
use registry::task::{Reservation, TaskState, Work};
use registry::{Clock, Digest};
use storage::{
    BlobStore, Catalog, CatalogConfig, NewRemote, NewRepository, NewTask, SecretKey, Task, Version,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::WorkerConfig;

use crate::faults::FakeRegistry;

/// The upstream repository of every test.
pub(crate) const NAME: &str = "library/app";

const PATIENCE: Duration = Duration::from_secs(30);

/// A layer that takes more than one piece.
pub(crate) fn large() -> Vec<u8> {
    vec![7; 100_000]
}

/// Quick, so that tests are.
pub(crate) fn quick() -> WorkerConfig {
    WorkerConfig {
        heartbeat: Duration::from_millis(50),
        reconcile: Duration::from_millis(100),
        grace: Duration::from_millis(100),
        retry_base: Duration::from_millis(50),
        ..WorkerConfig::default()
    }
}

/// SQLite in the folder; with `ENTREPOT_TEST_ON=postgres` a database named after the folder, on the server that
/// `ENTREPOT_TEST_POSTGRES_URL` names.
fn database_url(folder: &Path) -> String {
    if std::env::var("ENTREPOT_TEST_ON").is_ok_and(|database| database == "postgres") {
        let server = std::env::var("ENTREPOT_TEST_POSTGRES_URL").unwrap();
        let name = format!("test_{}", folder.file_name().unwrap().display()).replace('.', "");
        // A test that opens its folder a second time finds the database there, which is fine.
        let create = format!("CREATE DATABASE \"{name}\"");
        std::process::Command::new("psql").args(["-q", "-c", &create, &server]).output().unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        return format!("{base}/{name}");
    }
    format!("sqlite:{}", folder.join("catalog.sqlite").display())
}

pub(crate) async fn open(folder: &Path) -> (Catalog, BlobStore) {
    let config = CatalogConfig {
        database_url: database_url(folder),
        secret_key: SecretKey::load_or_create(&folder.join("key")).unwrap(),
        max_connections: 4,
    };
    let catalog = Catalog::connect(config, Clock::system()).await.unwrap();
    catalog.migrate().await.unwrap();
    (catalog, BlobStore::open(&folder.join("blobs")).await.unwrap())
}

pub(crate) struct House {
    pub(crate) fake: FakeRegistry,
    pub(crate) catalog: Catalog,
    pub(crate) blobs: BlobStore,
    pub(crate) repository: Uuid,
    pub(crate) remote: Uuid,
    pub(crate) shutdown: CancellationToken,
    pub(crate) worker: JoinHandle<Result<(), worker::WorkerError>>,
    pub(crate) folder: TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With some of the remote's fields changed.
    pub(crate) async fn with(change: impl FnOnce(&mut NewRemote)) -> Self {
        let fake = FakeRegistry::start().await;
        let folder = tempfile::tempdir().unwrap();
        let (catalog, blobs) = open(folder.path()).await;
        let shutdown = CancellationToken::new();
        let worker = tokio::spawn(worker::run(catalog.clone(), blobs.clone(), quick(), shutdown.clone()));
        let repository = add_repository(&catalog, "app").await;
        let remote = add_remote(&catalog, &fake.url(), change).await;
        Self { fake, catalog, blobs, repository, remote, shutdown, worker, folder }
    }

    pub(crate) async fn sync(&self, mirror: bool) -> Task {
        let task = submit_sync(&self.catalog, self.repository, self.remote, mirror).await;
        wait(&self.catalog, task).await
    }

    /// Syncs, and gives the version that was made.
    pub(crate) async fn sync_to_version(&self, mirror: bool) -> Version {
        let task = self.sync(mirror).await;
        assert_eq!((task.state, &task.error), (TaskState::Completed, &None), "{task:#?}");
        assert_eq!(task.created_resources.len(), 1, "{task:#?}");
        self.latest().await
    }

    /// Syncs, and expects that no version was made.
    pub(crate) async fn sync_without_change(&self, mirror: bool) {
        let before = self.latest().await.number;
        let task = self.sync(mirror).await;
        assert_eq!((task.state, &task.error), (TaskState::Completed, &None), "{task:#?}");
        assert_eq!((task.created_resources.len(), &task.result), (0, &None));
        assert_eq!(self.latest().await.number, before);
    }

    /// Syncs, and expects a failure with this code that publishes nothing. Gives its description.
    pub(crate) async fn sync_fails(&self, code: &str) -> String {
        let before = self.latest().await;
        let task = self.sync(false).await;
        let error = task.error.clone().unwrap_or_else(|| panic!("no error: {task:#?}"));
        assert_eq!((task.state, error.code.as_str()), (TaskState::Failed, code), "{task:#?}");
        assert_eq!(self.latest().await, before);
        error.description
    }

    pub(crate) async fn latest(&self) -> Version {
        let repository = self.catalog.find_repository(self.repository).await.unwrap().unwrap();
        let version = self.catalog.find_version(self.repository, repository.latest_version).await;
        version.unwrap().unwrap()
    }

    /// The tags of the latest version.
    pub(crate) async fn tags(&self) -> TagMap {
        let version = self.latest().await.number;
        self.catalog.repository_tags(self.repository, version).await.unwrap()
    }

    pub(crate) fn gets(&self, kind: &str) -> usize {
        self.fake.count("GET", &format!("/{kind}/"))
    }

    pub(crate) fn heads(&self) -> usize {
        self.fake.count("HEAD", "/manifests/")
    }
}

pub(crate) fn tag_map(tags: &[(&str, &Digest)]) -> TagMap {
    tags.iter().map(|(tag, digest)| (tag.parse().unwrap(), (*digest).clone())).collect()
}

/// What a version holds: tags, manifests, blobs.
pub(crate) fn present(version: &Version) -> (i64, i64, i64) {
    let present = version.summary.present;
    (present.tags, present.manifests, present.blobs)
}

/// A report's done and total by its code.
pub(crate) fn progress(task: &Task) -> BTreeMap<&str, (i64, Option<i64>)> {
    task.progress.iter().map(|report| (report.code.as_str(), (report.done, report.total))).collect()
}

pub(crate) async fn add_repository(catalog: &Catalog, name: &str) -> Uuid {
    let tx = catalog.begin().await.unwrap();
    let made = tx.create_repository(NewRepository { name: name.into(), ..NewRepository::default() }).await;
    tx.commit().await.unwrap();
    made.unwrap().id
}

pub(crate) async fn add_remote(catalog: &Catalog, url: &str, change: impl FnOnce(&mut NewRemote)) -> Uuid {
    let mut new = NewRemote {
        name: Uuid::now_v7().to_string(),
        url: url.into(),
        upstream_name: NAME.into(),
        max_retries: Some(0),
        ..NewRemote::default()
    };
    change(&mut new);
    let tx = catalog.begin().await.unwrap();
    let made = tx.create_remote(new).await;
    tx.commit().await.unwrap();
    made.unwrap().id
}

pub(crate) async fn submit(catalog: &Catalog, work: Work, resource: Uuid) -> Uuid {
    let reservations = vec![Reservation::exclusive(resource.to_string())];
    let new =
        NewTask { work, reservations, created_by: None, correlation_id: "test".into(), trace_parent: None };
    let mut tx = catalog.begin().await.unwrap();
    let task = tx.submit(new).await.unwrap();
    tx.commit().await.unwrap();
    task
}

pub(crate) async fn submit_sync(catalog: &Catalog, repository: Uuid, remote: Uuid, mirror: bool) -> Uuid {
    submit(catalog, Work::SyncRepository { repository, remote, mirror }, repository).await
}

pub(crate) async fn wait(catalog: &Catalog, task: Uuid) -> Task {
    let waited = tokio::time::timeout(PATIENCE, catalog.wait_for_task(task)).await;
    let Ok(task) = waited else {
        let task = catalog.find_task(task).await;
        unreachable!("the task does not end: {task:#?}");
    };
    task.unwrap()
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what} does not happen");
}
