//! A client for other registries: auth, paging, retry, resume, redirects, quotas.
//!
//! A [`Client`] reads one repository of one registry (OCI distribution-spec 1.1, "Pull" and "Content
//! Discovery"). It takes nothing that the other side says on trust: every answer has a size limit, a time
//! limit and a typed error that names the URL and the cause. It does not decide what to fetch, and it keeps
//! nothing on disk: the bytes of a blob are handed on as they arrive, and the caller hashes them.

mod auth;
mod blobs;
mod body;
mod challenge;
mod client;
mod config;
mod contacts;
mod content_range;
mod error;
mod exchange;
mod floor;
pub mod limits;
mod links;
mod manifests;
mod pace;
pub mod pem;
mod proxy;
mod redact;
mod referrers;
mod refusal;
mod retry;
mod schema1;
mod tags;
mod transport;

pub use blobs::BlobReader;
pub use client::Client;
pub use config::UpstreamConfig;
pub use error::{UpstreamError, Waiting};
pub use limits::Limits;
pub use manifests::{FetchedManifest, ManifestHead};
pub use redact::SafeUrl;
pub use referrers::referrers_tag;
