//! Platforms (OCI image-spec 1.1, "Image Index", field `platform`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Processor architecture in Go's words: `amd64`, `arm64`…
    #[serde(default)]
    pub architecture: String,
    /// Operating system in Go's words: `linux`, `windows`…
    #[serde(default)]
    pub os: String,
    /// Variant of the architecture: `v7`, `v8`…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Version of the operating system, given for Windows.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
}

/// `os/architecture[/variant]`
impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}
