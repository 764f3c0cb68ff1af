//! Media types of manifests and their parts (OCI image-spec 1.1, "Media Types"; Docker image manifest v2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::NameError;

/// A media type without parameters, in lower case, such as `application/vnd.oci.image.manifest.v1+json`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(Box<str>);

impl MediaType {
    /// OCI image manifest.
    pub const OCI_MANIFEST: &'static str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image index.
    pub const OCI_INDEX: &'static str = "application/vnd.oci.image.index.v1+json";
    /// OCI image configuration.
    pub const OCI_CONFIG: &'static str = "application/vnd.oci.image.config.v1+json";
    /// OCI layer, gzip.
    pub const OCI_LAYER_GZIP: &'static str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// Docker image manifest, version 2, schema 2.
    pub const DOCKER_MANIFEST: &'static str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker manifest list.
    pub const DOCKER_MANIFEST_LIST: &'static str =
        "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker image configuration.
    pub const DOCKER_CONFIG: &'static str = "application/vnd.docker.container.image.v1+json";
    /// Docker manifest, version 2, schema 1, signed.
    pub const DOCKER_SCHEMA1_SIGNED: &'static str =
        "application/vnd.docker.distribution.manifest.v1+prettyjws";
    /// Docker manifest, version 2, schema 1, unsigned.
    pub const DOCKER_SCHEMA1: &'static str = "application/vnd.docker.distribution.manifest.v1+json";

    /// Every manifest type that is understood, newest first: what a mirror sends as `Accept`.
    pub const MANIFESTS: [&'static str; 6] = [
        Self::OCI_INDEX,
        Self::DOCKER_MANIFEST_LIST,
        Self::OCI_MANIFEST,
        Self::DOCKER_MANIFEST,
        Self::DOCKER_SCHEMA1_SIGNED,
        Self::DOCKER_SCHEMA1,
    ];

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether content of this type may legally live elsewhere than in the registry: OCI's
    /// non-distributable layers and Docker's foreign layers, which Windows base images use.
    pub fn is_foreign_layer(&self) -> bool {
        self.0.contains(".nondistributable.") || self.0.contains(".foreign.")
    }
}

impl FromStr for MediaType {
    type Err = NameError;

    /// Reads a Content-Type: parameters are dropped, letters are lowered.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_name = |part: &str| {
            !part.is_empty()
                && part.len() <= 127
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        match essence.split_once('/') {
            Some((kind, subtype)) if is_name(kind) && is_name(subtype) => Ok(Self(essence.into())),
            _ => Err(NameError::MediaType(text.to_owned())),
        }
    }
}

impl TryFrom<String> for MediaType {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.0.into()
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_are_dropped() {
        let parsed: MediaType = "Application/JSON; charset=utf-8".parse().unwrap();
        assert_eq!(parsed.as_str(), "application/json");
        for bad in ["", "json", "a/", "/b", "a/b/c", "a b/c", "a/b\r\nX: y"] {
            assert!(bad.parse::<MediaType>().is_err(), "{bad:?} was accepted");
        }
    }
}
