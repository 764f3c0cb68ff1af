//! Changes of what a repository holds.

use std::time::Duration;

use registry::href::Kind;
use registry::task::{TaskState, Work};
use registry::{ContentChange, Digest};
use storage::{Chunk, Filter, FilterValue, ListQuery, Op, Task, VersionRef};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::WorkerConfig;

use crate::house::{House, NAME, add_repository, open, present, quick, submit, tag_map, until, wait};

async fn change(house: &House, repository: Uuid, change: ContentChange) -> Task {
    let work = Work::ModifyContent { repository, base_version: None, change };
    let task = submit(&house.catalog, work, repository).await;
    wait(&house.catalog, task).await
}

async fn manifest(house: &House, digest: &Digest) -> Uuid {
    let number = house.latest().await.number;
    let latest = VersionRef { repository: house.repository, number };
    house.catalog.find_manifest_in(latest, digest).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_publishes_a_version_and_tells_it() {
    let house = House::new().await;
    let one = house.fake.add_image(NAME, "1.0", &[b"shared", b"one"]);
    let two = house.fake.add_image(NAME, "2.0", &[b"shared", b"two"]);
    assert_eq!(present(&house.sync_to_version(false).await), (2, 2, 5));

    let tag = ContentChange::Tag {
        tag: "stable".parse().unwrap(),
        manifest: manifest(&house, &one.manifest).await,
    };
    let task = change(&house, house.repository, tag.clone()).await;
    assert_eq!((task.state, &task.error, &task.result), (TaskState::Completed, &None, &None), "{task:#?}");
    let version = house.latest().await;
    let href = registry::href::version_href(house.repository, 2);
    assert_eq!((version.number, present(&version)), (2, (3, 2, 5)));
    assert_eq!(task.created_resources.len(), 1);
    let made = &task.created_resources[0];
    assert_eq!((&made.href, &made.prn), (&href, &registry::href::version_prn(version.id)));

    // It is so already: nothing is made.
    let task = change(&house, house.repository, tag).await;
    assert_eq!((task.state, task.created_resources.len()), (TaskState::Completed, 0), "{task:#?}");
    assert_eq!(house.latest().await, version);

    let named = Filter::Field { field: "name", op: Op::Eq, value: FilterValue::Text("2.0".into()) };
    let query = ListQuery { filter: Some(named), ..ListQuery::default() };
    let tag = house.catalog.list_tag_contents(&query).await.unwrap().items[0].id;
    let task = change(&house, house.repository, ContentChange::Remove { contents: vec![tag] }).await;
    assert_eq!(task.state, TaskState::Completed, "{task:#?}");
    assert_eq!(present(&house.latest().await), (2, 1, 3));
    assert_eq!(house.tags().await, tag_map(&[("1.0", &one.manifest), ("stable", &one.manifest)]));

    // A later sync adds to what is there, and brings back what was removed without fetching any blob again.
    let blobs = house.gets("blobs");
    assert_eq!(present(&house.sync_to_version(false).await), (3, 2, 5));
    assert_eq!(house.gets("blobs"), blobs);
    assert_eq!(house.tags().await["2.0".parse::<registry::Tag>().as_ref().unwrap()], two.manifest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_what_is_gone_fails_and_publishes_nothing() {
    let house = House::new().await;
    house.fake.add_image(NAME, "1.0", &[b"layer"]);
    house.sync_to_version(false).await;
    let copy = add_repository(&house.catalog, "copy").await;
    let from = |number| ContentChange::CopyTags { source: house.repository, number, names: None };
    let task = change(&house, copy, from(7)).await;
    let error = task.error.clone().unwrap();
    let expected = ("not_found", "no RepositoryVersion matches the given query");
    assert_eq!((error.code.as_str(), error.description.as_str()), expected);
    assert_eq!(house.catalog.find_repository(copy).await.unwrap().unwrap().latest_version, 0);

    let task = change(&house, copy, from(1)).await;
    assert_eq!((task.state, task.created_resources.len()), (TaskState::Completed, 1), "{task:#?}");
    let version = house.catalog.find_version(copy, 1).await.unwrap().unwrap();
    assert_eq!(present(&version), (1, 1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_becomes_an_artifact() {
    let house = House::new().await;
    let begun = async |size_bytes, chunks: &[(u64, &'static [u8])]| {
        let upload = house.catalog.create_artifact_upload(size_bytes).await.unwrap().id;
        for (offset_bytes, bytes) in chunks {
            house.blobs.write_chunk(upload, *offset_bytes, (*bytes).into()).await.unwrap();
            let chunk = Chunk { offset_bytes: *offset_bytes, size_bytes: bytes.len() as u64 };
            house.catalog.add_artifact_chunk(upload, chunk).await.unwrap();
        }
        upload
    };
    let commit = async |upload, content: &[u8]| {
        let work = Work::CommitUpload { upload, digest: Digest::sha256_of(content) };
        wait(&house.catalog, submit(&house.catalog, work, upload).await).await
    };
    let failed = async |upload, content: &[u8]| {
        let task = commit(upload, content).await;
        let error = task.error.unwrap_or_else(|| panic!("no error"));
        (error.code, error.description)
    };

    let upload = begun(6, &[(3, b"def"), (0, b"abc")]).await;
    let task = commit(upload, b"abcdef").await;
    assert_eq!((task.state, &task.error), (TaskState::Completed, &None), "{task:#?}");
    let digest = Digest::sha256_of(b"abcdef");
    let artifact = house.catalog.find_artifact(&digest).await.unwrap().unwrap();
    let made = &task.created_resources[0];
    let expected = (Kind::Artifact.href(artifact.id), Kind::Artifact.prn(artifact.id));
    assert_eq!((made.href.clone(), made.prn.clone()), expected);
    assert_eq!(house.blobs.read_small(&digest, 100).await.unwrap(), "abcdef");
    assert_eq!(house.catalog.find_artifact_upload(upload).await.unwrap(), None);
    assert!(house.blobs.idle_chunks(house.catalog.now()).await.unwrap().is_empty());

    // The same bytes once more are the same artifact.
    let again = commit(begun(6, &[(0, b"abcdef")]).await, b"abcdef").await;
    assert_eq!(again.created_resources, task.created_resources);
    let empty = commit(begun(0, &[]).await, b"").await;
    assert_eq!(empty.state, TaskState::Completed, "{empty:#?}");

    let incomplete = begun(6, &[(0, b"abc")]).await;
    let message = "upload: the upload is not complete: the bytes 3-5 are missing";
    assert_eq!(failed(incomplete, b"abcdef").await, ("invalid".to_owned(), message.to_owned()));
    let wrong = begun(3, &[(0, b"xyz")]).await;
    let sums = [b"xyz", b"abc"].map(|bytes| Digest::sha256_of(bytes).hex().to_owned());
    let message = format!("sha256: the file's checksum is {}, not {}", sums[0], sums[1]);
    assert_eq!(failed(wrong, b"abc").await, ("invalid".to_owned(), message));
    let gone = ("not_found".to_owned(), "no Upload matches the given query".to_owned());
    assert_eq!(failed(upload, b"abcdef").await, gone);
    // What failed is still there, to be mended or thrown away.
    assert!(house.catalog.find_artifact_upload(wrong).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_nobody_goes_on_with_are_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, blobs) = open(folder.path()).await;
    let upload = catalog.create_artifact_upload(6).await.unwrap().id;
    // The second one's row is gone already: only its file was left behind.
    for id in [upload, Uuid::now_v7()] {
        blobs.write_chunk(id, 0, b"abc".as_slice().into()).await.unwrap();
    }
    let config = WorkerConfig { upload_expiry: Duration::from_millis(20), ..quick() };
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn(worker::run(catalog.clone(), blobs.clone(), config, shutdown.clone()));
    until("the uploads' end", async || {
        let left = blobs.idle_chunks(catalog.now()).await.unwrap();
        left.is_empty() && catalog.find_artifact_upload(upload).await.unwrap().is_none()
    })
    .await;
    shutdown.cancel();
    worker.await.unwrap().unwrap();
}
