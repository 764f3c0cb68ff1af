//! Which hosts have answered: a failure to connect means something else before than after.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use url::{Origin, Url};

/// Hosts that are remembered. A registry has one, a token server and a few for storage; the bound is for redirects
/// that never lead to the same host twice.
const MOST: usize = 64;

/// The hosts that have answered this client.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Mutex<HashSet<Origin>>);

impl Contacts {
    /// Remembers that the host of `url` has answered.
    pub(crate) fn note(&self, url: &Url) {
        let origin = url.origin();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST && !known.contains(&origin) {
            known.insert(origin);
        }
    }

    /// Whether the host of `url` has ever answered.
    pub(crate) fn have(&self, url: &Url) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&url.origin())
    }
}
