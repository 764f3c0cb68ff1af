//! Builds layers, images, indexes and artifacts (OCI image-spec 1.1; Docker image manifest v2, schema 2).

use std::io;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use registry::{Digest, MediaType, RepositoryName, Tag};
use serde_json::{Value, json};

use super::random::Random;
use super::{GeneratedManifest, GeneratedRepository};

/// The date of everything: a fixed one, so that equal seeds give equal digests.
const CREATED: &str = "2026-01-01T00:00:00Z";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// Which of the two families of media types an image uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// OCI image manifests and indexes.
    Oci,
    /// Docker schema 2 manifests and manifest lists.
    Docker,
}

impl Flavour {
    const fn types(self) -> [&'static str; 4] {
        match self {
            Self::Oci => [
                MediaType::OCI_INDEX,
                MediaType::OCI_MANIFEST,
                MediaType::OCI_CONFIG,
                MediaType::OCI_LAYER_GZIP,
            ],
            Self::Docker => [
                MediaType::DOCKER_MANIFEST_LIST,
                MediaType::DOCKER_MANIFEST,
                MediaType::DOCKER_CONFIG,
                DOCKER_LAYER,
            ],
        }
    }
}

/// A layer: a gzip-compressed tar archive.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The archive as it is stored.
    pub bytes: Bytes,
    /// Its digest.
    pub digest: Digest,
    /// The digest of the archive before compression.
    pub diff_id: Digest,
}

impl Layer {
    /// A layer with these files (paths without a leading slash).
    pub fn new(files: &[(&str, &[u8])]) -> io::Result<Self> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            archive.append_data(&mut header, path, *content)?;
        }
        let plain = archive.into_inner()?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        io::Write::write_all(&mut gzip, &plain)?;
        let bytes = Bytes::from(gzip.finish()?);
        Ok(Self { digest: Digest::sha256_of(&bytes), diff_id: Digest::sha256_of(&plain), bytes })
    }

    /// A layer with one file of so many random bytes.
    pub fn random(path: &str, seed: u64, size_bytes: usize) -> io::Result<Self> {
        Self::new(&[(path, &Random::new(seed).bytes(size_bytes))])
    }
}

/// Builds one repository.
#[derive(Debug)]
pub struct RepositoryBuilder(GeneratedRepository);

impl RepositoryBuilder {
    /// An empty repository.
    pub fn new(name: RepositoryName) -> Self {
        Self(GeneratedRepository { name, ..GeneratedRepository::default() })
    }

    /// Adds an image for `linux/<architecture>`.
    pub fn image(&mut self, flavour: Flavour, architecture: &str, layers: &[Layer]) -> Digest {
        let [_, manifest_type, config_type, layer_type] = flavour.types();
        let diff_ids: Vec<_> = layers.iter().map(|layer| &layer.diff_id).collect();
        let history: Vec<_> =
            layers.iter().map(|_| json!({"created": CREATED, "created_by": "entrepot demo"})).collect();
        let config = json!({
            "created": CREATED,
            "architecture": architecture,
            "os": "linux",
            "config": {"Labels": {"org.opencontainers.image.title": self.0.name}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        });
        let config = self.blob(Bytes::from(config.to_string()), config_type);
        let layers: Vec<_> = layers.iter().map(|layer| self.blob(layer.bytes.clone(), layer_type)).collect();
        self.manifest(manifest_type, json!({"config": config, "layers": layers}))
    }

    /// Adds an index of images, each with its architecture.
    pub fn index(&mut self, flavour: Flavour, images: &[(&str, Digest)]) -> Digest {
        let [index_type, manifest_type, ..] = flavour.types();
        let children: Vec<_> = images
            .iter()
            .map(|(architecture, digest)| {
                let mut child = descriptor(manifest_type, digest, self.manifest_size(digest));
                child["platform"] = json!({"architecture": architecture, "os": "linux"});
                child
            })
            .collect();
        self.manifest(index_type, json!({"manifests": children}))
    }

    /// Adds an artifact of one file that refers to another manifest (OCI image-spec 1.1, "Guidelines for Artifact
    /// Usage").
    pub fn artifact(&mut self, artifact_type: &str, content: Bytes, subject: &Digest) -> Digest {
        let subject_type = self
            .0
            .manifests
            .iter()
            .find(|manifest| manifest.digest == *subject)
            .map(|found| &found.media_type);
        let subject_type = subject_type.map_or(MediaType::OCI_MANIFEST, MediaType::as_str).to_owned();
        let subject = descriptor(&subject_type, subject, self.manifest_size(subject));
        let config = self.blob(Bytes::from_static(b"{}"), EMPTY_TYPE);
        let layer = self.blob(content, artifact_type);
        let fields =
            json!({"artifactType": artifact_type, "config": config, "layers": [layer], "subject": subject});
        self.manifest(MediaType::OCI_MANIFEST, fields)
    }

    /// Lets `tag` name a manifest.
    pub fn tag(&mut self, tag: Tag, digest: Digest) {
        self.0.tags.insert(tag, digest);
    }

    /// The repository.
    pub fn finish(self) -> GeneratedRepository {
        self.0
    }

    fn blob(&mut self, bytes: Bytes, media_type: &str) -> Value {
        let digest = Digest::sha256_of(&bytes);
        let descriptor = descriptor(media_type, &digest, bytes.len());
        self.0.blobs.insert(digest, bytes);
        descriptor
    }

    fn manifest(&mut self, media_type: &str, fields: Value) -> Digest {
        let mut document = json!({"schemaVersion": 2, "mediaType": media_type});
        if let (Value::Object(document), Value::Object(fields)) = (&mut document, fields) {
            document.extend(fields);
        }
        let bytes = Bytes::from(document.to_string());
        let digest = Digest::sha256_of(&bytes);
        let media_type = media_type.parse().expect("the media types of this file are well-formed");
        if self.0.manifests.iter().all(|manifest| manifest.digest != digest) {
            self.0.manifests.push(GeneratedManifest { digest: digest.clone(), media_type, bytes });
        }
        digest
    }

    fn manifest_size(&self, digest: &Digest) -> usize {
        let found = self.0.manifests.iter().find(|manifest| manifest.digest == *digest);
        found.map_or(0, |manifest| manifest.bytes.len())
    }
}

fn descriptor(media_type: &str, digest: &Digest, size_bytes: usize) -> Value {
    json!({"mediaType": media_type, "digest": digest, "size": size_bytes})
}
