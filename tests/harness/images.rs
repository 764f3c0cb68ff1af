//! Images to mirror: the demo's, which are the same for the same seed, as an OCI layout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ::registry::{Digest, Manifest};
use entrepot::demo::images::{Flavour, GeneratedRepository, Layer, RepositoryBuilder, write_oci_layout};

use super::docker_registry::DockerRegistry;
use super::skopeo::Skopeo;

/// Generated images in a layout.
pub struct Images {
    /// What they are.
    pub repository: GeneratedRepository,
    layout: tempfile::TempDir,
}

/// `ml` names an index of two platforms with a layer in common, `single` and `other` an image each.
pub fn some_images(seed: u64) -> Images {
    let mut images = RepositoryBuilder::new("pulp/test-fixture-1".parse().unwrap());
    let layer = |number: u64, size| Layer::random("content", seed * 100 + number, size).unwrap();
    let shared = layer(0, 100_000);
    let amd64 = images.image(Flavour::Oci, "amd64", &[shared.clone(), layer(1, 300_000)]);
    let arm64 = images.image(Flavour::Oci, "arm64", &[shared.clone(), layer(2, 5_000)]);
    let index = images.index(Flavour::Oci, &[("amd64", amd64.clone()), ("arm64", arm64)]);
    let other = images.image(Flavour::Oci, "amd64", &[shared, layer(3, 1_000), layer(4, 1_000)]);
    images.tag("ml".parse().unwrap(), index);
    images.tag("single".parse().unwrap(), amd64);
    images.tag("other".parse().unwrap(), other);
    Images::of(images.finish())
}

impl Images {
    /// These.
    pub fn of(repository: GeneratedRepository) -> Self {
        let layout = tempfile::tempdir().unwrap();
        write_oci_layout(layout.path(), &repository).unwrap();
        Self { repository, layout }
    }

    /// Where the layout is.
    pub fn layout(&self) -> &Path {
        self.layout.path()
    }

    /// Copies every tag to a registry.
    pub fn push_all(&self, registry: &DockerRegistry, name: &str) {
        let skopeo = Skopeo::new();
        for tag in self.repository.tags.keys() {
            skopeo.push(self.layout.path(), tag.as_str(), registry.host(), name);
        }
    }

    /// Copies one tag to a registry.
    pub fn push(&self, tag: &str, registry: &DockerRegistry, name: &str) {
        Skopeo::new().push(self.layout.path(), tag, registry.host(), name);
    }

    /// Tag → digest.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let tags = &self.repository.tags;
        tags.iter().map(|(tag, digest)| (tag.to_string(), digest.to_string())).collect()
    }

    /// The digest of a tag.
    pub fn digest(&self, tag: &str) -> String {
        self.tags()[tag].clone()
    }

    /// The bytes of the manifest that a tag names.
    pub fn manifest_bytes(&self, tag: &str) -> &[u8] {
        let digest: Digest = self.digest(tag).parse().unwrap();
        &self.repository.find_manifest(&digest).unwrap().bytes
    }

    /// Everything that a tag reaches: digest → size.
    pub fn reached_by(&self, tag: &str) -> BTreeMap<String, u64> {
        let mut reached = BTreeMap::new();
        let mut open: BTreeSet<Digest> = [self.digest(tag).parse().unwrap()].into();
        while let Some(digest) = open.pop_first() {
            let found = self.repository.find_manifest(&digest).unwrap();
            reached.insert(digest.to_string(), found.bytes.len() as u64);
            let manifest = Manifest::parse(&found.bytes, Some(&found.media_type)).unwrap();
            reached.extend(manifest.blobs().into_iter().map(|blob| (blob.digest.to_string(), blob.size)));
            open.extend(manifest.manifests.iter().map(|child| child.digest.clone()));
        }
        reached
    }
}
