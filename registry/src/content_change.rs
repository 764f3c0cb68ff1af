//! What people ask to be changed about the content of a repository.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Digest, MediaType, Tag};

/// A change of what a repository holds. Kept with its task as JSON, so names never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ContentChange {
    /// Adds content with everything that it needs. A tag takes the place of another of its name.
    Add {
        /// The content's ids.
        contents: Vec<Uuid>,
    },
    /// Removes content with everything that only it needs. What something that stays needs, stays.
    Remove {
        /// The content's ids.
        contents: Vec<Uuid>,
    },
    /// Removes everything.
    Clear,
    /// Adds tags of a version, with everything that they need.
    CopyTags {
        /// The version's repository.
        source: Uuid,
        /// The version's number.
        number: i64,
        /// Which tags; every one when absent. Those that the version doesn't have are left out.
        names: Option<Vec<Tag>>,
    },
    /// Adds manifests of a version, with everything that they need.
    CopyManifests {
        /// The version's repository.
        source: Uuid,
        /// The version's number.
        number: i64,
        /// Only these; whatever they are called when absent.
        digests: Option<Vec<Digest>>,
        /// Only of these types; of any when absent.
        media_types: Option<Vec<MediaType>>,
    },
    /// Puts a tag on a manifest that is there.
    Tag {
        /// The tag.
        tag: Tag,
        /// The manifest's id.
        manifest: Uuid,
    },
    /// Takes a tag off.
    Untag {
        /// The tag.
        tag: Tag,
    },
    /// Something that only a later release knows. A worker leaves it to others.
    #[serde(other)]
    Unknown,
}

impl ContentChange {
    /// The task's name in the API: Pulp's own, since scripts look for them.
    pub(crate) const fn task_name(&self) -> &'static str {
        match self {
            Self::Add { .. } | Self::CopyTags { .. } | Self::CopyManifests { .. } => {
                "pulp_container.app.tasks.recursive_add.recursive_add_content"
            }
            Self::Remove { .. } | Self::Clear => {
                "pulp_container.app.tasks.recursive_remove.recursive_remove_content"
            }
            Self::Tag { .. } => "pulp_container.app.tasks.tag.tag_image",
            Self::Untag { .. } => "pulp_container.app.tasks.untag.untag_image",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_are_stored_under_stable_names() {
        let nil = Uuid::nil();
        let tag: Tag = "latest".parse().unwrap();
        for (change, stored) in [
            (ContentChange::Add { contents: vec![nil] }, json!({"change": "add", "contents": [nil]})),
            (ContentChange::Clear, json!({"change": "clear"})),
            (
                ContentChange::CopyTags { source: nil, number: 3, names: Some(vec![tag.clone()]) },
                json!({"change": "copy_tags", "source": nil, "number": 3, "names": ["latest"]}),
            ),
            (
                ContentChange::Tag { tag, manifest: nil },
                json!({"change": "tag", "tag": "latest", "manifest": nil}),
            ),
        ] {
            assert_eq!(serde_json::to_value(&change).unwrap(), stored);
            assert_eq!(serde_json::from_value::<ContentChange>(stored).unwrap(), change);
        }
        let later = json!({"change": "squash", "layers": 3});
        assert_eq!(serde_json::from_value::<ContentChange>(later).unwrap(), ContentChange::Unknown);
    }
}
