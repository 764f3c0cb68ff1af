//! Which tags a sync takes.

use worker::codes;

use crate::house::{House, NAME, progress, tag_map};

async fn house(includes: &[&str], excludes: &[&str]) -> House {
    let owned = |texts: &[&str]| Some(texts.iter().map(ToString::to_string).collect());
    House::with(|remote| {
        remote.includes = owned(includes);
        remote.excludes = owned(excludes);
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn wildcards_choose_from_the_list() {
    let house = house(&["3.*"], &["*-rc?"]).await;
    let wanted = house.fake.add_image(NAME, "3.1", &[b"3.1"]);
    house.fake.add_image(NAME, "3.2-rc1", &[b"3.2-rc1"]);
    house.fake.add_image(NAME, "4.0", &[b"4.0"]);
    house.sync_to_version(false).await;
    assert_eq!(house.tags().await, tag_map(&[("3.1", &wanted.manifest)]));
    assert_eq!((house.gets("tags"), house.gets("manifests"), house.gets("blobs")), (1, 1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn exact_names_need_no_list() {
    let house = house(&["a", "b", "absent"], &["b"]).await;
    let wanted = house.fake.add_image(NAME, "a", &[b"a"]);
    house.fake.add_image(NAME, "b", &[b"b"]);
    let task = house.sync(false).await;
    assert_eq!(house.tags().await, tag_map(&[("a", &wanted.manifest)]));
    // Two tags, two blobs, and two questions for referrers: for the list, and for the tag.
    assert_eq!((house.gets("tags"), house.fake.requests().len()), (0, 6));
    assert_eq!(progress(&task)[codes::TAG_LIST], (0, Some(0)));
    assert_eq!(progress(&task)[codes::SKIPPED_TAGS], (1, Some(1)));
    let skipped = task.progress.iter().find(|report| report.code == codes::SKIPPED_TAGS).unwrap();
    assert_eq!(skipped.message, "Skipped tags that upstream does not have: absent");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_found_is_a_failure() {
    let house = house(&["absent", "gone"], &[]).await;
    house.fake.add_image(NAME, "a", &[b"a"]);
    let description = house.sync_fails("upstream.not_found").await;
    let expected =
        format!("{}/v2/{NAME} has none of the tags that the remote includes: absent, gone", house.fake.url());
    assert_eq!(description, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_include_may_be_a_digest() {
    let plain = House::new().await;
    let untagged = plain.fake.add_image(NAME, "soon", &[b"soon gone"]);
    drop(plain);
    let house = house(&[untagged.manifest.as_str()], &[]).await;
    house.fake.add_image(NAME, "soon", &[b"soon gone"]);
    house.fake.untag(NAME, "soon");
    let version = house.sync_to_version(true).await;
    assert_eq!(crate::house::present(&version), (0, 1, 2));
    // The manifest, and the tag that would name its referrers.
    assert_eq!((house.gets("tags"), house.gets("manifests"), house.heads()), (0, 2, 0));
    house.sync_without_change(true).await;
    assert_eq!((house.gets("manifests"), house.heads()), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_is_not_there_is_a_failure() {
    let digest = registry::Digest::sha256_of(b"nowhere");
    let house = house(&["a", digest.as_str()], &[]).await;
    house.fake.add_image(NAME, "a", &[b"a"]);
    let description = house.sync_fails("upstream.not_found").await;
    assert_eq!(description, format!("{}/v2/{NAME}/manifests/{digest} was not found (404)", house.fake.url()));
}

#[tokio::test(flavor = "multi_thread")]
async fn mirroring_drops_what_the_filter_no_longer_takes() {
    let house = House::new().await;
    let kept = house.fake.add_image(NAME, "3.1", &[b"3.1"]);
    house.fake.add_image(NAME, "4.0", &[b"4.0"]);
    house.sync_to_version(true).await;
    let narrow = crate::house::add_remote(&house.catalog, &house.fake.url(), |remote| {
        remote.includes = Some(vec!["3.*".into()]);
    })
    .await;
    let task = crate::house::submit_sync(&house.catalog, house.repository, narrow, true).await;
    crate::house::wait(&house.catalog, task).await;
    assert_eq!(house.tags().await, tag_map(&[("3.1", &kept.manifest)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_not_emptied_by_patterns_that_match_nothing() {
    let house = House::new().await;
    house.fake.add_image(NAME, "3.1", &[b"3.1"]);
    house.fake.add_image(NAME, "4.0", &[b"4.0"]);
    let before = house.sync_to_version(true).await;
    let url = format!("{}/v2/{NAME}", house.fake.url());
    for (includes, excludes, filter) in [
        (Some(vec!["5.*".to_owned(), "stable".to_owned()]), None, "5.*, stable"),
        (None, Some(vec!["*".to_owned()]), "all tags without *"),
    ] {
        let remote = crate::house::add_remote(&house.catalog, &house.fake.url(), |remote| {
            (remote.includes, remote.excludes) = (includes, excludes);
        })
        .await;
        let task = crate::house::submit_sync(&house.catalog, house.repository, remote, true).await;
        let error = crate::house::wait(&house.catalog, task).await.error.unwrap();
        let expected = format!(
            "{url} lists 2 tags, of which the remote takes none ({filter}): \
             an exact mirror would remove all 2 tags of the repository"
        );
        assert_eq!((error.code.as_str(), error.description), ("upstream.not_found", expected));
    }
    assert_eq!(house.latest().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_not_emptied_by_an_upstream_that_lost_its_tags() {
    let house = House::new().await;
    house.fake.add_image(NAME, "3.1", &[b"3.1"]);
    let before = house.sync_to_version(true).await;
    house.fake.untag(NAME, "3.1");
    let task = house.sync(true).await;
    assert_eq!(task.error.unwrap().code, "upstream.not_found");
    assert_eq!(house.latest().await, before);
    // Without tags of its own there is nothing to lose, and only adding loses nothing either.
    house.sync_without_change(false).await;
}
