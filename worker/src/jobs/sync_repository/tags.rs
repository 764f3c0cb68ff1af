//! Which manifests to ask for, and how.

use std::collections::HashSet;
use std::sync::Arc;

use registry::{Digest, Reference, Tag, TagFilter};

use super::Held;
use super::source::Source;
use super::walk::Ask;
use crate::JobError;

/// What to ask for.
pub(super) struct Choice {
    pub(super) asks: Vec<Ask>,
    /// The digests that the filters name.
    pub(super) digests: Vec<Digest>,
    /// Those of the upstream's tags that look like ones of the referrers tag schema, if its tags were listed.
    pub(super) referrer_tags: Option<Arc<HashSet<Tag>>>,
}

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
) -> Result<Choice, JobError> {
    let mut referrer_tags = None;
    let references: Vec<Reference> = if filter.needs_tag_list() {
        source.progress.want_tag_list();
        let listed = source.client.list_tags().await?;
        source.progress.tag_list_read();
        let listed_count = listed.len();
        let of_schema = listed.iter().filter(|tag| is_of_schema(tag)).cloned();
        referrer_tags = Some(Arc::new(of_schema.collect()));
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
    Ok(Choice {
        asks: references.into_iter().map(ask).collect(),
        digests: filter.digests().cloned().collect(),
        referrer_tags,
    })
}

/// `<algorithm>-<digits>`
fn is_of_schema(tag: &Tag) -> bool {
    ["sha256-", "sha512-"].iter().any(|start| {
        tag.as_str().strip_prefix(start).is_some_and(|rest| {
            rest.len() == 64
                && rest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        })
    })
}
