//! What a sync changes: the difference between what upstream has and what the repository holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Digest, Tag, TagFilter};

/// The tags of a repository, each with the digest of the manifest that it names.
pub type TagMap = BTreeMap<Tag, Digest>;

/// How a version's tags change, and which manifests have to be there in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagPlan {
    /// Tags to have in the new version that the old one hasn't, or has on another manifest.
    pub set: TagMap,
    /// Tags of the old version that the new one no longer has: moved or, when mirroring, gone upstream.
    pub drop: TagMap,
    /// Manifests to add, named by tags or by a digest in the filter.
    pub manifests: BTreeSet<Digest>,
}

/// Decides how `current` becomes what `upstream` shows.
///
/// `upstream` holds only tags that passed `filter`. Without `mirror`, tags are added and moved, never
/// dropped. With it the repository ends up with exactly the tags of `upstream`, as Pulp's mirror mode does:
/// tags that upstream no longer has and tags that the filter no longer takes are dropped.
pub fn plan_tags(current: &TagMap, upstream: &TagMap, filter: &TagFilter, mirror: bool) -> TagPlan {
    let mut plan = TagPlan {
        manifests: upstream.values().chain(filter.digests()).cloned().collect(),
        ..TagPlan::default()
    };
    for (tag, digest) in upstream {
        match current.get(tag) {
            Some(held) if held == digest => {}
            held => {
                if let Some(held) = held {
                    plan.drop.insert(tag.clone(), held.clone());
                }
                plan.set.insert(tag.clone(), digest.clone());
            }
        }
    }
    if mirror {
        let gone = current.iter().filter(|(tag, _)| !upstream.contains_key(*tag));
        plan.drop.extend(gone.map(|(tag, digest)| (tag.clone(), digest.clone())));
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> TagMap {
        (pairs.iter()).map(|(tag, text)| (tag.parse().unwrap(), Digest::sha256_of(text.as_bytes()))).collect()
    }

    #[test]
    fn adding_moves_tags_and_keeps_the_rest() {
        let plan = plan_tags(
            &map(&[("a", "1"), ("b", "2"), ("gone", "3")]),
            &map(&[("a", "1"), ("b", "20"), ("c", "4")]),
            &TagFilter::everything(),
            false,
        );
        assert_eq!(plan.set, map(&[("b", "20"), ("c", "4")]));
        assert_eq!(plan.drop, map(&[("b", "2")]));
        assert_eq!(plan.manifests.len(), 3);
    }

    #[test]
    fn mirroring_leaves_what_the_filtered_upstream_has() {
        let plan = plan_tags(
            &map(&[("v1", "1"), ("v2", "2"), ("other", "3")]),
            &map(&[("v1", "1")]),
            &TagFilter::new(&["v*".into()], &[]).unwrap(),
            true,
        );
        assert_eq!(plan.drop, map(&[("v2", "2"), ("other", "3")]));
        assert!(plan.set.is_empty());
    }

    #[test]
    fn equal_sides_change_nothing() {
        let tags = map(&[("a", "1")]);
        let plan = plan_tags(&tags, &tags, &TagFilter::everything(), true);
        assert!(plan.set.is_empty() && plan.drop.is_empty());
    }
}
