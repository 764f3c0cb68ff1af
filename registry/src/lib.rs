//! What is true of images and mirrors: names, digests, manifests, filters, plans.
//!
//! This crate does no I/O and knows no database, no web framework and no HTTP client. What other crates
//! need to agree on lives here, and everything that arrives from outside is parsed into these types at
//! the edge, so that nothing deeper has to ask whether a name or a digest is well-formed.

pub mod clock;
pub mod content_change;
pub mod descriptor;
pub mod digest;
pub mod error;
pub mod href;
pub mod manifest;
pub mod media_type;
pub mod name;
pub mod platform;
pub mod query;
pub mod reference;
pub mod schedule;
pub mod sync_plan;
pub mod tag_filter;
pub mod task;
pub mod trace_parent;

pub use clock::{Clock, Timestamp};
pub use content_change::ContentChange;
pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, DigestHasher};
pub use error::{ManifestError, NameError, chain};
pub use manifest::{Manifest, ManifestKind};
pub use media_type::MediaType;
pub use name::{RepositoryName, Tag};
pub use platform::Platform;
pub use reference::{ImageReference, Reference};
pub use tag_filter::TagFilter;
pub use trace_parent::TraceParent;

/// The largest manifest that is accepted from anywhere, in bytes: 4 MiB, as OCI distribution-spec 1.1,
/// "Pushing Manifests", asks registries to allow.
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
