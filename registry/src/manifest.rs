//! Manifests: what the bytes say about their parts (OCI image-spec 1.1; Docker image manifest v2, schemas 1 and 2).
//!
//! A manifest is kept and served as the bytes that were received. Parsing only finds out what else has to
//! be kept with it, and what people want to know of it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Descriptor, MAX_MANIFEST_BYTES, ManifestError, MediaType, Platform};

/// More parts than this make no image: Docker's own limit is 127 layers.
const MAX_PARTS: usize = 10_000;

/// The shapes a manifest can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// One image or artifact: OCI image manifest or Docker schema 2.
    Image,
    /// A list of manifests: OCI index or Docker manifest list.
    Index,
    /// Docker schema 1, kept as received.
    Schema1,
}

/// What a manifest's bytes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its shape.
    pub kind: ManifestKind,
    /// The type it has to be served with.
    pub media_type: MediaType,
    /// `schemaVersion`: 2, or 1 for schema 1.
    pub schema_version: i32,
    /// Children of an index, in order.
    pub manifests: Vec<Descriptor>,
    /// The configuration of an image; `None` for an index and schema 1.
    pub config: Option<Descriptor>,
    /// The layers of an image, in order. For schema 1 their sizes are unknown and given as 0.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one refers to.
    pub subject: Option<Descriptor>,
    /// `artifactType`, or the configuration's media type where that is missing.
    pub artifact_type: Option<MediaType>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
}

/// The union of all shapes. Unknown fields are ignored: the bytes are kept anyway.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<i32>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    manifests: Option<Vec<RawDescriptor>>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
    subject: Option<RawDescriptor>,
    annotations: Option<BTreeMap<String, String>>,
    fs_layers: Option<Vec<FsLayer>>,
}

/// A descriptor before its values are checked, so that errors can say what is wrong.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: Option<String>,
    digest: String,
    size: i64,
    urls: Option<Vec<String>>,
    annotations: Option<BTreeMap<String, String>>,
    platform: Option<Platform>,
    artifact_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FsLayer {
    blob_sum: String,
}

impl RawDescriptor {
    fn check(self) -> Result<Descriptor, ManifestError> {
        let size = u64::try_from(self.size).map_err(|_| ManifestError::NegativeSize(self.size))?;
        Ok(Descriptor {
            media_type: self
                .media_type
                .as_deref()
                .filter(|text| !text.is_empty())
                .unwrap_or("application/octet-stream")
                .parse()?,
            digest: self.digest.parse()?,
            size,
            urls: self.urls.unwrap_or_default(),
            annotations: self.annotations.unwrap_or_default(),
            platform: self.platform,
            artifact_type: optional_type(self.artifact_type)?,
        })
    }
}

fn optional_type(text: Option<String>) -> Result<Option<MediaType>, ManifestError> {
    Ok(text.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose()?)
}

fn check_all(raw: Vec<RawDescriptor>) -> Result<Vec<Descriptor>, ManifestError> {
    if raw.len() > MAX_PARTS {
        return Err(ManifestError::TooManyParts(MAX_PARTS));
    }
    raw.into_iter().map(RawDescriptor::check).collect()
}

impl Manifest {
    /// Reads a manifest that came with `content_type`, if it came with any that means something
    /// (some registries send `application/json` or `text/plain`; then the document itself decides).
    pub fn parse(bytes: &[u8], content_type: Option<&MediaType>) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge { size_bytes: bytes.len(), limit_bytes: MAX_MANIFEST_BYTES });
        }
        let document: Document = serde_json::from_slice(bytes)?;
        if document.manifests.is_some() && document.layers.is_some() {
            // CVE-2021-41190: the same bytes must not be an image to one client and an index to another.
            return Err(ManifestError::Ambiguous);
        }
        let outside = content_type.filter(|media_type| kind_of(media_type.as_str()).is_some());
        let inside = document.media_type.as_deref().filter(|text| !text.is_empty());
        if let (Some(inside), Some(outside)) = (inside, outside)
            && inside != outside.as_str()
        {
            return Err(ManifestError::MediaTypeMismatch {
                inside: inside.to_owned(),
                outside: outside.to_string(),
            });
        }
        let media_type = match (outside, inside) {
            (Some(outside), _) => outside.clone(),
            (None, Some(inside)) => inside.parse()?,
            (None, None) => document.implied_type(content_type)?.parse()?,
        };
        let kind =
            kind_of(media_type.as_str()).ok_or_else(|| ManifestError::UnknownKind(media_type.to_string()))?;
        document.into_manifest(kind, media_type)
    }

    /// The configuration and the layers: every blob that an image needs, each digest once, foreign layers left out.
    pub fn blobs(&self) -> Vec<&Descriptor> {
        let mut seen = std::collections::HashSet::new();
        (self.config.iter().chain(&self.layers))
            .filter(|descriptor| !descriptor.is_foreign() && seen.insert(&descriptor.digest))
            .collect()
    }

    /// Layers that stay where they are (see [`Descriptor::is_foreign`]).
    pub fn foreign_layers(&self) -> impl Iterator<Item = &Descriptor> {
        self.layers.iter().filter(|layer| layer.is_foreign())
    }

    /// The compressed size of all layers, in bytes; 0 for an index and for schema 1.
    pub fn layers_size_bytes(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size))
    }
}

fn kind_of(media_type: &str) -> Option<ManifestKind> {
    match media_type {
        MediaType::OCI_MANIFEST | MediaType::DOCKER_MANIFEST => Some(ManifestKind::Image),
        MediaType::OCI_INDEX | MediaType::DOCKER_MANIFEST_LIST => Some(ManifestKind::Index),
        MediaType::DOCKER_SCHEMA1 | MediaType::DOCKER_SCHEMA1_SIGNED => Some(ManifestKind::Schema1),
        _ => None,
    }
}

impl Document {
    /// OCI made `mediaType` optional: the fields that are there tell the kind.
    fn implied_type(&self, content_type: Option<&MediaType>) -> Result<&'static str, ManifestError> {
        if self.manifests.is_some() {
            Ok(MediaType::OCI_INDEX)
        } else if self.layers.is_some() && self.config.is_some() {
            Ok(MediaType::OCI_MANIFEST)
        } else if self.schema_version == Some(1) && self.fs_layers.is_some() {
            Ok(MediaType::DOCKER_SCHEMA1_SIGNED)
        } else {
            Err(ManifestError::UnknownKind(content_type.map(MediaType::to_string).unwrap_or_default()))
        }
    }

    fn into_manifest(self, kind: ManifestKind, media_type: MediaType) -> Result<Manifest, ManifestError> {
        let missing = |field| ManifestError::Json(serde::de::Error::missing_field(field));
        let (manifests, config, layers) = match kind {
            ManifestKind::Index => {
                (check_all(self.manifests.ok_or_else(|| missing("manifests"))?)?, None, Vec::new())
            }
            ManifestKind::Image => {
                let config = self.config.ok_or_else(|| missing("config"))?.check()?;
                (Vec::new(), Some(config), check_all(self.layers.ok_or_else(|| missing("layers"))?)?)
            }
            ManifestKind::Schema1 => {
                let layers = self.fs_layers.ok_or_else(|| missing("fsLayers"))?;
                if layers.len() > MAX_PARTS {
                    return Err(ManifestError::TooManyParts(MAX_PARTS));
                }
                (Vec::new(), None, layers.into_iter().map(FsLayer::check).collect::<Result<_, _>>()?)
            }
        };
        let artifact_type = optional_type(self.artifact_type)?
            .or_else(|| config.as_ref().map(|config: &Descriptor| config.media_type.clone()));
        Ok(Manifest {
            kind,
            media_type,
            schema_version: if kind == ManifestKind::Schema1 { 1 } else { 2 },
            manifests,
            config,
            layers,
            subject: self.subject.map(RawDescriptor::check).transpose()?,
            artifact_type,
            annotations: self.annotations.unwrap_or_default(),
        })
    }
}

impl FsLayer {
    fn check(self) -> Result<Descriptor, ManifestError> {
        Ok(Descriptor {
            media_type: "application/octet-stream".parse()?,
            digest: self.blob_sum.parse()?,
            size: 0,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: None,
        })
    }
}

/// What an image's configuration tells about it (OCI image-spec 1.1, "Image Configuration").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// `architecture`
    pub architecture: Option<String>,
    /// `os`
    pub os: Option<String>,
    /// `config.Labels`
    pub labels: BTreeMap<String, String>,
}

impl ImageConfig {
    /// The largest configuration that is looked into, in bytes.
    pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

    /// Reads a configuration. Artifacts put anything here, so what can't be read is empty, not an error.
    pub fn parse(bytes: &[u8]) -> Self {
        #[derive(Deserialize, Default)]
        struct Inner {
            #[serde(rename = "Labels", default)]
            labels: Option<BTreeMap<String, Option<String>>>,
        }
        #[derive(Deserialize)]
        struct Outer {
            architecture: Option<String>,
            os: Option<String>,
            #[serde(default)]
            config: Option<Inner>,
        }
        serde_json::from_slice::<Outer>(bytes).map_or_else(
            |_| Self::default(),
            |outer| Self {
                architecture: outer.architecture,
                os: outer.os,
                labels: (outer.config.and_then(|inner| inner.labels).unwrap_or_default().into_iter())
                    .map(|(key, value)| (key, value.unwrap_or_default()))
                    .collect(),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;
    use serde_json::json;

    fn digest(text: &str) -> String {
        Digest::sha256_of(text.as_bytes()).to_string()
    }

    fn parse(document: &serde_json::Value, content_type: Option<&str>) -> Result<Manifest, ManifestError> {
        let content_type = content_type.map(|text| text.parse().unwrap());
        Manifest::parse(&serde_json::to_vec(document).unwrap(), content_type.as_ref())
    }

    fn image() -> serde_json::Value {
        json!({
            "schemaVersion": 2,
            "config": {"mediaType": MediaType::OCI_CONFIG, "digest": digest("c"), "size": 1},
            "layers": [
                {"mediaType": MediaType::OCI_LAYER_GZIP, "digest": digest("l"), "size": 10},
                {"mediaType": MediaType::OCI_LAYER_GZIP, "digest": digest("l"), "size": 10},
                {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": digest("f"),
                 "size": 7, "urls": ["https://elsewhere.example/f"]},
            ],
        })
    }

    #[test]
    fn an_image_names_each_blob_once_and_leaves_foreign_layers() {
        let manifest = parse(&image(), Some(MediaType::OCI_MANIFEST)).unwrap();
        let blobs: Vec<_> = manifest.blobs().iter().map(|blob| blob.digest.to_string()).collect();
        assert_eq!(blobs, [digest("c"), digest("l")]);
        assert_eq!(manifest.foreign_layers().count(), 1);
        assert_eq!(manifest.layers_size_bytes(), 27);
        assert_eq!(manifest.artifact_type.unwrap().as_str(), MediaType::OCI_CONFIG);
    }

    #[test]
    fn a_vague_content_type_lets_the_document_decide() {
        for vague in [None, Some("application/json"), Some("text/plain; charset=utf-8")] {
            assert_eq!(parse(&image(), vague).unwrap().media_type.as_str(), MediaType::OCI_MANIFEST);
        }
        let mut typed = image();
        typed["mediaType"] = MediaType::DOCKER_MANIFEST.into();
        assert_eq!(parse(&typed, None).unwrap().media_type.as_str(), MediaType::DOCKER_MANIFEST);
        assert!(matches!(
            parse(&typed, Some(MediaType::OCI_MANIFEST)),
            Err(ManifestError::MediaTypeMismatch { .. })
        ));
    }

    #[test]
    fn indexes_and_schema_1_are_read() {
        let index = json!({"schemaVersion": 2, "manifests": [
            {"mediaType": MediaType::OCI_MANIFEST, "digest": digest("m"), "size": 3,
             "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}}]});
        let parsed = parse(&index, Some(MediaType::OCI_INDEX)).unwrap();
        assert_eq!(parsed.kind, ManifestKind::Index);
        assert_eq!(parsed.manifests[0].platform.as_ref().unwrap().to_string(), "linux/arm/v7");

        let schema1 =
            json!({"schemaVersion": 1, "fsLayers": [{"blobSum": digest("a")}, {"blobSum": digest("a")}]});
        let parsed = parse(&schema1, Some(MediaType::DOCKER_SCHEMA1_SIGNED)).unwrap();
        assert_eq!((parsed.kind, parsed.schema_version), (ManifestKind::Schema1, 1));
        assert_eq!(parsed.blobs().len(), 1);
    }

    #[test]
    fn hostile_documents_end_in_typed_errors() {
        let mut both = image();
        both["manifests"] = json!([]);
        assert!(matches!(parse(&both, None), Err(ManifestError::Ambiguous)));
        let mut negative = image();
        negative["layers"][0]["size"] = json!(-1);
        assert!(matches!(parse(&negative, None), Err(ManifestError::NegativeSize(-1))));
        let mut escape = image();
        escape["config"]["digest"] = json!("sha256:../../etc/passwd");
        assert!(matches!(parse(&escape, None), Err(ManifestError::Value(_))));
        assert!(matches!(parse(&json!({"schemaVersion": 2}), None), Err(ManifestError::UnknownKind(_))));
        assert!(matches!(parse(&json!([]), None), Err(ManifestError::Json(_))));
        let deep = format!("{{\"annotations\":{}", "[".repeat(100_000));
        assert!(matches!(Manifest::parse(deep.as_bytes(), None), Err(ManifestError::Json(_))));
        let large = vec![b' '; MAX_MANIFEST_BYTES + 1];
        assert!(matches!(Manifest::parse(&large, None), Err(ManifestError::TooLarge { .. })));
    }

    #[test]
    fn configurations_are_read_leniently() {
        let config = ImageConfig::parse(
            br#"{"architecture":"arm64","os":"linux","config":{"Labels":{"a":"b","n":null},"Cmd":["x"]}}"#,
        );
        assert_eq!(config.architecture.as_deref(), Some("arm64"));
        assert_eq!(config.labels["a"], "b");
        assert_eq!(ImageConfig::parse(b"not json"), ImageConfig::default());
    }
}
