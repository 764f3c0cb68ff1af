//! A server on its own database and blob folder, with a clock that the test steers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderMap, StatusCode};
use poem::test::{TestClient, TestRequestBuilder, TestResponse};
use poem::{EndpointExt as _, Response};
use registry::manifest::ImageConfig;
use registry::{Clock, Digest, Manifest, MediaType, Timestamp};
use serde_json::{Value, json};
use storage::{
    BlobStore, Catalog, CatalogConfig, NewDistribution, NewManifest, NewRepository, NewVersion, SecretKey,
};
use uuid::Uuid;

use crate::{AppState, ServerConfig, router};

pub(crate) const HOST: &str = "registry.test:5000";
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct Fixture {
    pub(crate) state: AppState,
    pub(crate) clock: Clock,
    pub(crate) client: TestClient<BoxEndpoint<'static, Response>>,
    folder: tempfile::TempDir,
}

/// An image of one layer.
pub(crate) struct Image {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
    pub(crate) layer: Digest,
    pub(crate) layer_bytes: Bytes,
}

/// What a distribution is like.
pub(crate) struct Kind {
    pub(crate) private: bool,
    pub(crate) synced: bool,
}

pub(crate) const PUBLIC_MIRROR: Kind = Kind { private: false, synced: true };
pub(crate) const PRIVATE_MIRROR: Kind = Kind { private: true, synced: true };

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(ServerConfig::default()).await
    }

    pub(crate) async fn with(config: ServerConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::steered(Timestamp::from_micros(1_800_000_000_000_000));
        let catalog = Catalog::connect(
            CatalogConfig {
                database_url: format!("sqlite:{}", folder.path().join("catalog.sqlite").display()),
                secret_key: SecretKey::load_or_create(&folder.path().join("key")).unwrap(),
                max_connections: 2,
                tasks_per_upstream: 4,
            },
            clock.clone(),
        )
        .await
        .unwrap();
        catalog.migrate().await.unwrap();
        catalog.ensure_admin(Some(PASSWORD)).await.unwrap();
        let blobs = BlobStore::open(&folder.path().join("blobs")).await.unwrap();
        let state = AppState::new(catalog, blobs, Arc::new(config)).await.unwrap();
        let client = TestClient::new(router::routes(state.clone()).boxed());
        Self { state, clock, client, folder }
    }

    /// Where everything is.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Serves an image of one layer under `name` with these tags.
    pub(crate) async fn serve(&self, name: &str, kind: &Kind, tags: &[&str], layer: &[u8]) -> Image {
        let config = Bytes::from_static(b"{}");
        let layer_bytes = Bytes::copy_from_slice(layer);
        let layer = Digest::sha256_of(&layer_bytes);
        for content in [&config, &layer_bytes] {
            self.store(content).await;
        }
        let document = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": {"mediaType": MediaType::OCI_CONFIG, "digest": Digest::sha256_of(&config), "size": 2},
            "layers": [{"mediaType": MediaType::OCI_LAYER_GZIP, "digest": layer, "size": layer_bytes.len()}],
        });
        let bytes = Bytes::from(document.to_string());
        let manifest = Manifest::parse(&bytes, None).unwrap();
        let digest = Digest::sha256_of(&bytes);
        let catalog = &self.state.catalog;
        let new = NewManifest {
            digest: digest.clone(),
            media_type: manifest.media_type.clone(),
            bytes: bytes.clone(),
            manifest,
            config: ImageConfig::default(),
        };
        catalog.record_manifests(vec![new]).await.unwrap();
        self.publish(name, kind, tags, &digest).await;
        Image { digest, bytes, layer, layer_bytes }
    }

    async fn store(&self, content: &Bytes) {
        let digest = Digest::sha256_of(content);
        let mut staged = self.state.blobs.stage(&digest).await.unwrap();
        staged.write(content.clone()).await.unwrap();
        let size = staged.finish(None).await.unwrap();
        self.state.catalog.record_blobs(&self.state.blobs, vec![(digest, size)]).await.unwrap();
    }

    async fn publish(&self, name: &str, kind: &Kind, tags: &[&str], digest: &Digest) {
        let tx = self.state.catalog.begin().await.unwrap();
        let new = NewRepository { name: name.to_owned(), ..NewRepository::default() };
        let repository = tx.create_repository(new).await.unwrap().id;
        let version = NewVersion {
            repository,
            base: 0,
            tags_set: tags.iter().map(|tag| (tag.parse().unwrap(), digest.clone())).collect(),
            tags_drop: BTreeMap::new(),
            manifests: BTreeSet::from([digest.clone()]),
            replace: false,
            synced: kind.synced,
        };
        tx.publish_version(version).await.unwrap().unwrap();
        let distribution = NewDistribution {
            name: name.to_owned(),
            base_path: name.to_owned(),
            labels: BTreeMap::new(),
            repository: Some(repository),
            version: None,
            private: kind.private,
            description: None,
            hidden: false,
        };
        tx.create_distribution(Uuid::now_v7(), distribution).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) fn get(
        &self,
        path: impl AsRef<str>,
    ) -> TestRequestBuilder<'_, BoxEndpoint<'static, Response>> {
        self.client.get(path.as_ref()).header("host", HOST)
    }

    /// A token for these scopes, by the way that clients go.
    pub(crate) async fn token(&self, scopes: &[&str], admin: bool) -> String {
        let mut request = self.get("/token/").query("service", &HOST);
        for scope in scopes {
            request = request.query("scope", scope);
        }
        if admin {
            request = request.header("authorization", basic("admin", PASSWORD));
        }
        let answer = request.send().await;
        answer.assert_status_is_ok();
        json_of(answer).await["token"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

pub(crate) async fn json_of(answer: TestResponse) -> Value {
    serde_json::from_str(&answer.0.into_body().into_string().await.unwrap()).unwrap()
}

/// Asserts the whole of an error: status, code and text.
pub(crate) async fn assert_error(answer: TestResponse, status: StatusCode, code: &str, message: &str) {
    answer.assert_status(status);
    answer.assert_header("docker-distribution-api-version", "registry/2.0");
    answer.assert_header("content-type", "application/json");
    let expected = json!({"errors": [{"code": code, "message": message}]});
    assert_eq!(json_of(answer).await, expected);
}
