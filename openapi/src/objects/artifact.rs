//! Artifacts, and the uploads that become some.

use poem_openapi::Object;

use super::Pageable;
use crate::{FileBytes, Moment};

/// A file to store.
#[derive(Debug, Object)]
pub struct Artifact {
    /// The file.
    pub file: FileBytes,
    /// Its size in bytes.
    pub size: Option<i64>,
    /// Not accepted: only sha256 is.
    pub md5: Option<String>,
    /// Not accepted: only sha256 is.
    pub sha1: Option<String>,
    /// Not accepted: only sha256 is.
    pub sha224: Option<String>,
    /// The SHA-256 checksum that it must have.
    pub sha256: Option<String>,
    /// Not accepted: only sha256 is.
    pub sha384: Option<String>,
    /// Not accepted: only sha256 is.
    pub sha512: Option<String>,
}

/// A stored file.
#[derive(Debug, Object)]
pub struct ArtifactResponse {
    /// Path of this artifact.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was first recorded.
    pub pulp_created: Moment,
    /// When it was first recorded: files never change.
    pub pulp_last_updated: Moment,
    /// Where it is in the store.
    pub file: String,
    /// Its size in bytes.
    pub size: i64,
    /// Always null.
    pub md5: Option<String>,
    /// Always null.
    pub sha1: Option<String>,
    /// Always null.
    pub sha224: Option<String>,
    /// Its SHA-256 checksum; null for a blob that is named by SHA-512.
    pub sha256: Option<String>,
    /// Always null.
    pub sha384: Option<String>,
    /// Its SHA-512 checksum, for a blob that is named by it.
    pub sha512: Option<String>,
}

/// A file to upload in pieces.
#[derive(Debug, Object)]
#[oai(rename = "Upload")]
pub struct NewUpload {
    /// How large the whole will be, in bytes.
    pub size: i64,
}

/// A piece of a file.
#[derive(Debug, Object)]
pub struct UploadChunk {
    /// The piece.
    pub file: FileBytes,
    /// The SHA-256 checksum that the piece must have.
    pub sha256: Option<String>,
}

/// The end of an upload.
#[derive(Debug, Object)]
pub struct UploadCommit {
    /// The SHA-256 checksum that the whole must have.
    pub sha256: String,
}

/// A file that arrives in pieces.
#[derive(Debug, Object)]
pub struct UploadResponse {
    /// Path of this upload.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was begun.
    pub pulp_created: Moment,
    /// When the last piece arrived.
    pub pulp_last_updated: Moment,
    /// How large the whole will be, in bytes.
    pub size: i64,
    /// Always null: what is complete becomes an artifact.
    pub completed: Option<Moment>,
}

/// A file that arrives in pieces, with those that have arrived.
#[derive(Debug, Object)]
pub struct UploadDetailResponse {
    /// Path of this upload.
    pub pulp_href: String,
    /// Resource name.
    pub prn: String,
    /// When it was begun.
    pub pulp_created: Moment,
    /// When the last piece arrived.
    pub pulp_last_updated: Moment,
    /// How large the whole will be, in bytes.
    pub size: i64,
    /// Always null: what is complete becomes an artifact.
    pub completed: Option<Moment>,
    /// The pieces.
    pub chunks: Vec<UploadChunkResponse>,
}

/// A piece that has arrived.
#[derive(Debug, Object)]
pub struct UploadChunkResponse {
    /// Where it begins.
    pub offset: i64,
    /// How long it is, in bytes.
    pub size: i64,
}

impl Pageable for ArtifactResponse {}
impl Pageable for UploadResponse {}
