//! The management API's document: its objects, its filters and the two forms that clients read.
//!
//! The objects are poem-openapi's types, so the document cannot differ from what is sent. This crate knows no
//! storage: `server` fills the objects, and reads the same filter tables that the document declares.

pub mod document;
mod file_bytes;
pub mod filters;
pub mod objects;
mod payload;

pub use file_bytes::FileBytes;
pub use payload::{Events, Json, Moment};

/// The version of Pulp's core that this API is compatible with; clients choose what to use by it.
pub const CORE_VERSION: &str = "3.123.1";
/// The version of Pulp's container plugin that this API is compatible with.
pub const CONTAINER_VERSION: &str = "2.30.0";
