//! The files of upload sessions: one writer at a time, and nothing but whole blobs leaves them.

use std::time::Duration;

use bytes::Bytes;
use registry::{Algorithm, Digest, Timestamp};
use storage::{BlobStore, BlobUpload, StorageError};
use uuid::Uuid;

async fn open(store: &BlobStore, id: Uuid) -> Option<BlobUpload> {
    store.open_upload(id, Algorithm::Sha256, Duration::ZERO).await.unwrap()
}

async fn add(store: &BlobStore, id: Uuid, content: &'static [u8]) -> u64 {
    let mut upload = open(store, id).await.unwrap();
    upload.write(Bytes::from_static(content)).await.unwrap();
    upload.pause().await.unwrap()
}

#[tokio::test]
async fn an_upload_goes_on_from_its_end_in_any_process() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) =
        (BlobStore::open(folder.path()).await.unwrap(), BlobStore::open(folder.path()).await.unwrap());
    let id = Uuid::now_v7();
    assert_eq!(here.upload_size(id).await.unwrap(), 0);
    assert_eq!(add(&here, id, b"one ").await, 4);
    assert_eq!(add(&there, id, b"two ").await, 8);
    assert_eq!(add(&here, id, b"three").await, 13);
    assert_eq!(there.upload_size(id).await.unwrap(), 13);
    let digest = Digest::sha256_of(b"one two three");
    assert_eq!(open(&there, id).await.unwrap().finish(&digest).await.unwrap(), 13);
    assert_eq!(here.read_small(&digest, 100).await.unwrap(), &b"one two three"[..]);
    assert_eq!(here.upload_size(id).await.unwrap(), 0);
}

#[tokio::test]
async fn only_one_writes_at_a_time_and_no_blob_is_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open(folder.path()).await.unwrap();
    let id = Uuid::now_v7();
    let mut first = open(&store, id).await.unwrap();
    assert!(open(&store, id).await.is_none());
    first.write(Bytes::from_static(b"whole")).await.unwrap();
    // Somebody waits for the file while it becomes a blob: that is not what they get.
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.open_upload(id, Algorithm::Sha256, Duration::from_secs(10)).await.unwrap() }
    });
    tokio::task::yield_now().await;
    let digest = Digest::sha256_of(b"whole");
    first.finish(&digest).await.unwrap();
    let mut second = waiting.await.unwrap().unwrap();
    assert_eq!(second.start_bytes(), 0);
    second.write(Bytes::from_static(b"more")).await.unwrap();
    second.pause().await.unwrap();
    assert_eq!(store.read_small(&digest, 100).await.unwrap(), &b"whole"[..]);
}

#[tokio::test]
async fn what_is_undone_or_wrong_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open(folder.path()).await.unwrap();
    let id = Uuid::now_v7();
    add(&store, id, b"hello").await;
    let mut undone = open(&store, id).await.unwrap();
    undone.write(Bytes::from_static(b" there")).await.unwrap();
    assert_eq!((undone.start_bytes(), undone.size_bytes()), (5, 11));
    undone.undo().await.unwrap();
    assert_eq!(store.upload_size(id).await.unwrap(), 5);
    let mut wrong = open(&store, id).await.unwrap();
    wrong.write(Bytes::from_static(b" there")).await.unwrap();
    let digest = Digest::sha256_of(b"hello world");
    let refused = wrong.finish(&digest).await.unwrap_err();
    assert!(matches!(refused, StorageError::DigestMismatch { actual, .. }
        if actual == Digest::sha256_of(b"hello there")));
    assert_eq!(store.upload_size(id).await.unwrap(), 5);
    assert_eq!(store.find_size(&Digest::sha256_of(b"hello there")).await.unwrap(), None);
    let mut right = open(&store, id).await.unwrap();
    right.write(Bytes::from_static(b" world")).await.unwrap();
    assert_eq!(right.finish(&digest).await.unwrap(), 11);
    // One that is dropped keeps nothing that was not written, and holds nobody up.
    let mut dropped = open(&store, id).await.unwrap();
    dropped.write(Bytes::from_static(b"x")).await.unwrap();
    drop(dropped);
    assert_eq!(add(&store, id, b"y").await, 1);
    store.remove_upload(id).await.unwrap();
    store.remove_upload(id).await.unwrap();
}

#[tokio::test]
async fn idle_files_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open(folder.path()).await.unwrap();
    let (old, new) = (Uuid::now_v7(), Uuid::now_v7());
    for id in [old, new] {
        add(&store, id, b"x").await;
    }
    let path = folder.path().join(".pushes").join(old.to_string());
    let then = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    std::fs::write(folder.path().join(".pushes/other"), "x").unwrap();
    let before = Timestamp::from_micros(1_700_000_001_000_000);
    assert_eq!(store.idle_uploads(before).await.unwrap().into_iter().collect::<Vec<_>>(), [old]);
}
