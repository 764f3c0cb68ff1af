//! `GET /status/` and `GET /livez/`: public, as Pulp's are.

use openapi::objects::{
    AppStatus, ContentSettings, DatabaseConnection, Labels, RedisConnection, Status, Storage, Version,
};
use openapi::{CONTAINER_VERSION, CORE_VERSION, Json, Moment};
use poem::Request;
use poem::web::Data;
use poem_openapi::{ApiResponse, OpenApi};
use storage::ListQuery;

use super::Tag;
use super::error::ApiError;
use crate::AppState;
use crate::origin::Origin;
use crate::telemetry::CorrelationId;

pub(crate) struct Operations;

/// The process is alive.
#[derive(ApiResponse)]
pub(crate) enum Alive {
    /// It is.
    #[oai(status = 200)]
    Alive,
}

#[OpenApi(tag = "Tag::Status")]
impl Operations {
    /// Inspect the status of the installation
    #[oai(path = "/status/", method = "get", operation_id = "status_read")]
    async fn read(&self, state: Data<&AppState>, request: &Request) -> Result<Json<Status>, ApiError> {
        let cid = CorrelationId::of_request(request);
        show(&state, request).await.map(Json).map_err(|error| ApiError::from_storage(error, &cid))
    }

    /// Inspect the liveness of the process
    #[oai(path = "/livez/", method = "get", operation_id = "livez_read")]
    #[expect(clippy::unused_async, reason = "poem-openapi's handlers are async")]
    async fn live(&self) -> Alive {
        Alive::Alive
    }
}

/// Versions of the parts that clients ask for.
pub(crate) fn versions() -> Labels {
    [("core", CORE_VERSION), ("container", CONTAINER_VERSION)]
        .map(|(part, version)| (part.to_owned(), version.to_owned()))
        .into()
}

async fn show(state: &AppState, request: &Request) -> Result<Status, storage::StorageError> {
    let connected = state.catalog.ping().await.is_ok();
    let workers =
        if connected { state.catalog.list_workers(&ListQuery::default()).await?.items } else { Vec::new() };
    let show_worker = |worker: storage::WorkerNode| AppStatus {
        name: worker.name,
        last_heartbeat: Moment(worker.last_heartbeat),
        versions: versions(),
    };
    // The process that answers is the server of both surfaces.
    let this = || AppStatus {
        name: format!("{}@{}", std::process::id(), Origin::of(state, request).host),
        last_heartbeat: Moment(state.catalog.now()),
        versions: versions(),
    };
    let part = |component: &str, version: &str, package: &str| Version {
        component: component.to_owned(),
        version: version.to_owned(),
        package: package.to_owned(),
        module: format!("{}.app", package.replace('-', "_")),
        domain_compatible: true,
    };
    let usage = state.blobs.usage().ok();
    Ok(Status {
        versions: vec![
            part("core", CORE_VERSION, "pulpcore"),
            part("container", CONTAINER_VERSION, "pulp-container"),
        ],
        online_workers: workers.into_iter().filter(|worker| worker.online).map(show_worker).collect(),
        online_api_apps: vec![this()],
        online_content_apps: vec![this()],
        database_connection: DatabaseConnection { connected },
        redis_connection: RedisConnection { connected: false },
        storage: usage.map(|usage| Storage {
            total: Some(usage.total),
            used: Some(usage.used),
            free: Some(usage.free),
        }),
        content_settings: ContentSettings {
            content_origin: Some(Origin::of(state, request).base()),
            content_path_prefix: "/v2/".to_owned(),
        },
        domain_enabled: false,
    })
}
