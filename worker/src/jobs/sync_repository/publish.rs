//! The last act: the new version and the end of the task, in one transaction.

use registry::TagFilter;
use registry::sync_plan::plan_tags;
use registry::task::TaskState;
use storage::{NewVersion, fail_point};

use super::Held;
use super::source::Source;
use super::walk::Found;
use crate::JobError;
use crate::jobs::{JobContext, published};

/// Publishes what was found, if it differs from what is held, and ends the task.
pub(super) async fn publish(
    context: &JobContext,
    source: &Source,
    held: &Held,
    found: &Found,
    filter: &TagFilter,
    mirror: bool,
) -> Result<(), JobError> {
    let mut plan = plan_tags(&held.tags, &found.tags, filter, mirror);
    plan.manifests.extend(found.referrers.iter().cloned());
    let is_unchanged = !mirror
        && held.repository.synced_at.is_some()
        && plan.set.is_empty()
        && plan.drop.is_empty()
        && plan.manifests.iter().all(|manifest| held.manifests.contains(manifest));
    context.reports.post(source.progress.reports(TaskState::Completed)).await?;
    fail_point!("sync.planned");
    let (moved, dropped) = (plan.set.len(), plan.drop.len());
    let mut tx = context.catalog.begin().await?;
    let version = if is_unchanged {
        None
    } else {
        tx.publish_version(NewVersion {
            repository: held.repository.id,
            base: held.repository.latest_version,
            tags_set: plan.set,
            tags_drop: plan.drop,
            manifests: plan.manifests,
            replace: mirror,
            synced: true,
        })
        .await?
    };
    tx.finish_task(&context.fence, published(version.as_ref())).await?;
    fail_point!("sync.finished");
    tx.commit().await?;
    fail_point!("sync.committed");
    if let Some(version) = version {
        let present = version.summary.present;
        tracing::info!(
            repository.version = version.number,
            tags_set = moved,
            tags_dropped = dropped,
            tags = present.tags,
            manifests = present.manifests,
            blobs = present.blobs,
            "version published"
        );
    } else {
        tracing::info!("nothing has changed: no version was made");
    }
    Ok(())
}
