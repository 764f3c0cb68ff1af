//! Blobs: nothing is visible before it is whole, and what is there is what its digest says.

use bytes::Bytes;
use futures::TryStreamExt;
use registry::Digest;
use storage::{BlobStore, StorageError};

fn files(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else if entry.path().extension().is_none_or(|end| end != "lock") && entry.file_name() != "gate" {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found
}

async fn put(
    store: &BlobStore,
    digest: &Digest,
    content: &[u8],
    size: Option<u64>,
) -> Result<u64, StorageError> {
    let mut staged = store.stage(digest).await?;
    for piece in content.chunks(100_000) {
        staged.write(Bytes::copy_from_slice(piece)).await?;
    }
    staged.finish(size).await
}

#[tokio::test]
async fn a_blob_is_read_back_whole_and_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open(folder.path()).await.unwrap();
    let content: Vec<u8> = (0..1_500_000_u32).map(|byte| (byte % 251) as u8).collect();
    let digest = Digest::sha256_of(&content);
    assert_eq!(store.find_size(&digest).await.unwrap(), None);
    assert_eq!(put(&store, &digest, &content, Some(1_500_000)).await.unwrap(), 1_500_000);
    assert_eq!(store.find_size(&digest).await.unwrap(), Some(1_500_000));
    assert_eq!(files(folder.path()), [digest.hex()]);
    for range in [0..1_500_000, 0..0, 5..6, 262_143..786_433, 1_499_999..1_500_000] {
        let pieces: Vec<Bytes> =
            store.read(&digest, range.clone()).await.unwrap().try_collect().await.unwrap();
        let (from, to) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        assert_eq!(pieces.concat(), content[from..to], "{range:?}");
    }
    let beyond = store.read(&digest, 0..1_500_001).await;
    assert!(matches!(beyond, Err(StorageError::SizeMismatch { expected: 1_500_001, actual: 1_500_000 })));
    assert!(matches!(store.read_small(&digest, 10).await, Err(StorageError::SizeMismatch { .. })));
    assert_eq!(store.read_small(&digest, 2_000_000).await.unwrap(), content);
    // The same blob again, from another repository.
    put(&store, &digest, &content, None).await.unwrap();
    store.delete(&digest).await.unwrap();
    store.delete(&digest).await.unwrap();
    assert!(
        matches!(store.read(&digest, 0..1).await, Err(StorageError::BlobMissing(missing)) if missing == digest)
    );
}

#[tokio::test]
async fn what_is_wrong_or_unfinished_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open(folder.path()).await.unwrap();
    let digest = Digest::sha256_of(b"right");
    let wrong = put(&store, &digest, b"wrong", Some(5)).await;
    assert!(matches!(wrong, Err(StorageError::DigestMismatch { expected, actual })
        if expected == digest && actual == Digest::sha256_of(b"wrong")));
    let long = put(&store, &digest, b"right and more", Some(5)).await;
    assert!(matches!(long, Err(StorageError::SizeMismatch { expected: 5, actual: 14 })));
    let mut dropped = store.stage(&digest).await.unwrap();
    dropped.write(Bytes::from_static(b"ri")).await.unwrap();
    drop(dropped);
    assert_eq!(files(folder.path()), Vec::<String>::new());

    // What a killed process was writing goes at the next start; what was whole stays.
    std::fs::write(folder.path().join(".staging/leftover"), b"ri").unwrap();
    put(&store, &digest, b"right", Some(5)).await.unwrap();
    let again = BlobStore::open(folder.path()).await.unwrap();
    assert_eq!(files(folder.path()), [digest.hex()]);
    assert_eq!(again.find_size(&digest).await.unwrap(), Some(5));
}

#[tokio::test]
async fn the_room_on_the_disk_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let usage = BlobStore::open(folder.path()).await.unwrap().usage().unwrap();
    assert!(usage.total > 0 && usage.free <= usage.total && usage.used <= usage.total, "{usage:?}");
}
