//! What a sync asks before it fetches, and how it records what has arrived.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use registry::manifest::ImageConfig;
use registry::sync_plan::TagMap;
use registry::{Digest, Manifest, ManifestKind, MediaType};
use sea_orm::sea_query::{Expr, JoinType};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::membership::{Kind, present_at};
use super::versions::CHUNK;
use super::{Catalog, Tx, labels};
use crate::blobs::BlobStore;
use crate::entity::{blob, manifest, manifest_blob, manifest_child, repository_content, tag};
use crate::error::{Result, StorageError};
use crate::fail_point;

/// A manifest that was recorded before, by whichever repository.
#[derive(Debug, Clone)]
pub struct KnownManifest {
    /// Its content id.
    pub id: Uuid,
    /// The type it is served with.
    pub media_type: MediaType,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A manifest to record.
#[derive(Debug, Clone)]
pub struct NewManifest {
    /// The digest of `bytes`.
    pub digest: Digest,
    /// The type it is served with.
    pub media_type: MediaType,
    /// The bytes as they were received.
    pub bytes: Bytes,
    /// What they say.
    pub manifest: Manifest,
    /// What the image's configuration says; empty for anything else.
    pub config: ImageConfig,
}

impl Catalog {
    /// The tags of a version.
    pub async fn repository_tags(&self, repository: Uuid, number: i64) -> Result<TagMap> {
        let rows = tag_rows(self.reader(), repository, number).await?;
        rows.into_iter()
            .map(|(name, (_, digest))| {
                let tag = name.parse().map_err(|error| StorageError::corrupt("tag", error))?;
                Ok((tag, digest.parse().map_err(|error| StorageError::corrupt("digest", error))?))
            })
            .collect()
    }

    /// The digests of the manifests in a version.
    pub async fn version_manifests(&self, repository: Uuid, number: i64) -> Result<HashSet<Digest>> {
        let rows: Vec<String> = manifest::Entity::find()
            .select_only()
            .column(manifest::Column::Digest)
            .join(JoinType::InnerJoin, membership_of::<manifest::Entity>(manifest::Column::Id))
            .filter(repository_content::Column::RepositoryId.eq(repository))
            .filter(present_at(number))
            .into_tuple()
            .all(self.reader())
            .await?;
        rows.iter().map(|digest| read_digest(digest)).collect()
    }

    /// Those of `digests` that are recorded already.
    pub async fn find_manifests(&self, digests: &[Digest]) -> Result<HashMap<Digest, KnownManifest>> {
        let mut found = HashMap::new();
        for chunk in digests.chunks(CHUNK) {
            let texts = chunk.iter().map(Digest::as_str);
            let rows = manifest::Entity::find()
                .filter(manifest::Column::Digest.is_in(texts))
                .all(self.reader())
                .await?;
            for row in rows {
                let media_type = read_media_type(&row.media_type)?;
                let known = KnownManifest { id: row.id, media_type, bytes: row.body.into() };
                found.insert(read_digest(&row.digest)?, known);
            }
        }
        Ok(found)
    }

    /// Those of `digests` whose blobs are held already, with their sizes in bytes.
    pub async fn find_blobs(&self, digests: &[Digest]) -> Result<HashMap<Digest, u64>> {
        let mut found = HashMap::new();
        for chunk in digests.chunks(CHUNK) {
            let texts = chunk.iter().map(Digest::as_str);
            for row in
                blob::Entity::find().filter(blob::Column::Digest.is_in(texts)).all(self.reader()).await?
            {
                found.insert(read_digest(&row.digest)?, read_size(row.size_bytes)?);
            }
        }
        Ok(found)
    }

    /// Records manifests; those that are recorded already stay as they are.
    pub async fn record_manifests(&self, manifests: Vec<NewManifest>) -> Result<()> {
        let tx = self.begin().await?;
        tx.keep_content().await?;
        tx.lock_content().await?;
        for chunk in manifests.chunks(CHUNK / 10) {
            tx.record_manifests(chunk).await?;
        }
        fail_point!("manifests.inserted");
        tx.commit().await?;
        fail_point!("manifests.committed");
        Ok(())
    }

    /// Records blobs whose files are in their places in `store`; those that are recorded already stay as they are.
    pub async fn record_blobs(&self, store: &BlobStore, blobs: Vec<(Digest, u64)>) -> Result<()> {
        let tx = self.begin().await?;
        tx.keep_content().await?;
        tx.lock_content().await?;
        for chunk in blobs.chunks(CHUNK) {
            tx.record_blobs(store, chunk).await?;
        }
        fail_point!("blobs.inserted");
        tx.commit().await?;
        fail_point!("blobs.committed");
        Ok(())
    }
}

impl Tx {
    /// Records a manifest, unless it is recorded already.
    pub async fn record_manifest(&self, new: NewManifest) -> Result<()> {
        self.lock_content().await?;
        self.record_manifests(&[new]).await
    }

    async fn record_manifests(&self, manifests: &[NewManifest]) -> Result<()> {
        let texts = manifests.iter().map(|new| new.digest.as_str());
        let held: HashSet<String> = manifest::Entity::find()
            .select_only()
            .column(manifest::Column::Digest)
            .filter(manifest::Column::Digest.is_in(texts))
            .into_tuple()
            .all(&self.inner)
            .await?
            .into_iter()
            .collect();
        let mut seen = HashSet::new();
        let missing: Vec<_> = (manifests.iter())
            .filter(|new| !held.contains(new.digest.as_str()) && seen.insert(&new.digest))
            .map(|new| (Uuid::now_v7(), new))
            .collect();
        let ids: Vec<_> = missing.iter().map(|(id, _)| *id).collect();
        self.insert_contents(Kind::Manifest, &ids).await?;
        let rows = missing.iter().map(|(id, new)| manifest_row(*id, new));
        manifest::Entity::insert_many(rows).exec_without_returning(&self.inner).await?;
        let blobs: Vec<_> = missing.iter().flat_map(|(id, new)| blob_rows(*id, &new.manifest)).collect();
        for chunk in blobs.chunks(CHUNK) {
            manifest_blob::Entity::insert_many(chunk.to_vec()).exec_without_returning(&self.inner).await?;
        }
        let children: Vec<_> = missing.iter().flat_map(|(id, new)| child_rows(*id, &new.manifest)).collect();
        for chunk in children.chunks(CHUNK) {
            manifest_child::Entity::insert_many(chunk.to_vec()).exec_without_returning(&self.inner).await?;
        }
        Ok(())
    }

    pub(crate) async fn record_blobs(&self, store: &BlobStore, blobs: &[(Digest, u64)]) -> Result<()> {
        let texts = blobs.iter().map(|(digest, _)| digest.as_str());
        let held: HashSet<String> = blob::Entity::find()
            .select_only()
            .column(blob::Column::Digest)
            .filter(blob::Column::Digest.is_in(texts))
            .into_tuple()
            .all(&self.inner)
            .await?
            .into_iter()
            .collect();
        let mut seen = HashSet::new();
        let missing: Vec<_> = (blobs.iter())
            .filter(|(digest, _)| !held.contains(digest.as_str()) && seen.insert(digest))
            .map(|(digest, size)| (Uuid::now_v7(), digest, *size))
            .collect();
        let digests: Vec<_> = missing.iter().map(|(_, digest, _)| *digest).collect();
        self.keep_files(store, &digests).await?;
        let ids: Vec<_> = missing.iter().map(|(id, ..)| *id).collect();
        self.insert_contents(Kind::Blob, &ids).await?;
        let rows = missing.iter().map(|(id, digest, size)| blob::ActiveModel {
            id: Set(*id),
            digest: Set(digest.to_string()),
            size_bytes: Set(i64::try_from(*size).unwrap_or(i64::MAX)),
        });
        blob::Entity::insert_many(rows).exec_without_returning(&self.inner).await?;
        Ok(())
    }
}

/// Joins a table of content to the memberships of its rows.
pub(crate) fn membership_of<E: EntityTrait>(id: E::Column) -> sea_orm::RelationDef {
    E::belongs_to(repository_content::Entity).from(id).to(repository_content::Column::ContentId).into()
}

/// Tags of a version: name → (content id, digest of the manifest).
pub(crate) async fn tag_rows(
    connection: &impl ConnectionTrait,
    repository: Uuid,
    number: i64,
) -> Result<HashMap<String, (Uuid, String)>> {
    let rows: Vec<(String, Uuid, String)> = tag::Entity::find()
        .select_only()
        .column(tag::Column::Name)
        .column(tag::Column::Id)
        .column(manifest::Column::Digest)
        .join(JoinType::InnerJoin, membership_of::<tag::Entity>(tag::Column::Id))
        .join(JoinType::InnerJoin, tag_manifest())
        .filter(repository_content::Column::RepositoryId.eq(repository))
        .filter(repository_content::Column::Kind.eq(Kind::Tag.number()))
        .filter(present_at(number))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|(name, id, digest)| (name, (id, digest))).collect())
}

/// Joins tags to the manifests that they name.
pub(crate) fn tag_manifest() -> sea_orm::RelationDef {
    tag::Entity::belongs_to(manifest::Entity).from(tag::Column::ManifestId).to(manifest::Column::Id).into()
}

pub(crate) fn read_digest(text: &str) -> Result<Digest> {
    text.parse().map_err(|error| StorageError::corrupt("digest", error))
}

pub(crate) fn read_media_type(text: &str) -> Result<MediaType> {
    text.parse().map_err(|error| StorageError::corrupt("media type", error))
}

pub(crate) fn read_size(size_bytes: i64) -> Result<u64> {
    u64::try_from(size_bytes).map_err(|error| StorageError::corrupt("size", error))
}

fn manifest_row(id: Uuid, new: &NewManifest) -> manifest::ActiveModel {
    let NewManifest { manifest, config, .. } = new;
    let is_image = manifest.kind == ManifestKind::Image;
    let annotation = |key| manifest.annotations.contains_key(key);
    manifest::ActiveModel {
        id: Set(id),
        digest: Set(new.digest.to_string()),
        media_type: Set(new.media_type.to_string()),
        schema_version: Set(manifest.schema_version),
        body: Set(new.bytes.to_vec()),
        annotations: Set(labels::to_json(&manifest.annotations)),
        image_labels: Set(labels::to_json(&config.labels)),
        architecture: Set(config.architecture.clone()),
        os: Set(config.os.clone()),
        kind: Set(kind_name(manifest, config).to_owned()),
        compressed_image_size: Set(
            is_image.then(|| i64::try_from(manifest.layers_size_bytes()).unwrap_or(i64::MAX))
        ),
        is_bootable: Set(is_bootable(manifest, config)),
        is_flatpak: Set(config.labels.contains_key(FLATPAK_REF) || annotation(FLATPAK_REF)),
        subject: Set(manifest.subject.as_ref().map(|subject| subject.digest.to_string())),
        artifact_type: Set(manifest
            .subject
            .as_ref()
            .and(manifest.artifact_type.as_ref())
            .map(ToString::to_string)),
    }
}

const FLATPAK_REF: &str = "org.flatpak.ref";

/// An image that a machine can boot from (bootc) says so in one of two labels.
fn is_bootable(manifest: &Manifest, config: &ImageConfig) -> bool {
    ["containers.bootc", "ostree.bootable"].iter().any(|key| {
        let value = manifest.annotations.get(*key).or_else(|| config.labels.get(*key));
        value.is_some_and(|value| matches!(value.as_str(), "1" | "true"))
    })
}

/// What Pulp calls the manifest in its field `type`.
fn kind_name(manifest: &Manifest, config: &ImageConfig) -> &'static str {
    let artifact_type = manifest.artifact_type.as_ref().map_or("", |media_type| media_type.as_str());
    let has_layer = |text: &str| manifest.layers.iter().any(|layer| layer.media_type.as_str().contains(text));
    if manifest.kind == ManifestKind::Index {
        "index"
    } else if artifact_type.contains("helm.config") {
        "helm"
    } else if has_layer("dev.cosign.simplesigning") {
        "cosign_signature"
    } else if has_layer("in-toto") || has_layer("dsse.envelope") {
        "cosign_attestation"
    } else if has_layer("spdx") || has_layer("cyclonedx") {
        "cosign_sbom"
    } else if is_bootable(manifest, config) {
        "bootable"
    } else if config.labels.contains_key(FLATPAK_REF) {
        "flatpak"
    } else if matches!(artifact_type, MediaType::OCI_CONFIG | MediaType::DOCKER_CONFIG | "") {
        "image"
    } else {
        "artifact"
    }
}

fn blob_rows(id: Uuid, manifest: &Manifest) -> Vec<manifest_blob::ActiveModel> {
    let config = manifest.config.as_ref().map(|config| &config.digest);
    (manifest.blobs().into_iter().zip(0..))
        .map(|(descriptor, position)| manifest_blob::ActiveModel {
            manifest_id: Set(id),
            position: Set(position),
            digest: Set(descriptor.digest.to_string()),
            is_config: Set(Some(&descriptor.digest) == config),
        })
        .collect()
}

fn child_rows(id: Uuid, manifest: &Manifest) -> Vec<manifest_child::ActiveModel> {
    (manifest.manifests.iter().zip(0..))
        .map(|(descriptor, position)| manifest_child::ActiveModel {
            manifest_id: Set(id),
            position: Set(position),
            digest: Set(descriptor.digest.to_string()),
        })
        .collect()
}

/// For tables whose rows are looked up by id.
pub(crate) fn column<E: EntityTrait, C: ColumnTrait>(table: E, column: C) -> Expr {
    Expr::col((table, column))
}
