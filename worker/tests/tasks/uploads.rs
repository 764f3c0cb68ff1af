//! Workers forget pushes that were begun and never ended.

use std::time::Duration;

use bytes::Bytes;
use registry::Algorithm;
use storage::PushTarget;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::WorkerConfig;

use crate::house::{open, quick, until};

#[tokio::test(flavor = "multi_thread")]
async fn old_uploads_go_with_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, blobs) = open(folder.path()).await;
    let tx = catalog.begin().await.unwrap();
    let target = tx.make_push_target(&"team/app".parse().unwrap()).await.unwrap();
    let PushTarget::Repository(repository) = target else { panic!("{target:?}") };
    let expired = tx.now().plus_seconds(-3600);
    let session = tx.create_upload(repository, 10, expired).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    // One whose session ended while its process died, and one that is about to end.
    let (stray, fresh) = (Uuid::now_v7(), Uuid::now_v7());
    for id in [session, stray, fresh] {
        let upload = blobs.open_upload(id, Algorithm::Sha256, Duration::ZERO).await.unwrap();
        let mut upload = upload.unwrap();
        upload.write(Bytes::from_static(b"half")).await.unwrap();
        upload.pause().await.unwrap();
    }
    let file = |id: Uuid| folder.path().join("blobs/.pushes").join(id.to_string());
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    std::fs::File::options().write(true).open(file(stray)).unwrap().set_modified(long_ago).unwrap();

    let shutdown = CancellationToken::new();
    let config = WorkerConfig { upload_expiry: Duration::ZERO, ..quick() };
    let worker = tokio::spawn(worker::run(catalog.clone(), blobs.clone(), config, shutdown.clone()));
    until("the end of the old ones", async || !file(session).exists() && !file(stray).exists()).await;
    assert_eq!(catalog.find_upload(session, expired).await.unwrap(), None);
    assert!(file(fresh).exists());
    shutdown.cancel();
    worker.await.unwrap().unwrap();
}
