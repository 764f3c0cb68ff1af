//! Blobs, manifests and tags.

use poem_openapi::Object;

use super::{Labels, Pageable};
use crate::Moment;

/// A blob.
#[derive(Debug, Object)]
#[oai(rename = "container.BlobResponse")]
pub struct BlobResponse {
    /// Path of this content.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was first recorded.
    pub pulp_created: Moment,
    /// When it was first recorded: content never changes.
    pub pulp_last_updated: Moment,
    /// Labels.
    pub pulp_labels: Labels,
    /// Always null.
    pub vuln_report: Option<String>,
    /// Path of its file.
    pub artifact: Option<String>,
    /// Its digest.
    pub digest: String,
}

/// A manifest.
#[derive(Debug, Object)]
#[oai(rename = "container.ManifestResponse")]
pub struct ManifestResponse {
    /// Path of this content.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was first recorded.
    pub pulp_created: Moment,
    /// When it was first recorded: content never changes.
    pub pulp_last_updated: Moment,
    /// Labels.
    pub pulp_labels: Labels,
    /// Always null.
    pub vuln_report: Option<String>,
    /// Its digest.
    pub digest: String,
    /// Version of its schema.
    pub schema_version: i32,
    /// The type it is served with.
    pub media_type: String,
    /// Manifests that an index lists.
    pub listed_manifests: Vec<String>,
    /// The image's configuration.
    pub config_blob: Option<String>,
    /// The image's layers.
    pub blobs: Vec<String>,
    /// Annotations.
    pub annotations: Labels,
    /// Labels of the image.
    pub labels: Labels,
    /// Whether a machine can boot from it.
    pub is_bootable: bool,
    /// Whether it is a Flatpak.
    pub is_flatpak: bool,
    /// What it is: image, index, bootable, flatpak, helm, `cosign_signature`…
    pub r#type: String,
    /// Processor architecture.
    pub architecture: Option<String>,
    /// Operating system.
    pub os: Option<String>,
    /// Size of all layers in bytes.
    pub compressed_image_size: Option<i64>,
}

/// A tag.
#[derive(Debug, Object)]
#[oai(rename = "container.TagResponse")]
pub struct TagResponse {
    /// Path of this content.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was first recorded.
    pub pulp_created: Moment,
    /// When it was first recorded: content never changes.
    pub pulp_last_updated: Moment,
    /// Labels.
    pub pulp_labels: Labels,
    /// Always null.
    pub vuln_report: Option<String>,
    /// Its name.
    pub name: String,
    /// The manifest that it names.
    pub tagged_manifest: String,
}

/// Content, whatever its kind.
#[derive(Debug, Object)]
#[oai(rename = "MultipleArtifactContentResponse")]
pub struct ContentResponse {
    /// Path of this content.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was first recorded.
    pub pulp_created: Moment,
    /// When it was first recorded: content never changes.
    pub pulp_last_updated: Moment,
    /// Labels.
    pub pulp_labels: Labels,
    /// Always null.
    pub vuln_report: Option<String>,
    /// Paths of its artifacts by their names.
    pub artifacts: Labels,
}

impl Pageable for ContentResponse {}
impl Pageable for BlobResponse {}
impl Pageable for ManifestResponse {}
impl Pageable for TagResponse {}
