//! A client that pushes as an administrator, and a worker that publishes.

use std::time::Duration;

use bytes::Bytes;
use poem::Response;
use poem::endpoint::BoxEndpoint;
use poem::http::{Method, StatusCode};
use poem::test::{TestRequestBuilder, TestResponse};
use registry::task::{TaskError, TaskState, Work};
use registry::{Digest, MediaType};
use serde_json::{Value, json};
use storage::{Catalog, Fence, ListQuery, Outcome, StorageError, Tx, Version};
use tokio::task::JoinHandle;

use super::super::fixture::{Fixture, HOST, PASSWORD, basic, header};
use crate::ServerConfig;

/// The repository that most tests push to.
pub(super) const NAME: &str = "team/app";

pub(super) struct Pusher {
    pub(super) fixture: Fixture,
    worker: JoinHandle<()>,
}

impl Drop for Pusher {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

impl Pusher {
    pub(super) async fn new() -> Self {
        Self::with(ServerConfig::default()).await
    }

    pub(super) async fn with(config: ServerConfig) -> Self {
        let fixture = Fixture::with(config).await;
        let worker = tokio::spawn(work(fixture.state.catalog.clone()));
        Self { fixture, worker }
    }

    /// From now on nobody publishes what is pushed.
    pub(super) fn stop_publishing(&self) {
        self.worker.abort();
    }

    pub(super) fn request(
        &self,
        method: Method,
        path: impl AsRef<str>,
    ) -> TestRequestBuilder<'_, BoxEndpoint<'static, Response>> {
        let request = self.fixture.client.request(method, path.as_ref()).header("host", HOST);
        request.header("authorization", basic("admin", PASSWORD))
    }

    pub(super) async fn get(&self, path: impl AsRef<str>) -> TestResponse {
        self.request(Method::GET, path).send().await
    }

    /// Begins an upload; gives where it goes on.
    pub(super) async fn begin(&self, name: &str) -> String {
        let answer = self.request(Method::POST, format!("/v2/{name}/blobs/uploads/")).send().await;
        answer.assert_status(StatusCode::ACCEPTED);
        location(&answer)
    }

    pub(super) async fn patch(&self, location: &str, range: Option<&str>, bytes: &[u8]) -> TestResponse {
        let mut request = self.request(Method::PATCH, location).body(bytes.to_vec());
        if let Some(range) = range {
            request = request.header("content-range", range).header("content-length", bytes.len());
        }
        request.send().await
    }

    pub(super) async fn finish(&self, location: &str, digest: &Digest, bytes: &[u8]) -> TestResponse {
        let path = format!("{location}?digest={digest}");
        self.request(Method::PUT, path).body(bytes.to_vec()).send().await
    }

    /// Pushes a blob in one request.
    pub(super) async fn blob(&self, name: &str, content: &[u8]) -> Digest {
        let digest = Digest::sha256_of(content);
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let answer = self.request(Method::POST, path).body(content.to_vec()).send().await;
        answer.assert_status(StatusCode::CREATED);
        digest
    }

    /// A manifest whose parts were pushed: a configuration, and a layer made of `seed`.
    pub(super) async fn image(&self, name: &str, seed: &str) -> Value {
        let config = self.blob(name, b"{}").await;
        let layer = self.blob(name, seed.as_bytes()).await;
        json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": {"mediaType": MediaType::OCI_CONFIG, "digest": config, "size": 2},
            "layers": [{"mediaType": MediaType::OCI_LAYER_GZIP, "digest": layer, "size": seed.len()}],
        })
    }

    pub(super) async fn put(&self, name: &str, reference: &str, document: &Value) -> TestResponse {
        let media_type = document["mediaType"].as_str().unwrap();
        self.put_bytes(name, reference, media_type, bytes_of(document)).await
    }

    pub(super) async fn put_bytes(
        &self,
        name: &str,
        reference: &str,
        media_type: &str,
        bytes: Bytes,
    ) -> TestResponse {
        let request = self.request(Method::PUT, format!("/v2/{name}/manifests/{reference}"));
        request.header("content-type", media_type).body(bytes).send().await
    }

    /// Pushes an image under a tag; gives the manifest's digest.
    pub(super) async fn push(&self, name: &str, tag: &str, seed: &str) -> Digest {
        let document = self.image(name, seed).await;
        self.put(name, tag, &document).await.assert_status(StatusCode::CREATED);
        digest_of(&document)
    }

    pub(super) async fn tags(&self, name: &str) -> Vec<String> {
        let answer = self.get(format!("/v2/{name}/tags/list")).await;
        let listed = super::super::fixture::json_of(answer).await;
        serde_json::from_value(listed["tags"].clone()).unwrap()
    }

    pub(super) async fn latest_version(&self, name: &str) -> i64 {
        let found = self.fixture.state.catalog.find_repository_by_name(name).await.unwrap();
        found.unwrap().latest_version
    }
}

pub(super) fn location(answer: &TestResponse) -> String {
    header(answer.0.headers(), "location").to_owned()
}

pub(super) fn bytes_of(document: &Value) -> Bytes {
    Bytes::from(document.to_string())
}

pub(super) fn digest_of(document: &Value) -> Digest {
    Digest::sha256_of(&bytes_of(document))
}

/// Does what the worker's jobs do, one task after the other.
async fn work(catalog: Catalog) {
    let worker = catalog.register_worker("publisher").await.unwrap();
    let mut changes = catalog.changes();
    loop {
        let tasks = catalog.list_tasks(&ListQuery::default()).await.unwrap();
        let mut did_any = false;
        for task in tasks.items.iter().rev().filter(|task| task.state == TaskState::Waiting) {
            if let Some((task, fence)) = catalog.claim_task(worker, task.id, 1).await.unwrap() {
                perform(&catalog, &fence, task.work).await;
                did_any = true;
            }
        }
        if !did_any {
            changes.next(Duration::from_millis(20)).await;
        }
    }
}

async fn perform(catalog: &Catalog, fence: &Fence, work: Work) {
    let mut tx = catalog.begin().await.unwrap();
    let outcome = match publish(&tx, work).await {
        Ok(_) => Outcome::Completed { created_resources: Vec::new(), result: None },
        Err(error) => {
            drop(tx);
            tx = catalog.begin().await.unwrap();
            let code = if matches!(error, StorageError::InUse { .. }) { "in_use" } else { "other" };
            Outcome::Failed(TaskError { description: error.to_string(), code: code.to_owned() })
        }
    };
    tx.finish_task(fence, outcome).await.unwrap();
    tx.commit().await.unwrap();
}

async fn publish(tx: &Tx, work: Work) -> Result<Option<Version>, StorageError> {
    match work {
        Work::PushManifest { repository, digest, tag } => {
            tx.publish_push(repository, &digest, tag.as_ref()).await
        }
        Work::DeleteTag { repository, tag } => tx.publish_without_tag(repository, &tag).await,
        Work::DeleteManifest { repository, digest } => tx.publish_without_manifest(repository, &digest).await,
        Work::DeleteBlob { repository, digest } => tx.publish_without_blob(repository, &digest).await,
        other => panic!("{other:?} is no push"),
    }
}
