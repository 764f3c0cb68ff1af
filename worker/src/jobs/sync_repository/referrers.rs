//! Signatures, attestations and whatever else refers to the manifests that a sync takes: it comes along, to any depth and
//! whatever its tags are.
//!
//! The upstream is asked for its lists of referrers. Where it has none, they are found by the tag that the specification
//! names ("Referrers Tag Schema"): among the listed tags, or by asking for it where the filters name every tag. Referrers
//! can be looked for only by asking, since an image doesn't know of them.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use registry::{Digest, Manifest, Reference, Tag};
use upstream::referrers_tag;

use super::source::Source;
use super::walk::Walk;
use crate::JobError;
use crate::reports::Reports;

/// How referrers are looked for.
#[derive(Clone)]
enum Way {
    /// By the upstream's lists.
    Lists,
    /// By these of its tags.
    Tags(Arc<HashSet<Tag>>),
    /// By asking for tags that may not be there.
    Guesses,
}

impl Walk {
    /// Takes what refers to the manifests that were found, what refers to that, and so on.
    pub(super) async fn follow_referrers(&mut self, reports: &Reports) -> Result<(), JobError> {
        let (roots, mut subjects) = self.first_subjects().await?;
        let Some(way) = self.choose_way(&roots).await? else { return Ok(()) };
        if matches!(way, Way::Guesses) {
            // Each costs a request: what is in an index is seldom signed by itself.
            subjects = roots;
        }
        let mut asked = HashSet::new();
        while !subjects.is_empty() {
            let found = list(&self.source, &way, &subjects).await?;
            asked.extend(subjects);
            let new: BTreeSet<Digest> =
                found.into_iter().filter(|digest| !self.found.referrers.contains(digest)).collect();
            for digest in &new {
                self.found.referrers.insert(digest.clone());
                self.want_manifest(digest, 0);
            }
            self.walk(reports).await?;
            // Those that could not be had are no longer among them.
            let taken = new.into_iter().filter(|digest| self.found.referrers.contains(digest));
            subjects = taken.filter(|digest| !asked.contains(digest)).collect();
        }
        if !self.found.referrers.is_empty() {
            let count = self.found.referrers.len();
            tracing::info!(count, "signatures and other referrers were taken along");
        }
        Ok(())
    }

    /// The manifests that tags and filters name, and these with all that lies below them.
    async fn first_subjects(&self) -> Result<(BTreeSet<Digest>, BTreeSet<Digest>), JobError> {
        let named = self.found.tags.values().cloned();
        let roots: BTreeSet<Digest> = named.chain(self.named_digests.iter().cloned()).collect();
        // What is whole was not walked through.
        let whole: Vec<_> = roots.iter().filter(|digest| self.whole.contains(*digest)).cloned().collect();
        let below = self.source.catalog.manifests_below(&whole).await?;
        let all = roots.iter().chain(&self.manifests).cloned().chain(below).collect();
        Ok((roots, all))
    }

    /// One question tells whether the upstream has lists.
    async fn choose_way(&self, roots: &BTreeSet<Digest>) -> Result<Option<Way>, JobError> {
        let Some(first) = roots.first() else { return Ok(None) };
        if self.source.client.list_referrers(first).await?.is_some() {
            return Ok(Some(Way::Lists));
        }
        Ok(Some(match &self.listed_tags {
            Some(listed) => Way::Tags(Arc::clone(listed)),
            None => Way::Guesses,
        }))
    }

    /// A referrer that cannot be had is left out: whatever lists it, the image itself is whole.
    pub(super) fn leave_out(&mut self, digest: &Digest, reason: &dyn std::fmt::Display) {
        tracing::warn!(manifest.digest = %digest, "a referrer is left out: {reason}");
        self.found.referrers.remove(digest);
    }
}

async fn list(source: &Arc<Source>, way: &Way, subjects: &BTreeSet<Digest>) -> Result<Vec<Digest>, JobError> {
    let lists: Vec<Vec<Digest>> = futures::stream::iter(subjects.iter().cloned())
        .map(|subject| {
            let (source, way) = (Arc::clone(source), way.clone());
            async move { source.referrers_of(&subject, &way).await }
        })
        .buffer_unordered(2 * source.concurrency())
        .try_collect()
        .await?;
    Ok(lists.into_iter().flatten().collect())
}

impl Source {
    async fn referrers_of(&self, subject: &Digest, way: &Way) -> Result<Vec<Digest>, JobError> {
        let tag = match way {
            Way::Lists => return Ok(self.client.list_referrers(subject).await?.unwrap_or_default()),
            Way::Tags(listed) => Some(referrers_tag(subject)).filter(|tag| listed.contains(tag)),
            Way::Guesses => Some(referrers_tag(subject)),
        };
        let Some(tag) = tag else { return Ok(Vec::new()) };
        let Some(fetched) = self.get_manifest(&Reference::Tag(tag), true).await? else {
            return Ok(Vec::new());
        };
        // Any index will do; whoever has an image under such a tag means something else by it.
        let index = Manifest::parse(&fetched.bytes, Some(&fetched.media_type));
        let children = index.map(|index| index.manifests).unwrap_or_default();
        Ok(children.into_iter().map(|child| child.digest).collect())
    }
}
