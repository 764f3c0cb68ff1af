//! Image manifests that wait for their configuration, without which they can't be recorded.

use std::collections::{HashMap, HashSet};

use registry::Digest;
use registry::manifest::ImageConfig;
use storage::NewManifest;

/// Image manifests by the configuration that they wait for.
#[derive(Default)]
pub(super) struct Configs {
    states: HashMap<Digest, State>,
    /// Blobs that are in the store.
    there: HashSet<Digest>,
}

enum State {
    /// Being fetched or read.
    Waiting(Vec<NewManifest>),
    Known(ImageConfig),
}

/// What to do about a manifest.
pub(super) enum Wait {
    /// Record it.
    Ready(Box<NewManifest>),
    /// Read the configuration, which is in the store.
    Read,
    /// Nothing: the configuration is being fetched or read.
    Later,
}

impl Configs {
    /// Takes a manifest that needs `config`.
    pub(super) fn wait(&mut self, config: &Digest, mut manifest: NewManifest) -> Wait {
        match self.states.get_mut(config) {
            Some(State::Known(known)) => {
                manifest.config = known.clone();
                Wait::Ready(Box::new(manifest))
            }
            Some(State::Waiting(manifests)) => {
                manifests.push(manifest);
                Wait::Later
            }
            None => {
                self.states.insert(config.clone(), State::Waiting(vec![manifest]));
                if self.there.contains(config) { Wait::Read } else { Wait::Later }
            }
        }
    }

    /// Notes that a blob is in the store. Gives whether it is a configuration to be read.
    pub(super) fn is_there(&mut self, blob: &Digest) -> bool {
        self.there.insert(blob.clone()) && matches!(self.states.get(blob), Some(State::Waiting(_)))
    }

    /// Takes a configuration that was read; gives the manifests that waited for it.
    pub(super) fn known(&mut self, digest: Digest, config: &ImageConfig) -> Vec<NewManifest> {
        let waiting = match self.states.insert(digest, State::Known(config.clone())) {
            Some(State::Waiting(manifests)) => manifests,
            Some(State::Known(_)) | None => Vec::new(),
        };
        waiting.into_iter().map(|manifest| NewManifest { config: config.clone(), ..manifest }).collect()
    }
}
