//! Turns at fetching a blob: two syncs of this process that miss the same one fetch it once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use registry::Digest;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::BlobStore;

/// Whose turn it is, by digest.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Digest, Weak<AsyncMutex<()>>>>);

/// The right to fetch a blob. While it is held nobody else of this process fetches the same one.
#[derive(Debug)]
pub struct FetchTurn(#[expect(dead_code, reason = "it is there to be dropped")] OwnedMutexGuard<()>);

impl BlobStore {
    /// Waits until nobody else fetches the blob. Look afterwards whether it is there by now.
    pub async fn take_fetch_turn(&self, digest: &Digest) -> FetchTurn {
        let lock = {
            let mut turns = self.0.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, lock| lock.strong_count() > 0);
            let lock = turns.get(digest).and_then(Weak::upgrade).unwrap_or_default();
            turns.insert(digest.clone(), Arc::downgrade(&lock));
            lock
        };
        FetchTurn(lock.lock_owned().await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_blob_is_fetched_by_one_at_a_time_and_others_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = BlobStore::open(folder.path()).await.unwrap();
        let (one, other) = (Digest::sha256_of(b"1"), Digest::sha256_of(b"2"));
        let first = store.take_fetch_turn(&one).await;
        assert!(store.take_fetch_turn(&other).now_or_never().is_some());
        let mut second = Box::pin(store.take_fetch_turn(&one));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        second.await;
        assert!(store.take_fetch_turn(&one).now_or_never().is_some());
        drop(store.take_fetch_turn(&other).await);
        assert_eq!(store.0.turns.0.lock().unwrap().len(), 1);
    }
}
