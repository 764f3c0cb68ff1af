//! Pulls a repository back over HTTP, as a client would, and verifies every digest against what was put in.

use std::collections::{BTreeMap, BTreeSet};

use registry::sync_plan::TagMap;
use registry::{Clock, Descriptor, Digest, DigestHasher, Manifest, Reference, RepositoryName};
use upstream::{Client, UpstreamConfig, UpstreamError};
use url::Url;

use super::images::GeneratedRepository;
use crate::Error;

/// What was pulled, every digest of it verified.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Pulled {
    /// How many manifests.
    pub manifests: usize,
    /// How many blobs.
    pub blobs: usize,
    /// How many bytes of both.
    pub bytes: u64,
}

/// Pulls everything of `repository` from the registry at `url`: every tag, every manifest, every blob.
pub async fn pull_back(url: &Url, repository: &GeneratedRepository) -> Result<Pulled, Error> {
    let config = UpstreamConfig::new(url.clone(), repository.name.clone());
    let failed = failure(&repository.name);
    let client = Client::new(config, Clock::system()).map_err(&failed)?;
    let mut pull = Pull { client, name: &repository.name, pulled: Pulled::default() };
    let tags = pull.tags(&repository.tags).await?;
    let mut manifests = BTreeSet::new();
    let mut blobs: BTreeMap<Digest, u64> = BTreeMap::new();
    let mut wanted: Vec<_> = tags.into_values().collect();
    while let Some(digest) = wanted.pop() {
        if !manifests.insert(digest.clone()) {
            continue;
        }
        let manifest = pull.manifest(&digest).await?;
        wanted.extend(manifest.manifests.iter().map(|child| child.digest.clone()));
        blobs.extend(
            manifest.blobs().into_iter().map(|Descriptor { digest, size, .. }| (digest.clone(), *size)),
        );
    }
    for (digest, size_bytes) in &blobs {
        pull.blob(digest, *size_bytes).await?;
    }
    let missing_manifest =
        repository.manifests.iter().map(|put| &put.digest).find(|put| !manifests.contains(put));
    let missing_blob = repository.blobs.keys().find(|put| !blobs.contains_key(put));
    if let Some(digest) = missing_manifest.or(missing_blob) {
        return Err(Error::Lacking { name: repository.name.clone(), what: digest.to_string() });
    }
    pull.pulled.manifests = manifests.len();
    pull.pulled.blobs = blobs.len();
    Ok(pull.pulled)
}

struct Pull<'a> {
    client: Client,
    name: &'a RepositoryName,
    pulled: Pulled,
}

impl Pull<'_> {
    /// The tags that are served must be those that were put in, and name the same manifests.
    async fn tags(&mut self, expected: &TagMap) -> Result<TagMap, Error> {
        let listed = self.client.list_tags().await.map_err(failure(self.name))?;
        if let Some(tag) = expected.keys().find(|tag| !listed.contains(tag)) {
            return Err(Error::Lacking { name: self.name.clone(), what: format!("the tag {tag}") });
        }
        let mut tags = TagMap::new();
        for (tag, digest) in expected {
            let fetched = self.client.get_manifest(&Reference::Tag(tag.clone())).await;
            let actual = Digest::sha256_of(&fetched.map_err(failure(self.name))?.bytes);
            self.must_match(&format!("the tag {tag}"), digest, &actual)?;
            tags.insert(tag.clone(), actual);
        }
        Ok(tags)
    }

    async fn manifest(&mut self, digest: &Digest) -> Result<Manifest, Error> {
        let fetched = self.client.get_manifest(&Reference::Digest(digest.clone())).await;
        let fetched = fetched.map_err(failure(self.name))?;
        self.must_match("a manifest", digest, &Digest::of(digest.algorithm(), &fetched.bytes))?;
        self.pulled.bytes += fetched.bytes.len() as u64;
        let unreadable =
            || Error::Lacking { name: self.name.clone(), what: format!("a readable manifest {digest}") };
        Manifest::parse(&fetched.bytes, Some(&fetched.media_type)).map_err(|_| unreadable())
    }

    async fn blob(&mut self, digest: &Digest, size_bytes: u64) -> Result<(), Error> {
        let opened = self.client.open_blob(digest, 0, Some(size_bytes)).await;
        let mut reader = opened.map_err(failure(self.name))?;
        let mut hasher = DigestHasher::new(digest.algorithm());
        while let Some(piece) = reader.chunk().await.map_err(failure(self.name))? {
            hasher.update(&piece);
            self.pulled.bytes += piece.len() as u64;
        }
        self.must_match("a blob", digest, &hasher.finish())
    }

    fn must_match(&self, what: &str, expected: &Digest, actual: &Digest) -> Result<(), Error> {
        if expected == actual {
            return Ok(());
        }
        Err(Error::Mismatch {
            name: self.name.clone(),
            what: what.to_owned(),
            expected: expected.clone(),
            actual: actual.clone(),
        })
    }
}

fn failure(name: &RepositoryName) -> impl Fn(UpstreamError) -> Error {
    let name = name.clone();
    move |source| Error::PullBack { name: name.clone(), source }
}
