//! Pushes, content discovery and content management, by the sections of the OCI distribution specification 1.1.

mod chunk_orders;
mod chunks;
mod deletions;
mod limits;
mod manifests;
mod monolithic;
mod mounts;
mod pusher;
mod referrers;
mod refusals;
mod sessions;
