//! Content as the API lists it: blobs, manifests and tags.

use std::collections::HashMap;

use registry::{Digest, Timestamp};
use sea_orm::sea_query::{Condition, ExprTrait, JoinType, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::list::{self, Field, Joined};
use super::membership::Kind;
use super::removal::{listed_manifest, needed_blob};
use super::sync::{column, read_digest, read_size};
use super::versions::CHUNK;
use super::{Catalog, labels};
use crate::Labels;
use crate::entity::{blob, content, manifest, manifest_blob, manifest_child, tag};
use crate::error::Result;
use registry::query::{FilterValue, ListQuery, Op, Page};

/// A blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobContent {
    /// Identifies it.
    pub id: Uuid,
    /// When it was first recorded.
    pub created: Timestamp,
    /// Free labels.
    pub pulp_labels: Labels,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// A manifest, with what people want to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestContent {
    /// Identifies it.
    pub id: Uuid,
    /// When it was first recorded.
    pub created: Timestamp,
    /// Free labels.
    pub pulp_labels: Labels,
    /// Its digest.
    pub digest: Digest,
    /// `schemaVersion`
    pub schema_version: i32,
    /// The type it is served with.
    pub media_type: String,
    /// The manifest's annotations.
    pub annotations: Labels,
    /// The image's labels, from its configuration.
    pub labels: Labels,
    /// The image's processor architecture.
    pub architecture: Option<String>,
    /// The image's operating system.
    pub os: Option<String>,
    /// What it is: `image`, `index`, `bootable`, `flatpak`, `helm`, `cosign_signature`, `artifact`…
    pub artifact_kind: String,
    /// The size of all layers in bytes; absent for an index.
    pub compressed_image_size: Option<i64>,
    /// Whether a machine can boot from it.
    pub is_bootable: bool,
    /// Whether it is a Flatpak.
    pub is_flatpak: bool,
    /// The manifests that an index lists, as far as they are held.
    pub listed_manifests: Vec<Uuid>,
    /// The configuration.
    pub config_blob: Option<Uuid>,
    /// The layers.
    pub blobs: Vec<Uuid>,
}

/// A tag: a name on a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagContent {
    /// Identifies it.
    pub id: Uuid,
    /// When it was first recorded.
    pub created: Timestamp,
    /// Free labels.
    pub pulp_labels: Labels,
    /// The tag's name.
    pub name: String,
    /// The manifest's content id.
    pub manifest: Uuid,
}

fn blob_field(name: &str) -> Option<Field> {
    let plain = |field| Some(Field::Plain(column(blob::Entity, field)));
    match name {
        "digest" => plain(blob::Column::Digest),
        "size" => plain(blob::Column::SizeBytes),
        _ => content_field(name, blob::Entity, blob::Column::Id, Kind::Blob),
    }
}

fn manifest_field(name: &str) -> Option<Field> {
    let plain = |field| Some(Field::Plain(column(manifest::Entity, field)));
    match name {
        "digest" => plain(manifest::Column::Digest),
        "media_type" => plain(manifest::Column::MediaType),
        "architecture" => plain(manifest::Column::Architecture),
        "os" => plain(manifest::Column::Os),
        "type" => plain(manifest::Column::Kind),
        "schema_version" => plain(manifest::Column::SchemaVersion),
        "compressed_image_size" => plain(manifest::Column::CompressedImageSize),
        "is_bootable" => plain(manifest::Column::IsBootable),
        "is_flatpak" => plain(manifest::Column::IsFlatpak),
        _ => content_field(name, manifest::Entity, manifest::Column::Id, Kind::Manifest),
    }
}

fn tag_field(name: &str) -> Option<Field> {
    match name {
        "name" => Some(Field::Plain(column(tag::Entity, tag::Column::Name))),
        "digest" => Some(Field::Special(|op, value| tagged(manifest::Column::Digest, op, value))),
        "media_type" => Some(Field::Special(|op, value| tagged(manifest::Column::MediaType, op, value))),
        _ => content_field(name, tag::Entity, tag::Column::Id, Kind::Tag),
    }
}

/// Whether the manifest that a tag names has one of several digests or media types.
fn tagged(field: manifest::Column, op: Op, value: &FilterValue) -> Option<Condition> {
    let (Op::In, FilterValue::Texts(texts)) = (op, value) else { return None };
    let manifests = Query::select()
        .column(manifest::Column::Id)
        .from(manifest::Entity)
        .and_where(column(manifest::Entity, field).is_in(texts))
        .take();
    let named = column(tag::Entity, tag::Column::ManifestId).in_subquery(manifests);
    Some(Condition::all().add(named))
}

/// The fields that every kind of content has. Ids are UUIDv7, so they order rows by when they were made.
pub(super) fn content_field<E: EntityTrait>(
    name: &str,
    table: E,
    id: E::Column,
    kind: Kind,
) -> Option<Field> {
    let created = || {
        Field::Joined(Box::new(Joined {
            column: column(content::Entity, content::Column::Created),
            relation: E::belongs_to(content::Entity).from(id).to(content::Column::Id).into(),
            given: column(content::Entity, content::Column::Kind).eq(kind.number()),
        }))
    };
    let id = column(table, id);
    match name {
        "pulp_id" => Some(Field::Plain(id)),
        "pulp_created" => Some(created()),
        "pulp_labels" => Some(Field::ContentLabels(id)),
        "repository_version" => Some(Field::Membership(id)),
        _ => None,
    }
}

impl Catalog {
    /// The blob with this content id.
    pub async fn find_blob_content(&self, id: Uuid) -> Result<Option<BlobContent>> {
        let row = blob::Entity::find_by_id(id).one(self.reader()).await?;
        Ok(self.blob_contents(row.into_iter().collect()).await?.pop())
    }

    /// Blobs, newest first unless ordered otherwise.
    pub async fn list_blob_contents(&self, query: &ListQuery) -> Result<Page<BlobContent>> {
        let id = || column(blob::Entity, blob::Column::Id);
        let page = list::fetch(self.reader(), blob::Entity::find(), query, blob_field, [id(), id()]).await?;
        Ok(Page { total: page.total, items: self.blob_contents(page.items).await? })
    }

    /// The manifest with this content id.
    pub async fn find_manifest_content(&self, id: Uuid) -> Result<Option<ManifestContent>> {
        let row = manifest::Entity::find_by_id(id).one(self.reader()).await?;
        Ok(self.manifest_contents(row.into_iter().collect()).await?.pop())
    }

    /// Manifests, newest first unless ordered otherwise.
    pub async fn list_manifest_contents(&self, query: &ListQuery) -> Result<Page<ManifestContent>> {
        let id = || column(manifest::Entity, manifest::Column::Id);
        let page =
            list::fetch(self.reader(), manifest::Entity::find(), query, manifest_field, [id(), id()]).await?;
        Ok(Page { total: page.total, items: self.manifest_contents(page.items).await? })
    }

    /// The tag with this content id.
    pub async fn find_tag_content(&self, id: Uuid) -> Result<Option<TagContent>> {
        let row = tag::Entity::find_by_id(id).one(self.reader()).await?;
        Ok(self.tag_contents(row.into_iter().collect()).await?.pop())
    }

    /// Tags, newest first unless ordered otherwise.
    pub async fn list_tag_contents(&self, query: &ListQuery) -> Result<Page<TagContent>> {
        let id = || column(tag::Entity, tag::Column::Id);
        let page = list::fetch(self.reader(), tag::Entity::find(), query, tag_field, [id(), id()]).await?;
        Ok(Page { total: page.total, items: self.tag_contents(page.items).await? })
    }

    /// What all kinds of content have.
    pub(super) async fn shared_of(&self, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Shared>> {
        let mut found = HashMap::new();
        for chunk in ids.chunks(CHUNK) {
            let wanted = content::Column::Id.is_in(chunk.iter().copied());
            for row in content::Entity::find().filter(wanted).all(self.reader()).await? {
                let created = Timestamp::from_micros(row.created);
                found.insert(row.id, Shared { created, labels: labels::from_json(row.labels)? });
            }
        }
        Ok(found)
    }

    pub(super) async fn blob_contents(&self, rows: Vec<blob::Model>) -> Result<Vec<BlobContent>> {
        let mut shared = self.shared_of(rows.iter().map(|row| row.id).collect()).await?;
        rows.into_iter()
            .map(|row| {
                let Shared { created, labels } = shared.remove(&row.id).unwrap_or_default();
                Ok(BlobContent {
                    id: row.id,
                    created,
                    pulp_labels: labels,
                    digest: read_digest(&row.digest)?,
                    size_bytes: read_size(row.size_bytes)?,
                })
            })
            .collect()
    }

    async fn tag_contents(&self, rows: Vec<tag::Model>) -> Result<Vec<TagContent>> {
        let mut shared = self.shared_of(rows.iter().map(|row| row.id).collect()).await?;
        let convert = |row: tag::Model| {
            let Shared { created, labels } = shared.remove(&row.id).unwrap_or_default();
            TagContent { id: row.id, created, pulp_labels: labels, name: row.name, manifest: row.manifest_id }
        };
        Ok(rows.into_iter().map(convert).collect())
    }

    async fn manifest_contents(&self, rows: Vec<manifest::Model>) -> Result<Vec<ManifestContent>> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let mut parts = self.manifest_parts(&ids).await?;
        let mut shared = self.shared_of(ids).await?;
        rows.into_iter()
            .map(|row| {
                let Parts { listed, config, layers } = parts.remove(&row.id).unwrap_or_default();
                let Shared { created, labels: pulp_labels } = shared.remove(&row.id).unwrap_or_default();
                Ok(ManifestContent {
                    id: row.id,
                    created,
                    pulp_labels,
                    digest: read_digest(&row.digest)?,
                    schema_version: row.schema_version,
                    media_type: row.media_type,
                    annotations: labels::from_json(row.annotations)?,
                    labels: labels::from_json(row.image_labels)?,
                    architecture: row.architecture,
                    os: row.os,
                    artifact_kind: row.kind,
                    compressed_image_size: row.compressed_image_size,
                    is_bootable: row.is_bootable,
                    is_flatpak: row.is_flatpak,
                    listed_manifests: listed,
                    config_blob: config,
                    blobs: layers,
                })
            })
            .collect()
    }

    /// The parts of manifests, as far as they are held, in the manifests' order.
    async fn manifest_parts(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Parts>> {
        let mut parts: HashMap<Uuid, Parts> = HashMap::new();
        for chunk in ids.chunks(CHUNK) {
            let children: Vec<(Uuid, Uuid)> = manifest_child::Entity::find()
                .select_only()
                .column(manifest_child::Column::ManifestId)
                .column(manifest::Column::Id)
                .join(JoinType::InnerJoin, listed_manifest())
                .filter(manifest_child::Column::ManifestId.is_in(chunk.iter().copied()))
                .order_by_asc(manifest_child::Column::Position)
                .into_tuple()
                .all(self.reader())
                .await?;
            for (parent, child) in children {
                parts.entry(parent).or_default().listed.push(child);
            }
            let blobs: Vec<(Uuid, Uuid, bool)> = manifest_blob::Entity::find()
                .select_only()
                .column(manifest_blob::Column::ManifestId)
                .column(blob::Column::Id)
                .column(manifest_blob::Column::IsConfig)
                .join(JoinType::InnerJoin, needed_blob())
                .filter(manifest_blob::Column::ManifestId.is_in(chunk.iter().copied()))
                .order_by_asc(manifest_blob::Column::Position)
                .into_tuple()
                .all(self.reader())
                .await?;
            for (manifest, blob, is_config) in blobs {
                let entry = parts.entry(manifest).or_default();
                if is_config {
                    entry.config = Some(blob);
                } else {
                    entry.layers.push(blob);
                }
            }
        }
        Ok(parts)
    }
}

#[derive(Default)]
struct Parts {
    listed: Vec<Uuid>,
    config: Option<Uuid>,
    layers: Vec<Uuid>,
}

/// What all kinds of content have.
pub(super) struct Shared {
    pub(super) created: Timestamp,
    pub(super) labels: Labels,
}

impl Default for Shared {
    fn default() -> Self {
        Self { created: Timestamp::from_micros(0), labels: Labels::new() }
    }
}
