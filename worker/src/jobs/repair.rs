//! Looks for blobs whose files are missing or damaged, and fetches them again from the remotes of the repositories that
//! hold them.

use std::collections::HashMap;

use registry::task::{ProgressReport, TaskState};
use registry::{Digest, chain};
use serde_json::json;
use storage::{HeldBlob, Outcome, Verdict};
use upstream::Client;
use uuid::Uuid;

use super::download::download;
use super::{JobContext, codes};
use crate::JobError;
use crate::jobs::sync_repository::upstream_of;

/// How many blobs one look at the catalog gives.
const WINDOW: u64 = 500;
/// How many of the blobs that could not be repaired the result names.
const NAMED: usize = 100;

struct Repair<'a> {
    context: &'a JobContext,
    /// One for each remote; `None` for those whose fields cannot be used.
    clients: HashMap<Uuid, Option<Client>>,
    checked: i64,
    missing: i64,
    corrupted: i64,
    repaired: i64,
    lost: Vec<Digest>,
}

pub(crate) async fn perform(
    context: &JobContext,
    version: Option<(Uuid, i64)>,
    verify_checksums: bool,
) -> Result<(), JobError> {
    let mut repair = Repair {
        context,
        clients: HashMap::new(),
        checked: 0,
        missing: 0,
        corrupted: 0,
        repaired: 0,
        lost: Vec::new(),
    };
    let mut after = None;
    loop {
        let blobs = context.catalog.held_blobs(version, after, WINDOW).await?;
        let Some(last) = blobs.last().map(|blob| blob.id) else { break };
        after = Some(last);
        for blob in &blobs {
            repair.look_at(blob, verify_checksums).await?;
            context.reports.post(repair.reports(TaskState::Running)).await?;
        }
    }
    context.reports.post(repair.reports(TaskState::Completed)).await?;
    let named: Vec<_> = repair.lost.iter().take(NAMED).map(Digest::to_string).collect();
    let result = json!({
        "checked": repair.checked,
        "missing": repair.missing,
        "corrupted": repair.corrupted,
        "repaired": repair.repaired,
        "not_repaired": named,
    });
    let mut tx = context.catalog.begin().await?;
    let outcome = Outcome::Completed { created_resources: Vec::new(), result: Some(result) };
    tx.finish_task(&context.fence, outcome).await?;
    Ok(tx.commit().await?)
}

impl Repair<'_> {
    async fn look_at(&mut self, blob: &HeldBlob, verify_checksums: bool) -> Result<(), JobError> {
        let store = &self.context.blobs;
        self.checked += 1;
        match store.check(&blob.digest, blob.size_bytes, verify_checksums).await? {
            Verdict::Whole => return Ok(()),
            Verdict::Missing => self.missing += 1,
            Verdict::Corrupted => self.corrupted += 1,
        }
        tracing::warn!(blob.digest = %blob.digest, "a blob is missing or damaged");
        if self.fetch(blob).await? {
            self.repaired += 1;
        } else {
            tracing::error!(blob.digest = %blob.digest, "no remote has the blob: it stays as it is");
            self.lost.push(blob.digest.clone());
        }
        Ok(())
    }

    /// Asks one remote after the other. `false` when none has the blob.
    async fn fetch(&mut self, blob: &HeldBlob) -> Result<bool, JobError> {
        for remote in self.context.catalog.remotes_of_blob(blob.id).await? {
            let url = remote.url.clone();
            let client = self.clients.entry(remote.id).or_insert_with(|| {
                let config = upstream_of(&remote).ok()?;
                Client::new(config, self.context.catalog.clock().clone()).ok()
            });
            let Some(client) = client else { continue };
            let size_bytes = Some(blob.size_bytes);
            match download(client, &self.context.blobs, &blob.digest, size_bytes, |_| {}).await {
                Ok(_) => return Ok(true),
                // Not the upstream's fault: another one would not help.
                Err(JobError::Storage(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(blob.digest = %blob.digest, remote = url, error = chain(&error), "the remote did not help");
                }
            }
        }
        Ok(false)
    }

    fn reports(&self, state: TaskState) -> Vec<ProgressReport> {
        let report = |message: &str, code: &str, done: i64| ProgressReport {
            message: message.to_owned(),
            code: code.to_owned(),
            state,
            total: (state == TaskState::Completed).then_some(done),
            done,
            suffix: None,
        };
        vec![
            report("Identify missing units", codes::MISSING_BLOBS, self.missing),
            report("Identify corrupted units", codes::CORRUPTED_BLOBS, self.corrupted),
            report("Repair corrupted units", codes::REPAIRED_BLOBS, self.repaired),
        ]
    }
}
