//! The management API: folder = URL, file = verb.
//!
//! A handler parses, authorises, does one transaction, responds. What long work it starts is a task.

mod allow;
mod artifacts;
mod auth;
mod body;
mod content;
mod contract;
mod distributions;
mod docs;
mod error;
mod fields;
mod filter;
mod form;
mod generic;
mod label_select;
mod labels;
mod not_available;
mod orphans;
mod page;
mod q;
mod remotes;
mod repair;
mod repositories;
mod schedules;
mod status;
mod submit;
mod task_groups;
pub(crate) mod tasks;
#[cfg(test)]
mod tests;
mod update;
mod uploads;
mod workers;

use poem::middleware::{NormalizePath, TrailingSlash};
use poem::{Endpoint, EndpointExt, Response, Route};
use poem_openapi::{OpenApiService, Tags};

use crate::AppState;

/// How the document groups operations.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Repositories, and syncing them.
    #[oai(rename = "Repositories: Container")]
    Repositories,
    /// Immutable states of repositories.
    #[oai(rename = "Repositories: Container Versions")]
    Versions,
    /// Where content is copied from.
    #[oai(rename = "Remotes: Container")]
    Remotes,
    /// The names that content is served under.
    #[oai(rename = "Distributions: Container")]
    Distributions,
    /// Blobs, manifests and tags.
    #[oai(rename = "Content: Container")]
    Content,
    /// Stored files.
    Artifacts,
    /// Files that arrive in pieces.
    Uploads,
    /// Asynchronous work.
    Tasks,
    /// Tasks that were started together.
    #[oai(rename = "Task-Groups")]
    TaskGroups,
    /// Recurring work.
    #[oai(rename = "Task-Schedules")]
    TaskSchedules,
    /// Content that no version holds.
    Orphans,
    /// Blobs whose files are missing or damaged.
    Repair,
    /// Those who do it.
    Workers,
    /// The state of the installation.
    Status,
}

type Operations = (
    (
        status::Operations,
        generic::Operations,
        tasks::Operations,
        task_groups::Operations,
        schedules::Operations,
        orphans::Operations,
        repair::Operations,
        workers::Operations,
    ),
    (
        repositories::Operations,
        repositories::versions::Operations,
        repositories::changes::Operations,
        remotes::Operations,
        distributions::Operations,
    ),
    (
        content::blobs::Operations,
        content::manifests::Operations,
        content::tags::Operations,
        artifacts::Operations,
        uploads::Operations,
    ),
);

fn service() -> OpenApiService<Operations, ()> {
    let operations = (
        (
            status::Operations,
            generic::Operations,
            tasks::Operations,
            task_groups::Operations,
            schedules::Operations,
            orphans::Operations,
            repair::Operations,
            workers::Operations,
        ),
        (
            repositories::Operations,
            repositories::versions::Operations,
            repositories::changes::Operations,
            remotes::Operations,
            distributions::Operations,
        ),
        (
            content::blobs::Operations,
            content::manifests::Operations,
            content::tags::Operations,
            artifacts::Operations,
            uploads::Operations,
        ),
    );
    OpenApiService::new(operations, "Entrepot", env!("CARGO_PKG_VERSION"))
        .description("Mirrors and hosts container images. Compatible with Pulp's API.")
}

/// Everything under `/pulp/api/v3`.
pub(crate) fn routes(state: AppState) -> impl Endpoint<Output = Response> + 'static {
    let service = service();
    let documents = docs::Documents::of(&service);
    let allowed = allow::Allowed::of(&service.spec(), &["/docs/", "/docs/api.json"]);
    let routes = Route::new()
        .at("/docs/api.json", docs::json(documents.clone()))
        .at("/docs", docs::page(documents))
        .nest("/", service);
    // poem-openapi's routes have no slash at their ends, all of Pulp's paths do.
    let inner = routes.data(state).with(NormalizePath::new(TrailingSlash::Trim));
    contract::Contract { inner, allowed }
}
