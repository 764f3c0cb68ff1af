//! `/content/container/`

pub(crate) mod blobs;
pub(crate) mod manifests;
pub(crate) mod tags;
