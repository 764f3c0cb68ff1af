//! The codes of progress reports. Those that Pulp has too carry Pulp's code and message.
//!
//! A command line that shows a sync's progress reads [`TAGS`], [`BLOBS`] and [`BYTES`]: `done` of `total`. A total is `None`
//! until it is final, except for [`BYTES`], whose total grows while manifests are still being read.

/// The list of tags: 1 of 1 when it was read; 0 of 0 when the filters name every tag, so that no list is needed.
pub const TAG_LIST: &str = "sync.downloading.tag_list";
/// Tags whose manifest is known.
pub const TAGS: &str = "sync.processing.tag";
/// Manifests that were looked into, children of indexes included.
pub const MANIFESTS: &str = "sync.processing.manifest";
/// Blobs that were fetched. Blobs that are held already are not counted.
pub const BLOBS: &str = "sync.downloading.artifacts";
/// Bytes of these blobs; the suffix is `bytes`.
pub const BYTES: &str = "sync.downloading.bytes";
/// Tags, manifests and blobs that were looked at for the new version.
pub const CONTENT: &str = "associating.content";
/// Tags that the remote names but its upstream does not have. Only there when there are any.
pub const SKIPPED_TAGS: &str = "sync.skipped.tags";
/// Layers that stay where they are, since they may not be distributed. Only there when there are any.
pub const SKIPPED_FOREIGN_LAYERS: &str = "sync.skipped.foreign_layers";
/// Syncs that were started, when many were asked for at once.
pub const STARTING_SYNCS: &str = "sync.starting";
/// Tasks that were deleted.
pub const PURGED_TASKS: &str = "purge.tasks.total";
/// Pieces of content that no version held, and that went.
pub const ORPHAN_CONTENT: &str = "clean-up.content";
/// Files that nothing referred to, and that went.
pub const ORPHAN_FILES: &str = "clean-up.artifacts";
/// Bytes of these files; the suffix is `bytes`.
pub const ORPHAN_BYTES: &str = "clean-up.bytes";
/// Blobs whose files were not there.
pub const MISSING_BLOBS: &str = "repair.missing";
/// Blobs whose files held something else.
pub const CORRUPTED_BLOBS: &str = "repair.corrupted";
/// Blobs of either kind that were fetched again.
pub const REPAIRED_BLOBS: &str = "repair.repaired";
