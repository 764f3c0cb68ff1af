//! Distributions.

use poem_openapi::Object;

use super::{Labels, Pageable};
use crate::Moment;

/// A distribution to create.
#[derive(Debug, Object)]
#[oai(rename = "container.ContainerDistribution")]
pub struct Distribution {
    /// Whether listings leave it out.
    pub hidden: Option<bool>,
    /// A unique name.
    pub name: String,
    /// The one version that is served.
    pub repository_version: Option<String>,
    /// Content guards aren't available yet; only null is accepted.
    pub content_guard: Option<String>,
    /// The repository whose latest version is served.
    pub repository: Option<String>,
    /// The name that clients pull, without the host.
    pub base_path: String,
    /// Labels.
    pub pulp_labels: Option<Labels>,
    /// Whether pulling needs a login. By default false.
    pub private: Option<bool>,
    /// A description.
    pub description: Option<String>,
}

/// What changes of a distribution.
#[derive(Debug, Object)]
#[oai(rename = "Patchedcontainer.ContainerDistribution")]
pub struct PatchedDistribution {
    /// Whether listings leave it out.
    pub hidden: Option<bool>,
    /// A unique name.
    pub name: Option<String>,
    /// The one version that is served.
    pub repository_version: Option<String>,
    /// Content guards aren't available yet; only null is accepted.
    pub content_guard: Option<String>,
    /// The repository whose latest version is served.
    pub repository: Option<String>,
    /// The name that clients pull, without the host.
    pub base_path: Option<String>,
    /// Labels.
    pub pulp_labels: Option<Labels>,
    /// Whether pulling needs a login. By default false.
    pub private: Option<bool>,
    /// A description.
    pub description: Option<String>,
}

/// A distribution.
#[derive(Debug, Object)]
#[oai(rename = "container.ContainerDistributionResponse")]
pub struct DistributionResponse {
    /// The name that clients pull, without the host.
    pub base_path: String,
    /// Always null.
    pub no_content_change_since: Option<String>,
    /// Whether listings leave it out.
    pub hidden: bool,
    /// Resource name.
    pub prn: String,
    /// Path of this distribution.
    pub pulp_href: String,
    /// Always null.
    pub content_guard_prn: Option<String>,
    /// The one version that is served.
    pub repository_version: Option<String>,
    /// Labels.
    pub pulp_labels: Labels,
    /// When it was created.
    pub pulp_created: Moment,
    /// Its unique name.
    pub name: String,
    /// Always null.
    pub content_guard: Option<String>,
    /// The repository whose latest version is served.
    pub repository: Option<String>,
    /// When it last changed.
    pub pulp_last_updated: Moment,
    /// What clients pull: host, port and name.
    pub registry_path: String,
    /// Always null.
    pub remote: Option<String>,
    /// Always null.
    pub namespace: Option<String>,
    /// Whether pulling needs a login.
    pub private: bool,
    /// A description.
    pub description: Option<String>,
}

impl Pageable for DistributionResponse {}
