//! Deletes content that no version holds, and files that nothing refers to.
//!
//! Everything happens in transactions of milliseconds, with pauses as long as the work between them. A task that is
//! killed leaves files that are marked; the next one goes on with them.

use std::time::Instant;

use registry::Timestamp;
use registry::task::{ProgressReport, TaskState};
use serde_json::json;
use storage::{Freed, OrphanKind, Outcome};
use uuid::Uuid;

use super::{JobContext, codes};
use crate::JobError;

/// How many pieces go in one transaction.
const BATCH: usize = 500;
/// A file that no blob is of is one that a sync is about to record, unless it is older than this, in seconds.
const STRAY_AGE_SECS: i64 = 3600;

struct Cleanup<'a> {
    context: &'a JobContext,
    untouched_since: Timestamp,
    dry_run: bool,
    content: Freed,
    files: Freed,
}

pub(crate) async fn perform(
    context: &JobContext,
    protection_minutes: u32,
    only: &[Uuid],
    dry_run: bool,
) -> Result<(), JobError> {
    let untouched_since = context.catalog.now().plus_seconds(-60 * i64::from(protection_minutes));
    let mut cleanup =
        Cleanup { context, untouched_since, dry_run, content: Freed::default(), files: Freed::default() };
    for kind in OrphanKind::ALL {
        if only.is_empty() { cleanup.sweep(kind).await? } else { cleanup.take(kind, only).await? }
    }
    if only.is_empty() {
        cleanup.doom_strays().await?;
    }
    cleanup.delete_files().await?;
    let result = json!({
        "content": cleanup.content.count,
        "files": cleanup.files.count,
        "bytes": cleanup.files.bytes,
        "dry_run": dry_run,
    });
    tracing::info!(
        content = cleanup.content.count,
        files = cleanup.files.count,
        bytes = cleanup.files.bytes,
        dry_run,
        "orphans cleaned up"
    );
    context.reports.post(cleanup.reports(TaskState::Completed)).await?;
    let mut tx = context.catalog.begin().await?;
    let outcome = Outcome::Completed { created_resources: Vec::new(), result: Some(result) };
    tx.finish_task(&context.fence, outcome).await?;
    Ok(tx.commit().await?)
}

impl Cleanup<'_> {
    /// Goes through everything of a kind.
    async fn sweep(&mut self, kind: OrphanKind) -> Result<(), JobError> {
        let mut after = None;
        loop {
            let started = Instant::now();
            let window = self.context.catalog.find_orphans(kind, after, self.untouched_since).await?;
            self.take(kind, &window.orphans).await?;
            if window.next.is_none() {
                return Ok(());
            }
            after = window.next;
            rest(started).await;
        }
    }

    /// Deletes those of `ids` that are orphans of a kind.
    async fn take(&mut self, kind: OrphanKind, ids: &[Uuid]) -> Result<(), JobError> {
        for batch in ids.chunks(BATCH) {
            let started = Instant::now();
            let catalog = &self.context.catalog;
            if self.dry_run {
                let freed = catalog.weigh_orphans(kind, batch, self.untouched_since).await?;
                self.content += freed;
                if kind == OrphanKind::Blob {
                    self.files += freed;
                }
            } else {
                self.content += catalog.delete_orphans(kind, batch, self.untouched_since).await?;
            }
            self.context.reports.post(self.reports(TaskState::Running)).await?;
            rest(started).await;
        }
        Ok(())
    }

    /// Finds files that no blob is of: a process died between writing and recording them.
    async fn doom_strays(&mut self) -> Result<(), JobError> {
        let old = self.context.catalog.now().plus_seconds(-STRAY_AGE_SECS).min(self.untouched_since);
        for part in 0..=u8::MAX {
            let started = Instant::now();
            let files = self.context.blobs.list(part).await?;
            let files: Vec<_> = files
                .into_iter()
                .filter(|file| file.modified <= old)
                .map(|file| (file.digest, file.size))
                .collect();
            let strays = self.context.catalog.find_stray_files(&files).await?;
            if strays.is_empty() {
                continue;
            }
            if self.dry_run {
                for (_, size) in &strays {
                    self.files += Freed { count: 1, bytes: *size };
                }
            } else {
                self.context.catalog.doom_files(strays).await?;
            }
            rest(started).await;
        }
        Ok(())
    }

    async fn delete_files(&mut self) -> Result<(), JobError> {
        if self.dry_run {
            return Ok(());
        }
        loop {
            let started = Instant::now();
            let Some(freed) = self.context.catalog.delete_doomed_files(&self.context.blobs).await? else {
                return Ok(());
            };
            self.files += freed;
            self.context.reports.post(self.reports(TaskState::Running)).await?;
            rest(started).await;
        }
    }

    fn reports(&self, state: TaskState) -> Vec<ProgressReport> {
        let report = |message: &str, code: &str, done: u64, suffix: Option<&str>| ProgressReport {
            message: message.to_owned(),
            code: code.to_owned(),
            state,
            total: (state == TaskState::Completed).then(|| number(done)),
            done: number(done),
            suffix: suffix.map(str::to_owned),
        };
        vec![
            report("Clean up orphan Content", codes::ORPHAN_CONTENT, self.content.count, None),
            report("Clean up orphan Artifacts", codes::ORPHAN_FILES, self.files.count, None),
            report("Freed space", codes::ORPHAN_BYTES, self.files.bytes, Some("bytes")),
        ]
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Leaves the database to others for as long as it was used.
async fn rest(since: Instant) {
    tokio::time::sleep(since.elapsed()).await;
}
