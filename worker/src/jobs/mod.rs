//! What tasks do, one file a job. Each is safe to run twice and to be killed anywhere, and its last act is one
//! fenced transaction that also ends the task.

pub(crate) mod clean_up_orphans;
pub mod codes;
pub(crate) mod commit_upload;
pub(crate) mod create_distribution;
pub(crate) mod delete_pushed;
pub(crate) mod delete_resource;
pub(crate) mod delete_version;
mod download;
pub(crate) mod modify_content;
pub(crate) mod purge_tasks;
pub(crate) mod push_manifest;
pub(crate) mod repair;
pub(crate) mod sync_repositories;
pub(crate) mod sync_repository;
pub(crate) mod update_resource;

use registry::TraceParent;
use storage::{BlobStore, Catalog, Fence, Outcome, Version};
use uuid::Uuid;

use crate::reports::Reports;
use crate::{SyncMetrics, resources};

/// What a job works with.
pub(crate) struct JobContext {
    pub(crate) catalog: Catalog,
    pub(crate) blobs: BlobStore,
    pub(crate) fence: Fence,
    pub(crate) reports: Reports,
    /// Who asked for the task.
    pub(crate) created_by: Option<Uuid>,
    /// The request that asked for it.
    pub(crate) correlation_id: String,
    /// The trace that the request is a part of.
    pub(crate) trace_parent: Option<TraceParent>,
    /// The group that it belongs to.
    pub(crate) group: Option<Uuid>,
    pub(crate) metrics: SyncMetrics,
}

/// A task that made a version, unless nothing changed.
fn published(version: Option<&Version>) -> Outcome {
    Outcome::Completed {
        created_resources: version.into_iter().map(resources::version).collect(),
        result: version.map(resources::version_result),
    }
}

/// A task that made nothing that has a name.
fn completed() -> Outcome {
    Outcome::Completed { created_resources: Vec::new(), result: None }
}
