//! How far a sync is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use registry::Tag;
use registry::task::{ProgressReport, TaskState};

use crate::jobs::codes;

/// Counts what transfers do, from wherever they run.
#[derive(Debug, Default)]
pub(super) struct Progress {
    lists_wanted: AtomicU64,
    lists_read: AtomicU64,
    tags_wanted: AtomicU64,
    tags_known: AtomicU64,
    manifests: AtomicU64,
    manifests_fetched: AtomicU64,
    blobs_seen: AtomicU64,
    blobs_wanted: AtomicU64,
    blobs_fetched: AtomicU64,
    bytes_wanted: AtomicU64,
    bytes_fetched: AtomicU64,
    /// Whether all manifests were read, so that the totals are final.
    complete: AtomicBool,
    skipped_tags: Mutex<Vec<Tag>>,
    foreign_layers: AtomicU64,
}

impl Progress {
    pub(super) fn want_tag_list(&self) {
        self.lists_wanted.store(1, Relaxed);
    }

    pub(super) fn tag_list_read(&self) {
        self.lists_read.store(1, Relaxed);
    }

    pub(super) fn want_tags(&self, count: usize) {
        self.tags_wanted.store(count as u64, Relaxed);
    }

    pub(super) fn tag_known(&self) {
        self.tags_known.fetch_add(1, Relaxed);
    }

    pub(super) fn tag_skipped(&self, tag: Tag) {
        self.skipped_tags.lock().unwrap_or_else(PoisonError::into_inner).push(tag);
        self.tag_known();
    }

    pub(super) fn manifest_read(&self) {
        self.manifests.fetch_add(1, Relaxed);
    }

    pub(super) fn foreign_layer_seen(&self) {
        self.foreign_layers.fetch_add(1, Relaxed);
    }

    pub(super) fn blob_seen(&self) {
        self.blobs_seen.fetch_add(1, Relaxed);
    }

    pub(super) fn want_blob(&self, size_bytes: Option<u64>) {
        self.blobs_wanted.fetch_add(1, Relaxed);
        self.bytes_wanted.fetch_add(size_bytes.unwrap_or(0), Relaxed);
    }

    pub(super) fn add_bytes(&self, count: usize) {
        self.bytes_fetched.fetch_add(count as u64, Relaxed);
    }

    /// A blob has arrived; `unforeseen_bytes` is its size when no manifest had told it.
    pub(super) fn blob_fetched(&self, unforeseen_bytes: u64) {
        self.blobs_fetched.fetch_add(1, Relaxed);
        self.bytes_wanted.fetch_add(unforeseen_bytes, Relaxed);
    }

    pub(super) fn complete(&self) {
        self.complete.store(true, Relaxed);
    }

    pub(super) fn bytes_fetched(&self) -> u64 {
        self.bytes_fetched.load(Relaxed)
    }

    pub(super) fn blobs_fetched(&self) -> u64 {
        self.blobs_fetched.load(Relaxed)
    }

    /// Blobs that were in the store already.
    pub(super) fn blobs_held(&self) -> u64 {
        self.blobs_seen.load(Relaxed).saturating_sub(self.blobs_wanted.load(Relaxed))
    }

    pub(super) fn manifest_fetched(&self) {
        self.manifests_fetched.fetch_add(1, Relaxed);
    }

    pub(super) fn manifests_fetched(&self) -> u64 {
        self.manifests_fetched.load(Relaxed)
    }

    /// The reports, all in `state`.
    pub(super) fn reports(&self, state: TaskState) -> Vec<ProgressReport> {
        let count = |number: &AtomicU64| i64::try_from(number.load(Relaxed)).unwrap_or(i64::MAX);
        let complete = self.complete.load(Relaxed);
        let when_complete = |number| complete.then_some(number);
        let report = |message: &str, code: &str, total, done| ProgressReport {
            message: message.to_owned(),
            code: code.to_owned(),
            state,
            total,
            done,
            suffix: None,
        };
        let skipped_tags = self.skipped_tags.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let skipped_count = i64::try_from(skipped_tags.len()).unwrap_or(i64::MAX);
        let (tags, manifests) = (count(&self.tags_wanted), count(&self.manifests));
        let content = tags - skipped_count + manifests + count(&self.blobs_seen);
        let bytes = report(
            "Downloading Bytes",
            codes::BYTES,
            Some(count(&self.bytes_wanted)),
            count(&self.bytes_fetched),
        );
        let mut reports = vec![
            report(
                "Downloading tag list",
                codes::TAG_LIST,
                Some(count(&self.lists_wanted)),
                count(&self.lists_read),
            ),
            report("Processing Tags", codes::TAGS, Some(tags), count(&self.tags_known)),
            report("Processing Manifests", codes::MANIFESTS, when_complete(manifests), manifests),
            report(
                "Downloading Artifacts",
                codes::BLOBS,
                when_complete(count(&self.blobs_wanted)),
                count(&self.blobs_fetched),
            ),
            ProgressReport { suffix: Some("bytes".to_owned()), ..bytes },
            report("Associating Content", codes::CONTENT, None, if complete { content } else { 0 }),
        ];
        if skipped_count > 0 {
            let message = format!("Skipped tags that upstream does not have: {}", first_few(&skipped_tags));
            reports.push(report(&message, codes::SKIPPED_TAGS, Some(skipped_count), skipped_count));
        }
        let foreign = count(&self.foreign_layers);
        if foreign > 0 {
            let message = "Skipped foreign layers, which stay where they are";
            reports.push(report(message, codes::SKIPPED_FOREIGN_LAYERS, Some(foreign), foreign));
        }
        reports
    }
}

/// Names of tags for a text: not more than people read.
pub(super) fn first_few(tags: &[Tag]) -> String {
    const MOST: usize = 10;
    let mut names: Vec<_> = tags.iter().map(Tag::as_str).collect();
    names.sort_unstable();
    names.truncate(MOST);
    let more = tags.len().saturating_sub(MOST);
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}
