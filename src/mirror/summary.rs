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
    /// Reads what there is in the repository since the version `base`.
    pub(super) async fn read(
        catalog: &Catalog,
        request: &MirrorRequest,
        (repository, base): (Uuid, i64),
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
            is_new: number > base,
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
        let changes = [(&summary.added, "added"), (&summary.removed, "removed")];
        let changes = changes.into_iter().filter(|(changed, _)| **changed != Counts::default());
        let changes: Vec<_> = changes.map(|(changed, how)| format!("{how} {}", counts(changed))).collect();
        let fetched = BinaryBytes(self.fetched_bytes);
        format!("{what}: version {number} ({}; {fetched} fetched in {seconds:.1} s).", changes.join("; "))
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

/// What there is any of.
fn counts(counts: &Counts) -> String {
    let all = [(counts.tags, "tag"), (counts.manifests, "manifest"), (counts.blobs, "blob")];
    let some: Vec<_> = all
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if some.is_empty() { "nothing".to_owned() } else { some.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_like_words() {
        let few = Counts { blobs: 2, manifests: 1, tags: 0 };
        assert_eq!(counts(&few), "1 manifest, 2 blobs");
        assert_eq!(counts(&Counts::default()), "nothing");
    }
}
