//! Copies what a remote names from its upstream into a new version of a repository.
//!
//! The walk goes from tags to manifests to blobs, everything at once: blobs are on their way while later manifests
//! are still being asked for. What arrives is recorded at once and stays, whatever happens next; the version
//! appears in one last transaction, or not at all.

mod blobs;
mod configs;
mod manifests;
mod progress;
mod publish;
mod recorder;
mod referrers;
mod settings;
mod source;
mod tags;
mod traffic;
mod walk;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use registry::sync_plan::TagMap;
use registry::task::TaskState;
use registry::{Digest, TagFilter};
use storage::{Repository, StorageError, fail_point};
use upstream::Client;
use uuid::Uuid;

use super::JobContext;
use crate::JobError;
use progress::Progress;
pub(crate) use settings::upstream as upstream_of;
use source::Source;
use traffic::TrafficMeter;
use walk::{Found, Walk};

/// What the repository holds before the sync.
struct Held {
    repository: Repository,
    tags: TagMap,
    /// Published, and so known to be whole.
    manifests: HashSet<Digest>,
}

pub(crate) async fn perform(
    context: &JobContext,
    repository: Uuid,
    remote: Uuid,
    mirror: bool,
) -> Result<(), JobError> {
    let catalog = &context.catalog;
    let repository = catalog.find_repository(repository).await?;
    let repository = repository.ok_or(StorageError::NotFound { kind: "Repository" })?;
    let remote = catalog.find_remote(remote).await?.ok_or(StorageError::NotFound { kind: "Remote" })?;
    let filter = settings::filter(&remote)?;
    let client = Client::new(settings::upstream(&remote)?, catalog.clock().clone())?;
    let latest = repository.latest_version;
    let held = Held {
        tags: catalog.repository_tags(repository.id, latest).await?,
        manifests: catalog.version_manifests(repository.id, latest).await?,
        repository,
    };
    let source = Arc::new(Source {
        traffic: TrafficMeter::new(&context.metrics, client.clone()),
        client,
        catalog: catalog.clone(),
        blobs: context.blobs.clone(),
        progress: Progress::default(),
    });

    let started = Instant::now();
    tracing::info!(
        repository.name = held.repository.name,
        repository.version = latest,
        tags = held.tags.len(),
        upstream = source.repository_url(),
        mirror,
        "sync started"
    );
    let outcome = copy(context, &source, &held, &filter, mirror).await;
    tracing::info!(
        repository.id = %held.repository.id,
        repository.name = held.repository.name,
        upstream = source.repository_url(),
        requests = source.client.request_count(),
        blobs = source.progress.blobs_fetched(),
        bytes = source.progress.bytes_fetched(),
        duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "sync ended"
    );
    outcome
}

async fn copy(
    context: &JobContext,
    source: &Arc<Source>,
    held: &Held,
    filter: &TagFilter,
    mirror: bool,
) -> Result<(), JobError> {
    context.reports.post(source.progress.reports(TaskState::Running)).await?;
    fail_point!("sync.begun");
    let choice = tags::choose(source, filter, held, mirror).await?;
    fail_point!("sync.tags-listed");
    let walk = Walk::new(Arc::clone(source), held.manifests.clone(), choice);
    let found = walk.run(&context.reports).await?;
    log_found(source, held, &found);
    fail_point!("sync.fetched");
    let has_digests = filter.digests().next().is_some();
    if found.tags.is_empty() && !found.missing.is_empty() && !has_digests {
        let tags = progress::first_few(&found.missing);
        return Err(JobError::NothingFound { url: source.repository_url(), tags });
    }
    publish::publish(context, source, held, &found, filter, mirror).await
}

/// What an operator wants to read afterwards, whatever becomes of the version.
fn log_found(source: &Source, held: &Held, found: &Found) {
    let unchanged = found.tags.iter().filter(|(tag, digest)| held.tags.get(*tag) == Some(*digest)).count();
    tracing::info!(
        tags = found.tags.len(),
        unchanged,
        manifests_fetched = source.progress.manifests_fetched(),
        blobs_fetched = source.progress.blobs_fetched(),
        blobs_held = source.progress.blobs_held(),
        bytes_fetched = source.progress.bytes_fetched(),
        "everything that the tags need is here"
    );
    if !found.missing.is_empty() {
        let missing = progress::first_few(&found.missing);
        tracing::info!(
            count = found.missing.len(),
            "tags that upstream does not have were skipped: {missing}"
        );
    }
}
