//! Fills a registry with generated repositories, past HTTP: as if they had been pushed.

use registry::manifest::ImageConfig;
use registry::{Digest, Manifest};
use storage::{
    BlobStore, Catalog, Labels, NewDistribution, NewManifest, NewRepository, NewVersion, StorageError,
};
use uuid::Uuid;

use super::images::GeneratedRepository;

/// Puts `repository` into an empty place of the same name, and serves it.
pub async fn seed(
    catalog: &Catalog,
    blobs: &BlobStore,
    repository: &GeneratedRepository,
) -> Result<(), StorageError> {
    let mut sizes = Vec::new();
    for (digest, bytes) in &repository.blobs {
        let mut staged = blobs.stage(digest).await?;
        staged.write(bytes.clone()).await?;
        sizes.push((digest.clone(), staged.finish(Some(bytes.len() as u64)).await?));
    }
    catalog.record_blobs(blobs, sizes).await?;
    catalog.record_manifests(manifests(repository)?).await?;
    let tx = catalog.begin().await?;
    let name = repository.name.to_string();
    let made = tx.create_repository(NewRepository { name: name.clone(), ..NewRepository::default() }).await?;
    tx.publish_version(NewVersion {
        repository: made.id,
        base: 0,
        tags_set: repository.tags.clone(),
        manifests: repository.tags.values().cloned().collect(),
        ..NewVersion::default()
    })
    .await?;
    let distribution = NewDistribution {
        name: name.clone(),
        base_path: name,
        labels: Labels::new(),
        repository: Some(made.id),
        version: None,
        private: false,
        description: None,
        hidden: false,
    };
    tx.create_distribution(Uuid::now_v7(), distribution).await?;
    tx.commit().await
}

fn manifests(repository: &GeneratedRepository) -> Result<Vec<NewManifest>, StorageError> {
    let config = |digest: &Digest| repository.blobs.get(digest).map(|bytes| ImageConfig::parse(bytes));
    let read = |generated: &super::images::GeneratedManifest| {
        let manifest = Manifest::parse(&generated.bytes, Some(&generated.media_type)).map_err(|source| {
            StorageError::Corrupt { what: "generated manifest", source: Box::new(source) }
        })?;
        Ok(NewManifest {
            digest: generated.digest.clone(),
            media_type: generated.media_type.clone(),
            bytes: generated.bytes.clone(),
            config: manifest.config.as_ref().and_then(|part| config(&part.digest)).unwrap_or_default(),
            manifest,
        })
    };
    repository.manifests.iter().map(read).collect()
}
