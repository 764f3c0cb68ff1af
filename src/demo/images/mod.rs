//! Generated images: the same bytes for the same seed, and valid enough for any client to pull.

mod build;
mod layout;
mod random;

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use registry::sync_plan::TagMap;
use registry::{Digest, MediaType, RepositoryName, Tag};

pub use build::{Flavour, Layer, RepositoryBuilder};
pub use layout::write_oci_layout;

const PLATFORMS: [&str; 2] = ["amd64", "arm64"];
const KIB: usize = 1024;

/// A repository that exists in memory only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedRepository {
    /// Its name.
    pub name: RepositoryName,
    /// Its tags, and the manifests that they name.
    pub tags: TagMap,
    /// Its manifests, children before their indexes.
    pub manifests: Vec<GeneratedManifest>,
    /// Its configurations and layers.
    pub blobs: BTreeMap<Digest, Bytes>,
}

/// A manifest that exists in memory only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its type.
    pub media_type: MediaType,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Default for GeneratedRepository {
    fn default() -> Self {
        Self {
            name: "generated".parse().expect("it is a repository name"),
            tags: TagMap::new(),
            manifests: Vec::new(),
            blobs: BTreeMap::new(),
        }
    }
}

impl GeneratedRepository {
    /// The manifest with this digest.
    pub fn find_manifest(&self, digest: &Digest) -> Option<&GeneratedManifest> {
        self.manifests.iter().find(|manifest| manifest.digest == *digest)
    }

    /// The size of all blobs together.
    pub fn blob_bytes(&self) -> u64 {
        self.blobs.values().map(|blob| blob.len() as u64).sum()
    }
}

/// The demo's repositories.
///
/// `demo/harbour` has three versions for two platforms, as OCI indexes, and an artifact that refers to the last one;
/// `demo/lighthouse` has one as a Docker manifest list, and shares layers with the other.
pub fn demo_repositories(seed: u64) -> io::Result<Vec<GeneratedRepository>> {
    let seeds = |purpose: u64| seed.wrapping_mul(1_000_003).wrapping_add(purpose);
    let shared = Layer::random("usr/share/charts.bin", seeds(1), 512 * KIB)?;
    let bases = [
        Layer::random("usr/lib/base.bin", seeds(2), KIB * KIB)?,
        Layer::random("usr/lib/base.bin", seeds(3), KIB * KIB)?,
    ];
    let layers = |platform: usize, purpose: u64, version: &str| {
        let release = format!("NAME=\"Entrepot demo\"\nVERSION_ID={version}\n");
        let own = Layer::new(&[
            ("etc/os-release", release.as_bytes()),
            ("opt/application.bin", &random::Random::new(seeds(purpose)).bytes(192 * KIB)),
        ])?;
        Ok::<_, io::Error>([bases[platform].clone(), shared.clone(), own])
    };

    let mut harbour = RepositoryBuilder::new(name("demo/harbour"));
    for (purpose, version) in (10..).step_by(10).zip(["1.0", "1.1", "2.0"]) {
        let mut images = Vec::new();
        for (platform, architecture) in PLATFORMS.iter().enumerate() {
            let layers = layers(platform, purpose + platform as u64, version)?;
            images.push((*architecture, harbour.image(Flavour::Oci, architecture, &layers)));
        }
        let index = harbour.index(Flavour::Oci, &images);
        harbour.tag(tag(version), index.clone());
        if version == "2.0" {
            let bill = br#"{"spdxVersion":"SPDX-2.3","name":"demo/harbour","packages":[]}"#;
            let sbom = harbour.artifact("application/spdx+json", Bytes::from_static(bill), &index);
            harbour.tag(tag("2.0-sbom"), sbom);
            harbour.tag(tag("latest"), index);
        }
    }

    let mut lighthouse = RepositoryBuilder::new(name("demo/lighthouse"));
    let mut images = Vec::new();
    for (platform, architecture) in PLATFORMS.iter().enumerate() {
        let layers = layers(platform, 100 + platform as u64, "7")?;
        images.push((*architecture, lighthouse.image(Flavour::Docker, architecture, &layers)));
    }
    let list = lighthouse.index(Flavour::Docker, &images);
    lighthouse.tag(tag("7"), list.clone());
    lighthouse.tag(tag("latest"), list);
    Ok(vec![harbour.finish(), lighthouse.finish()])
}

fn name(name: &str) -> RepositoryName {
    name.parse().expect("the demo's names are well-formed")
}

fn tag(tag: &str) -> Tag {
    tag.parse().expect("the demo's tags are well-formed")
}

#[cfg(test)]
mod tests {
    use registry::{Manifest, ManifestKind};

    use super::*;

    #[test]
    fn equal_seeds_give_equal_images() {
        let first = demo_repositories(7).unwrap();
        assert_eq!(first, demo_repositories(7).unwrap());
        let other = demo_repositories(8).unwrap();
        assert!(first[0].tags.values().all(|digest| other[0].find_manifest(digest).is_none()));
    }

    #[test]
    fn images_are_whole_and_share_layers() {
        let repositories = demo_repositories(7).unwrap();
        for repository in &repositories {
            for manifest in &repository.manifests {
                assert!(manifest.digest.matches(&manifest.bytes));
                let parsed = Manifest::parse(&manifest.bytes, Some(&manifest.media_type)).unwrap();
                for blob in parsed.blobs() {
                    assert_eq!(repository.blobs[&blob.digest].len() as u64, blob.size);
                }
                for child in &parsed.manifests {
                    let found = repository.find_manifest(&child.digest).unwrap();
                    assert_eq!(
                        (found.bytes.len() as u64, &found.media_type),
                        (child.size, &child.media_type)
                    );
                }
                if parsed.kind == ManifestKind::Index {
                    assert_eq!(parsed.manifests.len(), 2);
                }
            }
            assert!(repository.blobs.iter().all(|(digest, bytes)| digest.matches(bytes)));
        }
        let shared = repositories[0].blobs.keys().filter(|digest| repositories[1].blobs.contains_key(digest));
        assert_eq!(shared.count(), 3);
    }

    #[test]
    fn a_layer_unpacks_to_its_diff_id() {
        let layer = Layer::new(&[("etc/motd", b"hello")]).unwrap();
        let mut plain = Vec::new();
        io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&layer.bytes[..]), &mut plain).unwrap();
        assert!(layer.diff_id.matches(&plain) && layer.digest.matches(&layer.bytes));
        let mut archive = tar::Archive::new(&plain[..]);
        let paths: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
        assert_eq!(paths, [std::path::Path::new("etc/motd")]);
    }

    #[test]
    fn a_layout_has_every_tag_and_blob() {
        let folder = tempfile::tempdir().unwrap();
        let repository = demo_repositories(7).unwrap().remove(0);
        write_oci_layout(folder.path(), &repository).unwrap();
        let index = std::fs::read(folder.path().join("index.json")).unwrap();
        let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), repository.tags.len());
        let blobs = std::fs::read_dir(folder.path().join("blobs/sha256")).unwrap().count();
        assert_eq!(blobs, repository.blobs.len() + repository.manifests.len());
    }
}
