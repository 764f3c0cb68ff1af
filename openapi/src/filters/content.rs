//! The lists of content and of files.

use registry::href::Kind;
use registry::query::Op;

use super::{ListSpec, Value};

const CONTENT_TYPES: &[&str] = &["container.blob", "container.manifest", "container.tag"];

/// `content_list`
pub fn contents() -> ListSpec {
    ListSpec::new("content_list", &["pulp_id", "pulp_created"])
        .with("pulp_id__in", "pulp_id", Op::In, Value::Ids)
        .with("pulp_href__in", "pulp_id", Op::In, Value::Contents)
        .with("prn__in", "pulp_id", Op::In, Value::Contents)
        .with_labels()
        .with("pulp_type", "pulp_type", Op::Eq, Value::Choice(CONTENT_TYPES))
        .with("pulp_type__in", "pulp_type", Op::In, Value::Choices(CONTENT_TYPES))
        .with_versions()
}

/// `content_container_blobs_list`
pub fn blobs() -> ListSpec {
    ListSpec::new("content_container_blobs_list", &["pulp_id", "pulp_created", "digest"])
        .with("digest", "digest", Op::Eq, Value::Text)
        .with("digest__in", "digest", Op::In, Value::Texts)
        .with_ids(Kind::Blob)
        .with_labels()
        .with_versions()
}

/// `content_container_manifests_list`
pub fn manifests() -> ListSpec {
    ListSpec::new(
        "content_container_manifests_list",
        &[
            "pulp_id",
            "pulp_created",
            "digest",
            "schema_version",
            "media_type",
            "type",
            "architecture",
            "os",
            "compressed_image_size",
        ],
    )
    .with("digest", "digest", Op::Eq, Value::Text)
    .with("digest__in", "digest", Op::In, Value::Texts)
    // The `pulp` command sends one type or several.
    .with("media_type", "media_type", Op::In, Value::Texts)
    .with("is_bootable", "is_bootable", Op::Eq, Value::Bool)
    .with("is_flatpak", "is_flatpak", Op::Eq, Value::Bool)
    .with_ids(Kind::Manifest)
    .with_labels()
    .with_versions()
}

/// `content_container_tags_list`
pub fn tags() -> ListSpec {
    ListSpec::new("content_container_tags_list", &["pulp_id", "pulp_created", "name"])
        .with("name", "name", Op::Eq, Value::Text)
        .with("name__in", "name", Op::In, Value::Texts)
        .with("digest", "digest", Op::In, Value::Texts)
        .with("media_type", "media_type", Op::In, Value::Texts)
        .with_ids(Kind::Tag)
        .with_labels()
        .with_versions()
}

/// `artifacts_list`
pub fn artifacts() -> ListSpec {
    ListSpec::new("artifacts_list", &["pulp_id", "pulp_created", "size"])
        .with("md5", "other_checksum", Op::Eq, Value::Text)
        .with("sha1", "other_checksum", Op::Eq, Value::Text)
        .with("sha224", "other_checksum", Op::Eq, Value::Text)
        .with("sha256", "sha256", Op::Eq, Value::Text)
        .with("sha384", "other_checksum", Op::Eq, Value::Text)
        .with("sha512", "sha512", Op::Eq, Value::Text)
        .with_ids(Kind::Artifact)
        .with("repository_version", "repository_version", Op::VersionPresent, Value::Version)
        .with("orphaned_for", "repository_version", Op::OrphanedSince, Value::Minutes)
}

/// `uploads_list`
pub fn uploads() -> ListSpec {
    ListSpec::new("uploads_list", &["pulp_id", "pulp_created", "pulp_last_updated", "size"])
        .with("size", "size", Op::Eq, Value::Int)
        .with("size__gt", "size", Op::Gt, Value::Int)
        .with("size__lt", "size", Op::Lt, Value::Int)
        .with("size__range", "size", Op::Range, Value::IntRange)
        .with_ids(Kind::Upload)
}
