//! Orphans: which content is one, and that nothing goes which somebody has just found.

use bytes::Bytes;
use registry::{Digest, Timestamp};
use storage::{BlobStore, Catalog, Freed, OrphanKind, StorageError};

use crate::fixture::{Fixture, every_database, layer_of, publish, record_image, repository, store};

async fn orphans(catalog: &Catalog, untouched_since: Timestamp) -> Vec<usize> {
    let mut found = Vec::new();
    for kind in OrphanKind::ALL {
        found.push(catalog.find_orphans(kind, None, untouched_since).await.unwrap().orphans.len());
    }
    found
}

async fn delete(catalog: &Catalog, untouched_since: Timestamp) -> Vec<Freed> {
    let mut freed = Vec::new();
    for kind in OrphanKind::ALL {
        let window = catalog.find_orphans(kind, None, untouched_since).await.unwrap();
        freed.push(catalog.delete_orphans(kind, &window.orphans, untouched_since).await.unwrap());
    }
    freed
}

async fn delete_version(catalog: &Catalog, repository: uuid::Uuid, number: i64) {
    let tx = catalog.begin().await.unwrap();
    tx.delete_version(repository, number).await.unwrap();
    tx.commit().await.unwrap();
}

async fn put(store: &BlobStore, bytes: &'static [u8]) -> Digest {
    let digest = Digest::sha256_of(bytes);
    let mut staged = store.stage(&digest).await.unwrap();
    staged.write(Bytes::from_static(bytes)).await.unwrap();
    staged.finish(None).await.unwrap();
    digest
}

/// Deletes every marked file; gives what that freed.
async fn delete_files(catalog: &Catalog, store: &BlobStore) -> Freed {
    let mut all = Freed::default();
    while let Some(freed) = catalog.delete_doomed_files(store).await.unwrap() {
        all += freed;
    }
    all
}

#[tokio::test]
async fn what_a_version_gave_up_goes_when_its_time_is_over() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        publish(&catalog, &foo, &[("a", &one)], true).await.unwrap();
        clock.advance_seconds(3600);
        publish(&catalog, &foo, &[("a", &two)], true).await.unwrap();
        // Version 1 holds the first image still.
        assert_eq!(orphans(&catalog, catalog.now()).await, [0, 0, 0]);
        delete_version(&catalog, foo.id, 1).await;
        // It was given up just now, however long ago it came.
        assert_eq!(orphans(&catalog, catalog.now().plus_seconds(-1)).await, [0, 0, 0]);
        assert_eq!(orphans(&catalog, catalog.now()).await, [1, 1, 2]);
        clock.advance_seconds(60);
        let since = catalog.now().plus_seconds(-60);
        let window = catalog.find_orphans(OrphanKind::Blob, None, since).await.unwrap();
        assert_eq!(
            catalog.weigh_orphans(OrphanKind::Blob, &window.orphans, since).await.unwrap(),
            Freed { count: 2, bytes: 18 }
        );
        let gone = |count, bytes| Freed { count, bytes };
        assert_eq!(delete(&catalog, since).await, [gone(1, 0), gone(1, 0), gone(2, 18)]);
        assert_eq!(delete(&catalog, since).await, [gone(0, 0), gone(0, 0), gone(0, 0)]);
        let (_folder, store) = store().await;
        assert_eq!(delete_files(&catalog, &store).await, gone(2, 18));
        let kept = catalog.find_blobs(&[layer_of("one"), layer_of("two")]).await.unwrap();
        assert_eq!(kept.into_keys().collect::<Vec<_>>(), [layer_of("two")]);
        assert_eq!(catalog.repository_tags(foo.id, 2).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_deleted_repository_gives_up_what_no_other_holds() {
    for Fixture { catalog, .. } in every_database().await {
        let (foo, bar) = (repository(&catalog, "foo").await, repository(&catalog, "bar").await);
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        publish(&catalog, &foo, &[("a", &one), ("b", &two)], true).await.unwrap();
        publish(&catalog, &bar, &[("a", &one)], true).await.unwrap();
        let tx = catalog.begin().await.unwrap();
        tx.delete_resource(registry::task::ResourceKind::Repository, foo.id).await.unwrap();
        tx.commit().await.unwrap();
        // Tag a on the first image is shared, tag b and the second image are not.
        assert_eq!(orphans(&catalog, catalog.now()).await, [1, 1, 2]);
    }
}

#[tokio::test]
async fn what_somebody_found_stays_and_what_went_is_missed_by_those_who_publish_it() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let image = record_image(&catalog, "one").await;
        clock.advance_seconds(3600);
        let since = catalog.now().plus_seconds(-600);
        assert_eq!(orphans(&catalog, since).await, [0, 1, 2]);
        catalog.touch_orphans(OrphanKind::Manifest, std::slice::from_ref(&image)).await.unwrap();
        catalog.touch_orphans(OrphanKind::Blob, &[layer_of("one")]).await.unwrap();
        assert_eq!(orphans(&catalog, since).await, [0, 0, 1]);
        delete(&catalog, since).await;
        let tx = catalog.begin().await.unwrap();
        let new = storage::NewVersion {
            repository: foo.id,
            manifests: [image].into(),
            ..storage::NewVersion::default()
        };
        let error = tx.publish_version(new).await.unwrap_err();
        assert!(matches!(error, StorageError::BlobMissing(_)) && error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn a_blob_that_is_recorded_again_keeps_its_file() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let (_folder, store) = store().await;
        let digest = put(&store, b"a layer").await;
        catalog.record_blobs(&store, vec![(digest.clone(), 7)]).await.unwrap();
        assert_eq!(delete(&catalog, catalog.now()).await[2], Freed { count: 1, bytes: 7 });
        // Somebody who has found the file before records it between the two transactions.
        catalog.record_blobs(&store, vec![(digest.clone(), 7)]).await.unwrap();
        assert_eq!(delete_files(&catalog, &store).await, Freed::default());
        assert_eq!(store.find_size(&digest).await.unwrap(), Some(7));

        // The same, but too late: it is told, and brings the file again.
        delete(&catalog, catalog.now()).await;
        assert_eq!(delete_files(&catalog, &store).await, Freed { count: 1, bytes: 7 });
        assert_eq!(store.find_size(&digest).await.unwrap(), None);
        let late = catalog.record_blobs(&store, vec![(digest.clone(), 7)]).await;
        assert!(matches!(late, Err(StorageError::BlobMissing(missing)) if missing == digest));
        put(&store, b"a layer").await;
        catalog.record_blobs(&store, vec![(digest.clone(), 7)]).await.unwrap();
        clock.advance_seconds(48 * 3600);
        assert_eq!(delete_files(&catalog, &store).await, Freed::default());
        assert_eq!(store.find_size(&digest).await.unwrap(), Some(7));
    }
}

#[tokio::test]
async fn files_without_a_blob_are_found() {
    for Fixture { catalog, .. } in every_database().await {
        let (folder, store) = store().await;
        let (stray, kept) = (put(&store, b"stray").await, put(&store, b"kept").await);
        catalog.record_blobs(&store, vec![(kept.clone(), 4)]).await.unwrap();
        std::fs::write(folder.path().join("sha256").join(&stray.hex()[..2]).join("README"), "no digest")
            .unwrap();
        let mut files = Vec::new();
        for part in 0..=u8::MAX {
            files.extend(store.list(part).await.unwrap().into_iter().map(|file| (file.digest, file.size)));
        }
        assert_eq!(files.len(), 2);
        let strays = catalog.find_stray_files(&files).await.unwrap();
        assert_eq!(strays, [(stray.clone(), 5)]);
        catalog.doom_files(strays).await.unwrap();
        assert_eq!(delete_files(&catalog, &store).await, Freed { count: 1, bytes: 5 });
        assert_eq!(
            (store.find_size(&stray).await.unwrap(), store.find_size(&kept).await.unwrap()),
            (None, Some(4))
        );
    }
}
