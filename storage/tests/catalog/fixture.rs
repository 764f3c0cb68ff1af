//! A catalog of its own for each test: on SQLite, and on PostgreSQL where `ENTREPOT_TEST_POSTGRES_URL` names a server
//! on which databases may be made.

use std::collections::BTreeSet;

use bytes::Bytes;
use registry::manifest::ImageConfig;
use registry::sync_plan::TagMap;
use registry::{Clock, Digest, Manifest, MediaType, Timestamp};
use sea_orm::ConnectionTrait;
use sqlx::{Connection, Executor, PgConnection};
use storage::{
    BlobStore, Catalog, CatalogConfig, NewManifest, NewRepository, NewVersion, Repository, SecretKey, Version,
};

/// A catalog in an empty database.
pub(crate) struct Fixture {
    pub(crate) catalog: Catalog,
    pub(crate) clock: Clock,
    database_url: String,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// Another process on the same database, with its own clock.
    pub(crate) async fn another(&self, clock: &Clock) -> Catalog {
        let config = CatalogConfig {
            database_url: self.database_url.clone(),
            secret_key: SecretKey::generate(),
            max_connections: 4,
            tasks_per_upstream: 4,
        };
        Catalog::connect(config, clock.clone()).await.unwrap()
    }

    /// Where the database is.
    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Makes apalis forget every job, as if it had lost them.
    pub(crate) async fn lose_jobs(&self) {
        self.execute("DELETE FROM apalis.jobs").await;
    }

    /// How many jobs apalis has that nobody has fetched.
    pub(crate) async fn pending_jobs(&self) -> u64 {
        self.execute("UPDATE apalis.jobs SET priority = 0 WHERE status = 'Pending'").await
    }

    /// As if an apalis worker of this name, last seen so many seconds ago, had fetched every job.
    pub(crate) async fn fetch_jobs(&self, name: &str, seen_seconds_ago: i64) {
        let seen = if self.database_url.starts_with("sqlite:") {
            format!("unixepoch('now') - {seen_seconds_ago}")
        } else {
            format!("now() - {seen_seconds_ago} * interval '1 second'")
        };
        let worker = format!(
            "INSERT INTO apalis.workers (id, worker_type, storage_name, last_seen) VALUES ('{name}', 't', 's', {seen})"
        );
        self.execute(&worker).await;
        self.execute(&format!("UPDATE apalis.jobs SET status = 'Queued', lock_by = '{name}'")).await;
    }

    /// As if a worker had last shown that it lives in 1970.
    pub(crate) async fn end_lease(&self, worker: uuid::Uuid) {
        let id = worker.simple();
        let id =
            if self.database_url.starts_with("sqlite:") { format!("x'{id}'") } else { format!("'{id}'") };
        assert_eq!(self.execute(&format!("UPDATE worker_node SET last_seen = 0 WHERE id = {id}")).await, 1);
    }

    /// How many workers apalis knows.
    pub(crate) async fn apalis_workers(&self) -> u64 {
        self.execute("UPDATE apalis.workers SET layers = ''").await
    }

    async fn execute(&self, sql: &str) -> u64 {
        let is_sqlite = self.database_url.starts_with("sqlite:");
        let sql = if is_sqlite { sql.replace("apalis.", "") } else { sql.to_owned() };
        let database = sea_orm::Database::connect(&self.database_url).await.unwrap();
        database.execute_unprepared(&sql).await.unwrap().rows_affected()
    }
}

/// The catalogs that every test runs on.
pub(crate) async fn every_database() -> Vec<Fixture> {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite:{}", folder.path().join("catalog.sqlite").display());
    let mut all = vec![open(sqlite, folder).await];
    if let Ok(server) = std::env::var("ENTREPOT_TEST_POSTGRES_URL") {
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        all.push(open(format!("{base}/{name}"), tempfile::tempdir().unwrap()).await);
    }
    all
}

async fn open(database_url: String, folder: tempfile::TempDir) -> Fixture {
    let clock = Clock::steered(Timestamp::from_micros(1_795_504_756_000_000));
    let config = CatalogConfig {
        database_url: database_url.clone(),
        secret_key: SecretKey::generate(),
        max_connections: 4,
        tasks_per_upstream: 4,
    };
    let catalog = Catalog::connect(config, clock.clone()).await.unwrap();
    catalog.migrate().await.unwrap();
    Fixture { catalog, clock, database_url, _folder: folder }
}

/// Records an image of one configuration and one layer made from `seed`; gives the manifest's digest.
pub(crate) async fn record_image(catalog: &Catalog, seed: &str) -> Digest {
    let (config, layer) = (Digest::sha256_of(format!("config {seed}").as_bytes()), layer_of(seed));
    let body = serde_json::to_vec(&serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": {"mediaType": MediaType::OCI_CONFIG, "digest": config, "size": 7},
        "layers": [{"mediaType": MediaType::OCI_LAYER_GZIP, "digest": layer, "size": 11}],
    }))
    .unwrap();
    record_blobs(catalog, vec![(config, 7), (layer, 11)]).await;
    record_manifest(catalog, &body).await
}

/// Records blobs, whose files nothing here looks at.
pub(crate) async fn record_blobs(catalog: &Catalog, blobs: Vec<(Digest, u64)>) {
    let (_folder, store) = store().await;
    catalog.record_blobs(&store, blobs).await.unwrap();
}

/// An empty store.
pub(crate) async fn store() -> (tempfile::TempDir, BlobStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open(folder.path()).await.unwrap();
    (folder, store)
}

/// The digest of the layer in [`record_image`].
pub(crate) fn layer_of(seed: &str) -> Digest {
    Digest::sha256_of(format!("layer {seed}").as_bytes())
}

/// Records a manifest as it is.
pub(crate) async fn record_manifest(catalog: &Catalog, body: &[u8]) -> Digest {
    let manifest = Manifest::parse(body, None).unwrap();
    let digest = Digest::sha256_of(body);
    let new = NewManifest {
        digest: digest.clone(),
        media_type: manifest.media_type.clone(),
        bytes: Bytes::copy_from_slice(body),
        manifest,
        config: ImageConfig { architecture: Some("amd64".into()), ..ImageConfig::default() },
    };
    catalog.record_manifests(vec![new]).await.unwrap();
    digest
}

/// Makes a repository.
pub(crate) async fn repository(catalog: &Catalog, name: &str) -> Repository {
    let tx = catalog.begin().await.unwrap();
    let made =
        tx.create_repository(NewRepository { name: name.into(), ..NewRepository::default() }).await.unwrap();
    tx.commit().await.unwrap();
    made
}

/// Publishes a version in which `tags` are added (or, with `replace`, are everything).
pub(crate) async fn publish(
    catalog: &Catalog,
    repository: &Repository,
    tags: &[(&str, &Digest)],
    replace: bool,
) -> Option<Version> {
    let latest = catalog.find_repository(repository.id).await.unwrap().unwrap().latest_version;
    let upstream: TagMap =
        tags.iter().map(|(tag, digest)| (tag.parse().unwrap(), (*digest).clone())).collect();
    let current = catalog.repository_tags(repository.id, latest).await.unwrap();
    let plan =
        registry::sync_plan::plan_tags(&current, &upstream, &registry::TagFilter::everything(), replace);
    let tx = catalog.begin().await.unwrap();
    let version = tx
        .publish_version(NewVersion {
            repository: repository.id,
            base: latest,
            tags_set: plan.set,
            tags_drop: plan.drop,
            manifests: plan.manifests.into_iter().collect::<BTreeSet<_>>(),
            replace,
            synced: true,
        })
        .await
        .unwrap();
    tx.commit().await.unwrap();
    version
}
