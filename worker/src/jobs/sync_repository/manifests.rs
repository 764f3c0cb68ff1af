//! Manifests: what is known of them, what they lead to.

use std::fmt::Display;

use bytes::Bytes;
use registry::{Descriptor, Digest, Manifest, ManifestKind, MediaType, Reference};
use storage::{NewManifest, OrphanKind};
use upstream::FetchedManifest;

use super::source::Head;
use super::walk::{Ask, Walk, WantedBlob};
use crate::JobError;

/// How many levels of indexes are followed. Real ones have one.
const DEPTH_LIMIT: usize = 8;

impl Walk {
    pub(super) fn take_head(&mut self, reference: Reference, head: Head) {
        match (reference, head) {
            (Reference::Tag(tag), Head::Missing) => self.tag_is_missing(tag),
            (Reference::Tag(tag), Head::Is(digest)) => self.tag_names(tag, digest, 0),
            (Reference::Digest(_), Head::Is(_) | Head::Untold) => {}
            // Asking again by GET tells the digest, or gives the error that says what is missing.
            (reference, Head::Untold | Head::Missing) => self.asks.push_front(Ask::Get(reference, 0)),
        }
    }

    pub(super) fn take_fetched(
        &mut self,
        reference: &Reference,
        depth: usize,
        fetched: Option<FetchedManifest>,
    ) -> Result<(), JobError> {
        let is_wanted = match (reference, &fetched) {
            (Reference::Tag(tag), None) => {
                self.tag_is_missing(tag.clone());
                return Ok(());
            }
            (Reference::Tag(tag), Some(fetched)) => {
                self.found.tags.insert(tag.clone(), fetched.digest.clone());
                self.source.progress.tag_known();
                !self.whole.contains(&fetched.digest) && self.manifests.insert(fetched.digest.clone())
            }
            (Reference::Digest(digest), None) => {
                self.leave_out(digest, &"the upstream does not have it");
                return Ok(());
            }
            (Reference::Digest(_), Some(_)) => true,
        };
        match fetched {
            Some(FetchedManifest { digest, media_type, bytes }) if is_wanted => {
                let manifest = match self.look_into(reference, &media_type, &bytes, depth) {
                    Err(JobError::Manifest { source, .. }) if self.found.referrers.contains(&digest) => {
                        self.leave_out(&digest, &source);
                        return Ok(());
                    }
                    looked => looked?,
                };
                self.keep(NewManifest {
                    digest,
                    media_type: manifest.media_type.clone(),
                    bytes,
                    manifest,
                    config: registry::manifest::ImageConfig::default(),
                });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn tag_is_missing(&mut self, tag: registry::Tag) {
        self.source.progress.tag_skipped(tag.clone());
        self.found.missing.push(tag);
    }

    fn tag_names(&mut self, tag: registry::Tag, digest: Digest, depth: usize) {
        self.source.progress.tag_known();
        self.want_manifest(&digest, depth);
        self.found.tags.insert(tag, digest);
    }

    pub(super) fn want_manifest(&mut self, digest: &Digest, depth: usize) {
        if !self.whole.contains(digest) && self.manifests.insert(digest.clone()) {
            self.unknown_manifests.push((digest.clone(), depth));
        }
    }

    /// Asks the catalog about all manifests that were met since the last time, and looks into those that it has:
    /// their parts may be missing still, if a sync was interrupted.
    pub(super) async fn look_up_manifests(&mut self) -> Result<(), JobError> {
        while !self.unknown_manifests.is_empty() {
            let unknown = std::mem::take(&mut self.unknown_manifests);
            let digests: Vec<_> = unknown.iter().map(|(digest, _)| digest.clone()).collect();
            self.source.catalog.touch_orphans(OrphanKind::Manifest, &digests).await?;
            let mut known = self.source.catalog.find_manifests(&digests).await?;
            for (digest, depth) in unknown {
                match known.remove(&digest) {
                    Some(known) => {
                        self.look_into(&digest, &known.media_type, &known.bytes, depth)?;
                    }
                    None => self.asks.push_back(Ask::Get(Reference::Digest(digest), depth)),
                }
            }
        }
        Ok(())
    }

    /// Finds out what a manifest needs. `asked` is how it was asked for, which errors tell.
    fn look_into(
        &mut self,
        asked: &impl Display,
        media_type: &MediaType,
        bytes: &Bytes,
        depth: usize,
    ) -> Result<Manifest, JobError> {
        let manifest = Manifest::parse(bytes, Some(media_type))
            .map_err(|source| JobError::Manifest { url: self.source.manifest_url(asked), source })?;
        if depth >= DEPTH_LIMIT && !manifest.manifests.is_empty() {
            let url = self.source.manifest_url(asked);
            return Err(JobError::TooDeep { url, limit: DEPTH_LIMIT });
        }
        for child in &manifest.manifests {
            self.want_manifest(&child.digest, depth + 1);
        }
        let is_size_known = manifest.kind != ManifestKind::Schema1;
        for blob in manifest.blobs() {
            let size_bytes = is_size_known.then_some(blob.size);
            self.want_blob(WantedBlob { digest: blob.digest.clone(), size_bytes })?;
        }
        manifest.foreign_layers().for_each(|_| self.source.progress.foreign_layer_seen());
        self.source.progress.manifest_read();
        Ok(manifest)
    }

    /// Records a manifest: at once, or when its configuration can be read.
    fn keep(&mut self, new: NewManifest) {
        let config = new.manifest.config.as_ref();
        match config.filter(|config| is_readable(config)).map(|config| config.digest.clone()) {
            None => self.recorder.add_manifest(new),
            Some(config) => match self.configs.wait(&config, new) {
                super::configs::Wait::Ready(new) => self.recorder.add_manifest(*new),
                super::configs::Wait::Read => self.read_config(config),
                super::configs::Wait::Later => {}
            },
        }
    }
}

fn is_readable(config: &Descriptor) -> bool {
    !config.is_foreign() && config.size <= registry::manifest::ImageConfig::MAX_BYTES
}
