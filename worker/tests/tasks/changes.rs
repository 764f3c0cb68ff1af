//! Changes of what a repository holds.

use registry::task::{TaskState, Work};
use registry::{ContentChange, Digest};
use storage::{Filter, FilterValue, ListQuery, Op, Task, VersionRef};
use uuid::Uuid;

use crate::house::{House, NAME, add_repository, present, submit, tag_map, wait};

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

    let tag = ContentChange::Tag { tag: "stable".parse().unwrap(), manifest: manifest(&house, &one.manifest).await };
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
