//! Which manifests to ask for, and how.

use registry::{Reference, TagFilter};

use super::Held;
use super::source::Source;
use super::walk::Ask;
use crate::JobError;

/// Decides from the filters what to ask for. The upstream's list of tags is only read when they need it.
///
/// A tag that the repository holds is asked for by HEAD, since it rarely has moved; any other by GET, since its
/// manifest is most likely needed.
///
/// In an exact mirror, a list of which nothing is taken would remove every tag that the repository holds. That is far
/// more often a pattern with a typing error, a repository that moved, or a registry that lost its data than a wish, and
/// pulls would fail at once: it is an error. Whoever means it names tags without wildcards, or deletes the repository.
pub(super) async fn choose(
    source: &Source,
    filter: &TagFilter,
    held: &Held,
    mirror: bool,
) -> Result<Vec<Ask>, JobError> {
    let references: Vec<Reference> = if filter.needs_tag_list() {
        source.progress.want_tag_list();
        let listed = source.client.list_tags().await?;
        source.progress.tag_list_read();
        let listed_count = listed.len();
        let taken: Vec<_> = listed.into_iter().filter(|tag| filter.takes(tag)).collect();
        tracing::info!(listed = listed_count, taken = taken.len(), "tags of the upstream were listed");
        if mirror && taken.is_empty() && !held.tags.is_empty() {
            return Err(JobError::WouldEmpty {
                url: source.repository_url(),
                filter: filter.to_string(),
                listed: listed_count,
                held: held.tags.len(),
            });
        }
        let digests = filter.digests().cloned().map(Reference::Digest);
        taken.into_iter().map(Reference::Tag).chain(digests).collect()
    } else {
        filter.named()
    };
    let tags = references.iter().filter(|reference| matches!(reference, Reference::Tag(_))).count();
    source.progress.want_tags(tags);
    if !filter.needs_tag_list() {
        tracing::info!(tags, "the remote names every tag that is taken");
    }
    let ask = |reference| {
        let is_held = match &reference {
            Reference::Tag(tag) => held.tags.contains_key(tag),
            Reference::Digest(digest) => held.manifests.contains(digest),
        };
        if is_held { Ask::Head(reference) } else { Ask::Get(reference, 0) }
    };
    Ok(references.into_iter().map(ask).collect())
}
