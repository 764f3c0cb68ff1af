//! Writes a repository as an OCI image layout (OCI image-spec 1.1, "Image Layout").

use std::io;
use std::path::Path;

use registry::Digest;
use serde_json::json;

use super::GeneratedRepository;

/// Writes `repository` into the folder `dir`, each tag as a reference: `skopeo copy --all oci:DIR:TAG …` reads it.
///
/// Manifests of Docker's types are written too, but skopeo finds none but OCI's in a layout.
pub fn write_oci_layout(dir: &Path, repository: &GeneratedRepository) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    for (digest, bytes) in &repository.blobs {
        write_blob(dir, digest, bytes)?;
    }
    for manifest in &repository.manifests {
        write_blob(dir, &manifest.digest, &manifest.bytes)?;
    }
    let tagged = repository.tags.iter().filter_map(|(tag, digest)| {
        let manifest = repository.find_manifest(digest)?;
        Some(json!({
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": manifest.bytes.len(),
            "annotations": {"org.opencontainers.image.ref.name": tag},
        }))
    });
    let index = json!({"schemaVersion": 2, "manifests": tagged.collect::<Vec<_>>()});
    std::fs::write(dir.join("index.json"), index.to_string())
}

fn write_blob(dir: &Path, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
    let folder = dir.join("blobs").join(digest.algorithm().as_str());
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(digest.hex()), bytes)
}
