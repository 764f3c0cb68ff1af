//! Repositories and their versions.

use poem_openapi::Object;
use std::collections::BTreeMap;

use super::{Labels, Pageable};
use crate::Moment;

/// A repository to create.
#[derive(Debug, Object)]
#[oai(rename = "container.ContainerRepository")]
pub struct Repository {
    /// Labels.
    pub pulp_labels: Option<Labels>,
    /// A unique name for this repository.
    pub name: String,
    /// An optional description.
    pub description: Option<String>,
    /// Retain X versions of the repository. Default is null which retains all versions.
    pub retain_repo_versions: Option<i64>,
    /// Not used by containers; only null is accepted.
    pub retain_checkpoints: Option<i64>,
    /// An optional remote to use by default when syncing.
    pub remote: Option<String>,
    /// Signing isn't available yet; only null is accepted.
    pub manifest_signing_service: Option<String>,
}

/// What changes of a repository.
#[derive(Debug, Object)]
#[oai(rename = "Patchedcontainer.ContainerRepository")]
pub struct PatchedRepository {
    /// Labels.
    pub pulp_labels: Option<Labels>,
    /// A unique name for this repository.
    pub name: Option<String>,
    /// An optional description.
    pub description: Option<String>,
    /// Retain X versions of the repository. Null retains all versions.
    pub retain_repo_versions: Option<i64>,
    /// Not used by containers; only null is accepted.
    pub retain_checkpoints: Option<i64>,
    /// An optional remote to use by default when syncing.
    pub remote: Option<String>,
    /// Signing isn't available yet; only null is accepted.
    pub manifest_signing_service: Option<String>,
}

/// A repository.
#[derive(Debug, Object)]
#[oai(rename = "container.ContainerRepositoryResponse")]
pub struct RepositoryResponse {
    /// Path of this repository.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was created.
    pub pulp_created: Moment,
    /// When it last changed.
    pub pulp_last_updated: Moment,
    /// Path of its versions.
    pub versions_href: String,
    /// Labels.
    pub pulp_labels: Labels,
    /// Path of its newest version.
    pub latest_version_href: String,
    /// Its unique name.
    pub name: String,
    /// A description.
    pub description: Option<String>,
    /// How many versions are kept; null keeps all.
    pub retain_repo_versions: Option<i64>,
    /// Always null.
    pub retain_checkpoints: Option<i64>,
    /// The remote that a sync uses by default.
    pub remote: Option<String>,
    /// Always null.
    pub manifest_signing_service: Option<String>,
}

impl Pageable for RepositoryResponse {}

/// How to sync.
#[derive(Debug, Object)]
#[oai(rename = "ContainerRepositorySyncURL")]
pub struct SyncRepository {
    /// The remote to sync from; by default the repository's own.
    pub remote: Option<String>,
    /// Make the new version equal to upstream (filtered), rather than only add to it. By default false.
    pub mirror: Option<bool>,
    /// Only signed images. Not available yet: true is refused.
    pub signed_only: Option<bool>,
}

/// Which repositories to sync, and how.
#[derive(Debug, Object)]
#[oai(rename = "ContainerRepositoriesSync")]
pub struct SyncRepositories {
    /// Paths of the repositories, each with a remote; by default every repository that has one.
    pub repositories: Option<Vec<String>>,
    /// Make the new versions equal to upstream (filtered), rather than only add to them. By default false.
    pub mirror: Option<bool>,
}

/// What to add or remove.
#[derive(Debug, Object)]
#[oai(rename = "RecursiveManage")]
pub struct ManageContent {
    /// Paths or resource names of blobs, manifests and tags; `*` alone removes everything.
    pub content_units: Option<Vec<String>>,
}

/// Which tags to copy. One of the two sources is needed.
#[derive(Debug, Object)]
#[oai(rename = "TagCopy")]
pub struct CopyTags {
    /// The repository whose latest version is copied from.
    pub source_repository: Option<String>,
    /// The version to copy from.
    pub source_repository_version: Option<String>,
    /// Names of tags; by default all. Those that the source doesn't have are left out.
    pub names: Option<Vec<String>>,
}

/// Which manifests to copy. One of the two sources is needed.
#[derive(Debug, Object)]
#[oai(rename = "ManifestCopy")]
pub struct CopyManifests {
    /// The repository whose latest version is copied from.
    pub source_repository: Option<String>,
    /// The version to copy from.
    pub source_repository_version: Option<String>,
    /// Digests; by default any. Those that the source doesn't have are left out.
    pub digests: Option<Vec<String>>,
    /// Media types; by default any.
    pub media_types: Option<Vec<String>>,
}

/// What to tag.
#[derive(Debug, Object)]
pub struct TagImage {
    /// The tag. Another manifest that has it loses it.
    pub tag: String,
    /// The digest of a manifest in the latest version.
    pub digest: String,
}

/// What to untag.
#[derive(Debug, Object)]
#[oai(rename = "UnTagImage")]
pub struct UntagImage {
    /// A tag of the latest version.
    pub tag: String,
}

/// What to sign.
#[derive(Debug, Object)]
#[oai(rename = "RepositorySign")]
pub struct SignRepository {
    /// The service that signs.
    pub manifest_signing_service: Option<String>,
    /// The name that the images will be served under.
    pub future_base_path: Option<String>,
    /// Which tags to sign.
    pub tags_list: Option<Vec<String>>,
}

/// Which signatures to remove.
#[derive(Debug, Object)]
#[oai(rename = "RemoveSignatures")]
pub struct SignaturesToRemove {
    /// The key that they were made with.
    pub signed_with_key_id: String,
}

/// How much of one kind of content.
#[derive(Debug, Object)]
pub struct ContentCount {
    /// How many.
    pub count: i64,
    /// Path of their list.
    pub href: String,
}

/// What a version holds, and how it differs from the one before; by kind of content.
#[derive(Debug, Object)]
#[oai(rename = "ContentSummaryResponse")]
pub struct ContentSummary {
    /// New in this version.
    pub added: BTreeMap<String, ContentCount>,
    /// No longer in this version.
    pub removed: BTreeMap<String, ContentCount>,
    /// In this version.
    pub present: BTreeMap<String, ContentCount>,
}

/// A version of a repository.
#[derive(Debug, Object)]
pub struct RepositoryVersionResponse {
    /// Path of this version.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was made.
    pub pulp_created: Moment,
    /// When its summary last changed.
    pub pulp_last_updated: Moment,
    /// Its number.
    pub number: i64,
    /// Path of its repository.
    pub repository: String,
    /// The version that it was made from, when that was not the one before.
    pub base_version: Option<String>,
    /// What it holds.
    pub content_summary: ContentSummary,
    /// Path of its vulnerability report.
    pub vuln_report: String,
}

impl Pageable for RepositoryVersionResponse {}
