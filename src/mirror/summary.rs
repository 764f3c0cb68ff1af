//! What a sync made, told to people.

use std::time::Duration;

use indicatif::BinaryBytes;
use registry::sync_plan::TagMap;
use registry::{Reference, RepositoryName, Tag};
use storage::{Catalog, Counts, StorageError, Task, Version};
use uuid::Uuid;

use super::progress::Snapshot;
use super::{MirrorRequest, Upstream};
use crate::Error;

/// What a sync made.
#[derive(Debug)]
pub struct Mirrored {
    /// Where from.
    pub upstream: Upstream,
    /// What it is called here.
    pub name: RepositoryName,
    /// The version that is served now.
    pub version: Version,
    /// Whether this sync made it.
    pub is_new: bool,
    /// The tags of that version.
    pub tags: TagMap,
    /// How many blobs were fetched.
    pub fetched_blobs: i64,
    /// How many bytes of them.
    pub fetched_bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Mirrored {
    pub(super) async fn read(
        catalog: &Catalog,
        request: &MirrorRequest,
        repository: Uuid,
        task: &Task,
        elapsed: Duration,
    ) -> Result<Self, Error> {
        let missing = |kind| StorageError::NotFound { kind };
        let held = catalog.find_repository(repository).await?.ok_or(missing("Repository"))?;
        let number = held.latest_version;
        let version = catalog.find_version(repository, number).await?.ok_or(missing("RepositoryVersion"))?;
        let snapshot = Snapshot::of(&task.progress);
        Ok(Self {
            upstream: request.upstream.clone(),
            name: request.name.clone(),
            version,
            is_new: !task.created_resources.is_empty(),
            tags: catalog.repository_tags(repository, number).await?,
            fetched_blobs: snapshot.blobs.0,
            fetched_bytes: snapshot.bytes.0,
            elapsed,
        })
    }

    /// One sentence on what was made.
    pub fn sentence(&self) -> String {
        let (number, summary) = (self.version.number, &self.version.summary);
        let seconds = self.elapsed.as_secs_f64();
        let what = format!("Mirrored {} as {}", self.upstream, self.name);
        if !self.is_new {
            let present = counts(&summary.present);
            return format!(
                "{what}: nothing has changed, version {number} stays ({present}; {seconds:.1} s)."
            );
        }
        let mut parts = vec![format!("{} added", counts(&summary.added))];
        if summary.removed != Counts::default() {
            parts.push(format!("{} removed", counts(&summary.removed)));
        }
        format!(
            "{what}: version {number} ({}; {} fetched in {seconds:.1} s).",
            parts.join(", "),
            BinaryBytes(self.fetched_bytes)
        )
    }

    /// What to show in a pull command: what was asked for, or else `latest`, or else the last tag.
    pub fn example(&self, asked: Option<&Reference>) -> Option<Reference> {
        if let Some(asked) = asked {
            return Some(asked.clone());
        }
        let latest = self.tags.keys().find(|tag| tag.as_str() == "latest");
        let tag: Option<&Tag> = latest.or_else(|| self.tags.keys().next_back());
        tag.cloned().map(Reference::Tag)
    }
}

fn counts(counts: &Counts) -> String {
    let one = |count: i64, name: &str| format!("{count} {name}{}", if count == 1 { "" } else { "s" });
    [one(counts.tags, "tag"), one(counts.manifests, "manifest"), one(counts.blobs, "blob")].join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_like_words() {
        let few = Counts { blobs: 2, manifests: 1, tags: 0 };
        assert_eq!(counts(&few), "0 tags, 1 manifest, 2 blobs");
    }
}
