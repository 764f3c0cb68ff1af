//! Changing what repositories hold: added, removed, copied and tagged content, and labels on it.

use std::collections::BTreeSet;

use registry::href::Kind;
use registry::{ContentChange, Digest, MediaType};
use storage::{
    Catalog, Counts, Filter, FilterValue, LabelTerm, ListQuery, Op, Repository, RepositoryChanges,
    StorageError, Version, VersionRef,
};
use uuid::Uuid;

use crate::fixture::{
    Fixture, every_database, layer_of, publish, record_blobs, record_image, record_manifest, repository,
};

fn counts(blobs: i64, manifests: i64, tags: i64) -> Counts {
    Counts { blobs, manifests, tags }
}

fn by(field: &'static str, op: Op, value: FilterValue) -> ListQuery {
    ListQuery { filter: Some(Filter::Field { field, op, value }), ..ListQuery::default() }
}

fn by_digest(digest: &Digest) -> ListQuery {
    by("digest", Op::In, FilterValue::Texts(vec![digest.to_string()]))
}

async fn manifest_id(catalog: &Catalog, digest: &Digest) -> Uuid {
    catalog.list_manifest_contents(&by_digest(digest)).await.unwrap().items[0].id
}

async fn blob_id(catalog: &Catalog, digest: &Digest) -> Uuid {
    catalog.list_blob_contents(&by_digest(digest)).await.unwrap().items[0].id
}

async fn tag_id(catalog: &Catalog, name: &str, digest: &Digest) -> Uuid {
    let manifest = manifest_id(catalog, digest).await;
    let named = by("name", Op::Eq, FilterValue::Text(name.into()));
    let found = catalog.list_tag_contents(&named).await.unwrap().items;
    found.iter().find(|tag| tag.manifest == manifest).unwrap().id
}

/// An image of these layers of other images.
async fn record_image_of(catalog: &Catalog, seed: &str, layers: &[&str]) -> Digest {
    let config = Digest::sha256_of(format!("config {seed}").as_bytes());
    record_blobs(catalog, vec![(config.clone(), 7)]).await;
    let layers: Vec<_> = (layers.iter())
        .map(|layer| serde_json::json!({"mediaType": MediaType::OCI_LAYER_GZIP, "digest": layer_of(layer), "size": 11}))
        .collect();
    let body = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": {"mediaType": MediaType::OCI_CONFIG, "digest": config, "size": 7},
        "layers": layers,
    });
    record_manifest(catalog, body.to_string().as_bytes()).await
}

async fn record_index(catalog: &Catalog, children: &[&Digest]) -> Digest {
    let manifests: Vec<_> = (children.iter())
        .map(|digest| serde_json::json!({"mediaType": MediaType::OCI_MANIFEST, "digest": digest, "size": 1}))
        .collect();
    let body = serde_json::json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": manifests,
    });
    record_manifest(catalog, body.to_string().as_bytes()).await
}

async fn modify_from(
    catalog: &Catalog,
    repository: &Repository,
    base: Option<i64>,
    change: ContentChange,
) -> Result<Option<Version>, StorageError> {
    let tx = catalog.begin().await.unwrap();
    let outcome = tx.modify_content(repository.id, base, &change).await;
    if outcome.is_ok() {
        tx.commit().await.unwrap();
    }
    outcome
}

async fn modify(catalog: &Catalog, repository: &Repository, change: ContentChange) -> Option<Version> {
    modify_from(catalog, repository, None, change).await.unwrap()
}

fn add(contents: &[Uuid]) -> ContentChange {
    ContentChange::Add { contents: contents.to_vec() }
}

fn remove(contents: &[Uuid]) -> ContentChange {
    ContentChange::Remove { contents: contents.to_vec() }
}

fn tag(name: &str, manifest: Uuid) -> ContentChange {
    ContentChange::Tag { tag: name.parse().unwrap(), manifest }
}

/// Names and digests of a version's tags, and the digests of its manifests.
async fn held(
    catalog: &Catalog,
    repository: &Repository,
    number: i64,
) -> (Vec<(String, Digest)>, BTreeSet<Digest>) {
    let tags = catalog.repository_tags(repository.id, number).await.unwrap();
    let tags = tags.into_iter().map(|(tag, digest)| (tag.to_string(), digest)).collect();
    let manifests = catalog.version_manifests(repository.id, number).await.unwrap();
    (tags, manifests.into_iter().collect())
}

#[tokio::test]
async fn content_comes_with_what_it_needs() {
    for Fixture { catalog, .. } in every_database().await {
        let (foo, bar) = (repository(&catalog, "foo").await, repository(&catalog, "bar").await);
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        let index = record_index(&catalog, &[&one, &two]).await;
        let outer = record_index(&catalog, &[&index]).await;
        publish(&catalog, &foo, &[("all", &outer), ("one", &one)], true).await.unwrap();

        // A blob comes alone, a manifest with its blobs, an index with everything below.
        let layer = blob_id(&catalog, &layer_of("one")).await;
        let first = modify(&catalog, &bar, add(&[layer])).await.unwrap();
        assert_eq!((first.number, first.summary.present), (1, counts(1, 0, 0)));
        let second = modify(&catalog, &bar, add(&[manifest_id(&catalog, &one).await])).await.unwrap();
        assert_eq!((second.summary.added, second.summary.present), (counts(1, 1, 0), counts(2, 1, 0)));
        let third = modify(&catalog, &bar, add(&[tag_id(&catalog, "all", &outer).await])).await.unwrap();
        assert_eq!((third.summary.added, third.summary.present), (counts(2, 3, 1), counts(4, 4, 1)));
        let everything: BTreeSet<_> = [one.clone(), two, index, outer.clone()].into();
        assert_eq!(held(&catalog, &bar, 3).await, (vec![("all".into(), outer.clone())], everything));

        // Nothing is new: no version.
        assert_eq!(modify(&catalog, &bar, add(&[layer])).await, None);
        assert_eq!(modify(&catalog, &bar, add(&[])).await, None);
        let repository = catalog.find_repository(bar.id).await.unwrap().unwrap();
        assert_eq!((repository.latest_version, repository.synced_at), (3, None));

        // What is not there is refused, and nothing comes of the rest.
        let absent = Uuid::now_v7();
        let refused = modify_from(&catalog, &foo, None, add(&[layer, absent])).await.unwrap_err();
        let message = format!("content_units: The content with the id {absent} is no longer there.");
        assert_eq!(refused.to_string(), message);
    }
}

#[tokio::test]
async fn a_tag_takes_the_place_of_its_name() {
    for Fixture { catalog, .. } in every_database().await {
        let (foo, bar) = (repository(&catalog, "foo").await, repository(&catalog, "bar").await);
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        publish(&catalog, &foo, &[("a", &one), ("b", &two)], true).await.unwrap();
        publish(&catalog, &bar, &[("a", &two), ("c", &two)], true).await.unwrap();
        let (old, new) = (tag_id(&catalog, "a", &one).await, tag_id(&catalog, "a", &two).await);

        let version = modify(&catalog, &foo, add(&[new])).await.unwrap();
        assert_eq!((version.summary.added, version.summary.removed), (counts(0, 0, 1), counts(0, 0, 1)));
        // The manifest that lost its tag stays.
        let both: BTreeSet<_> = [one.clone(), two.clone()].into();
        let tags = vec![("a".to_owned(), two.clone()), ("b".to_owned(), two.clone())];
        assert_eq!(held(&catalog, &foo, 2).await, (tags, both.clone()));

        let refused = modify_from(&catalog, &foo, None, add(&[old, new])).await.unwrap_err();
        assert_eq!(refused.to_string(), "content_units: More than one tag named 'a': name one of them.");

        // Tagging makes a tag that nobody had, moves one that is there, and says so when it is there already.
        let manifest = manifest_id(&catalog, &one).await;
        let version = modify(&catalog, &foo, tag("new", manifest)).await.unwrap();
        assert_eq!((version.summary.added, version.summary.removed), (counts(0, 0, 1), Counts::default()));
        let version = modify(&catalog, &foo, tag("b", manifest)).await.unwrap();
        assert_eq!((version.summary.added, version.summary.removed), (counts(0, 0, 1), counts(0, 0, 1)));
        assert_eq!(modify(&catalog, &foo, tag("b", manifest)).await, None);
        let tags = vec![("a".to_owned(), two), ("b".to_owned(), one.clone()), ("new".to_owned(), one)];
        assert_eq!(held(&catalog, &foo, 4).await, (tags, both));
        let refused = modify_from(&catalog, &bar, None, tag("x", manifest)).await.unwrap_err();
        let message = "digest: The manifest is no longer in the repository version: add it first.";
        assert_eq!(refused.to_string(), message);

        let untag = || ContentChange::Untag { tag: "b".parse().unwrap() };
        let version = modify(&catalog, &foo, untag()).await.unwrap();
        assert_eq!((version.summary.added, version.summary.removed), (Counts::default(), counts(0, 0, 1)));
        assert_eq!(modify(&catalog, &foo, untag()).await, None);
        let at = |number| VersionRef { repository: foo.id, number };
        let name = "b".parse().unwrap();
        assert!(
            catalog.has_tag(at(4), &name).await.unwrap() && !catalog.has_tag(at(5), &name).await.unwrap()
        );
    }
}

#[tokio::test]
async fn what_is_removed_takes_along_what_nothing_else_needs() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        // Shares the layer of each.
        let both = record_image_of(&catalog, "both", &["one", "two"]).await;
        let index = record_index(&catalog, &[&one, &two]).await;
        let other = record_index(&catalog, &[&two, &both]).await;
        let tags = [("index", &index), ("other", &other), ("one", &one), ("again", &one)];
        let full = publish(&catalog, &foo, &tags, true).await.unwrap();
        assert_eq!(full.summary.present, counts(5, 5, 4));
        let removed = async |contents: Vec<Uuid>| {
            let tx = catalog.begin().await.unwrap();
            // Not committed: each removal starts from the full version.
            let version = tx.modify_content(foo.id, None, &remove(&contents)).await.unwrap();
            version.map(|version| version.summary.removed)
        };
        let tag_of = async |name, digest| tag_id(&catalog, name, digest).await;
        // The index goes. Its children stay: one has tags, the other is in another index.
        assert_eq!(removed(vec![tag_of("index", &index).await]).await, Some(counts(0, 1, 1)));
        // Of the other, a child is still in the first index; the other child's layers are in use, its configuration isn't.
        assert_eq!(removed(vec![tag_of("other", &other).await]).await, Some(counts(1, 2, 1)));
        // Neither tag alone lets the manifest go, nor do both: an index lists it.
        assert_eq!(removed(vec![tag_of("one", &one).await]).await, Some(counts(0, 0, 1)));
        let (first, second) = (tag_of("one", &one).await, tag_of("again", &one).await);
        assert_eq!(removed(vec![first, second]).await, Some(counts(0, 0, 2)));
        // With the index, it goes, but its layer stays in use.
        let third = tag_of("index", &index).await;
        assert_eq!(removed(vec![first, second, third]).await, Some(counts(1, 2, 3)));
        // What something that stays needs, stays: a tagged index, a listed manifest, a blob in use.
        let needed = vec![
            manifest_id(&catalog, &index).await,
            manifest_id(&catalog, &both).await,
            blob_id(&catalog, &layer_of("one")).await,
        ];
        assert_eq!(removed(needed).await, None);
        // An index and its tag together go, with what only it lists.
        let whole = vec![tag_of("other", &other).await, manifest_id(&catalog, &other).await];
        assert_eq!(removed(whole).await, Some(counts(1, 2, 1)));
        // What the version doesn't hold is no matter.
        let elsewhere = record_image(&catalog, "elsewhere").await;
        assert_eq!(removed(vec![manifest_id(&catalog, &elsewhere).await]).await, None);

        let emptied = modify(&catalog, &foo, ContentChange::Clear).await.unwrap();
        assert_eq!((emptied.summary.removed, emptied.summary.present), (counts(5, 5, 4), Counts::default()));
        assert_eq!(modify(&catalog, &foo, ContentChange::Clear).await, None);
        assert_eq!(held(&catalog, &foo, 1).await.0.len(), 4, "version 1 is what it was");
    }
}

#[tokio::test]
async fn a_blob_that_nothing_needs_can_be_removed_alone() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        record_image(&catalog, "one").await;
        let layer = blob_id(&catalog, &layer_of("one")).await;
        modify(&catalog, &foo, add(&[layer])).await.unwrap();
        let version = modify(&catalog, &foo, remove(&[layer])).await.unwrap();
        assert_eq!((version.summary.removed, version.summary.present), (counts(1, 0, 0), Counts::default()));
    }
}

#[tokio::test]
async fn content_is_copied_from_any_version() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        let index = record_index(&catalog, &[&one, &two]).await;
        publish(&catalog, &foo, &[("a", &one), ("b", &two), ("i", &index)], true).await.unwrap();
        publish(&catalog, &foo, &[("c", &two)], true).await.unwrap();
        let copied = async |name: &str, change: ContentChange| {
            let into = repository(&catalog, name).await;
            let version = modify(&catalog, &into, change).await;
            version.map(|version| version.summary.present)
        };
        let tags = |number, names: Option<&[&str]>| ContentChange::CopyTags {
            source: foo.id,
            number,
            names: names.map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
        };
        assert_eq!(copied("all", tags(1, None)).await, Some(counts(4, 3, 3)));
        assert_eq!(copied("latest", tags(2, None)).await, Some(counts(2, 1, 1)));
        assert_eq!(copied("some", tags(1, Some(&["a", "c", "gone"]))).await, Some(counts(2, 1, 1)));
        assert_eq!(copied("none", tags(1, Some(&[]))).await, None);
        let manifests = |digests: Option<&[&Digest]>, types: Option<&[&str]>| ContentChange::CopyManifests {
            source: foo.id,
            number: 1,
            digests: digests.map(|digests| digests.iter().map(|digest| (*digest).clone()).collect()),
            media_types: types.map(|types| types.iter().map(|text| text.parse().unwrap()).collect()),
        };
        assert_eq!(copied("m-all", manifests(None, None)).await, Some(counts(4, 3, 0)));
        assert_eq!(copied("m-one", manifests(Some(&[&one]), None)).await, Some(counts(2, 1, 0)));
        let images: &[&str] = &[MediaType::OCI_MANIFEST];
        assert_eq!(copied("m-type", manifests(None, Some(images))).await, Some(counts(4, 2, 0)));
        assert_eq!(
            copied("m-both", manifests(Some(&[&one, &index]), Some(images))).await,
            Some(counts(2, 1, 0))
        );
        assert_eq!(copied("m-none", manifests(Some(&[&index]), Some(images))).await, None);

        let into = repository(&catalog, "into").await;
        let refused = modify_from(&catalog, &into, None, tags(9, None)).await;
        assert!(matches!(refused, Err(StorageError::NotFound { kind: "RepositoryVersion" })), "{refused:?}");
    }
}

#[tokio::test]
async fn an_older_version_can_be_changed_into_the_latest() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        let three = record_image(&catalog, "three").await;
        publish(&catalog, &foo, &[("a", &one)], true).await.unwrap();
        publish(&catalog, &foo, &[("a", &two), ("b", &two)], true).await.unwrap();
        let added = add(&[manifest_id(&catalog, &three).await]);
        let version = modify_from(&catalog, &foo, Some(1), added.clone()).await.unwrap().unwrap();
        assert_eq!((version.number, version.base), (3, Some(1)));
        let summary = version.summary;
        assert_eq!((summary.added, summary.removed), (counts(4, 2, 1), counts(2, 1, 2)));
        assert_eq!(summary.present, counts(4, 2, 1));
        let expected = (vec![("a".to_owned(), one.clone())], [one, three].into());
        assert_eq!(held(&catalog, &foo, 3).await, expected);
        // The latest one is like that already.
        assert_eq!(modify_from(&catalog, &foo, Some(1), added).await.unwrap(), None);
        let refused = modify_from(&catalog, &foo, Some(9), add(&[])).await;
        assert!(matches!(refused, Err(StorageError::NotFound { kind: "RepositoryVersion" })), "{refused:?}");
    }
}

#[tokio::test]
async fn changes_honour_the_retention() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let tx = catalog.begin().await.unwrap();
        let keep_two =
            RepositoryChanges { retain_repo_versions: Some(Some(2)), ..RepositoryChanges::default() };
        tx.update_repository(foo.id, keep_two).await.unwrap();
        tx.commit().await.unwrap();
        let image = record_image(&catalog, "one").await;
        let manifest = manifest_id(&catalog, &image).await;
        modify(&catalog, &foo, add(&[manifest])).await.unwrap();
        for name in ["a", "b", "c"] {
            modify(&catalog, &foo, tag(name, manifest)).await.unwrap();
        }
        let kept = catalog.list_versions(Some(foo.id), &ListQuery::default()).await.unwrap().items;
        assert_eq!(kept.iter().map(|version| version.number).collect::<Vec<_>>(), [4, 3]);
        assert_eq!(kept[1].summary.added, counts(2, 1, 2), "what older versions added");
    }
}

#[tokio::test]
async fn content_has_labels_that_it_is_found_by() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        publish(&catalog, &foo, &[("a", &one), ("b", &two)], true).await.unwrap();
        let layer = blob_id(&catalog, &layer_of("one")).await;
        let (manifest, name) = (manifest_id(&catalog, &one).await, tag_id(&catalog, "a", &one).await);
        let contents = [(Kind::Blob, layer), (Kind::Manifest, manifest), (Kind::Tag, name)];
        let tx = catalog.begin().await.unwrap();
        for (kind, id) in contents {
            tx.set_label(kind, id, "env", "test").await.unwrap();
            tx.set_label(kind, id, "owner", "me").await.unwrap();
        }
        let refused = tx.set_label(Kind::Tag, layer, "env", "test").await;
        assert!(matches!(refused, Err(StorageError::NotFound { kind: "Tag" })), "{refused:?}");
        tx.commit().await.unwrap();
        let expected = [("env".to_owned(), "test".to_owned()), ("owner".to_owned(), "me".to_owned())].into();
        let equal = |value: &str| LabelTerm::Equals("env".into(), value.into());
        let selected = |terms: Vec<LabelTerm>| by("pulp_labels", Op::LabelSelect, FilterValue::Labels(terms));
        let terms = vec![equal("test"), LabelTerm::Has("owner".into()), LabelTerm::HasNot("x".into())];
        let blobs = catalog.list_blob_contents(&selected(terms.clone())).await.unwrap().items;
        assert_eq!((blobs.len(), blobs[0].id, &blobs[0].pulp_labels), (1, layer, &expected));
        let manifests = catalog.list_manifest_contents(&selected(terms.clone())).await.unwrap().items;
        assert_eq!((manifests.len(), manifests[0].id, &manifests[0].pulp_labels), (1, manifest, &expected));
        let tags = catalog.list_tag_contents(&selected(terms)).await.unwrap().items;
        assert_eq!((tags.len(), tags[0].id, &tags[0].pulp_labels), (1, name, &expected));
        let without =
            catalog.list_tag_contents(&selected(vec![LabelTerm::HasNot("env".into())])).await.unwrap();
        assert_eq!((without.total, without.items[0].name.as_str()), (1, "b"));
        let other = LabelTerm::NotEquals("env".into(), "live".into());
        assert_eq!(catalog.list_blob_contents(&selected(vec![other])).await.unwrap().total, 1);
        assert_eq!(catalog.list_blob_contents(&selected(vec![equal("live")])).await.unwrap().total, 0);

        let tx = catalog.begin().await.unwrap();
        assert_eq!(tx.unset_label(Kind::Blob, layer, "env").await.unwrap(), Some("test".to_owned()));
        assert_eq!(tx.unset_label(Kind::Blob, layer, "env").await.unwrap(), None);
        tx.commit().await.unwrap();
        let blob = catalog.find_blob_content(layer).await.unwrap().unwrap();
        assert_eq!(blob.pulp_labels, [("owner".to_owned(), "me".to_owned())].into());
    }
}
