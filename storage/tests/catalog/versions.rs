//! Versions: what they hold, how they differ, and what deleting one does to its neighbours.

use crate::fixture::{Fixture, every_database, layer_of, publish, record_image, record_manifest, repository};
use registry::MediaType;
use registry::href::{Kind, VersionName};
use storage::{
    ContentSummary, Counts, Filter, FilterValue, ListQuery, NewDistribution, NewVersion, Op, StorageError,
    VersionRef,
};

fn counts(blobs: i64, manifests: i64, tags: i64) -> Counts {
    Counts { blobs, manifests, tags }
}

#[tokio::test]
async fn a_version_holds_tags_manifests_and_blobs() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        let first = publish(&catalog, &foo, &[("a", &one), ("b", &one)], false).await.unwrap();
        assert_eq!((first.number, first.base), (1, None));
        let all = counts(2, 1, 2);
        assert_eq!(first.summary, ContentSummary { added: all, removed: Counts::default(), present: all });

        // A moved tag: the old one goes, its manifest stays.
        let second = publish(&catalog, &foo, &[("a", &two)], false).await.unwrap();
        assert_eq!(second.summary.added, counts(2, 1, 1));
        assert_eq!(second.summary.removed, counts(0, 0, 1));
        assert_eq!(second.summary.present, counts(4, 2, 2));
        assert_eq!(catalog.find_version(foo.id, 2).await.unwrap(), Some(second));

        // Nothing changed: no version.
        assert_eq!(publish(&catalog, &foo, &[("a", &two)], false).await, None);

        // Mirrored: everything else goes.
        let third = publish(&catalog, &foo, &[("a", &two)], true).await.unwrap();
        assert_eq!(third.summary.removed, counts(2, 1, 1));
        assert_eq!(third.summary.present, counts(2, 1, 1));
        let tags = catalog.repository_tags(foo.id, 3).await.unwrap();
        assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("a".parse().unwrap(), two)]);
        // Version 1 is what it was.
        assert_eq!(catalog.repository_tags(foo.id, 1).await.unwrap().len(), 2);
        assert!(catalog.find_repository(foo.id).await.unwrap().unwrap().synced_at.is_some());
    }
}

#[tokio::test]
async fn an_index_brings_its_children_and_none_may_be_missing() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let child = record_image(&catalog, "child").await;
        let index = |children: &[&registry::Digest]| {
            let manifests: Vec<_> = (children.iter())
                .map(|digest| serde_json::json!({"mediaType": MediaType::OCI_MANIFEST, "digest": digest, "size": 1}))
                .collect();
            serde_json::to_vec(&serde_json::json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": manifests}))
                .unwrap()
        };
        let whole = record_manifest(&catalog, &index(&[&child])).await;
        let version = publish(&catalog, &foo, &[("latest", &whole)], false).await.unwrap();
        assert_eq!(version.summary.present, counts(2, 2, 1));

        let absent = registry::Digest::sha256_of(b"nobody has it");
        let broken = record_manifest(&catalog, &index(&[&child, &absent])).await;
        let tx = catalog.begin().await.unwrap();
        let new =
            NewVersion { repository: foo.id, base: 1, manifests: [broken].into(), ..NewVersion::default() };
        assert!(
            matches!(tx.publish_version(new).await, Err(StorageError::BlobMissing(digest)) if digest == absent)
        );
        drop(tx);
        assert_eq!(catalog.find_repository(foo.id).await.unwrap().unwrap().latest_version, 1);

        let listed = catalog.list_manifest_contents(&ListQuery::default()).await.unwrap();
        let parent = listed.items.iter().find(|manifest| manifest.digest == whole).unwrap();
        let held = listed.items.iter().find(|manifest| manifest.digest == child).unwrap();
        assert_eq!(parent.listed_manifests, [held.id]);
        assert_eq!((held.blobs.len(), held.config_blob.is_some()), (1, true));
        assert_eq!((parent.artifact_kind.as_str(), held.artifact_kind.as_str()), ("index", "image"));
        assert_eq!((held.compressed_image_size, held.architecture.as_deref()), (Some(11), Some("amd64")));
    }
}

#[tokio::test]
async fn deleting_a_version_leaves_the_others_as_they_were() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        publish(&catalog, &foo, &[("a", &one)], true).await.unwrap(); // 1: one
        publish(&catalog, &foo, &[("a", &two)], true).await.unwrap(); // 2: two
        publish(&catalog, &foo, &[("a", &one)], true).await.unwrap(); // 3: one again
        let delete = async |number| {
            let tx = catalog.begin().await.unwrap();
            let outcome = tx.delete_version(foo.id, number).await;
            if outcome.is_ok() {
                tx.commit().await.unwrap();
            }
            outcome
        };
        // Between two that are alike: what was removed and added again was never gone.
        delete(2).await.unwrap();
        let third = catalog.find_version(foo.id, 3).await.unwrap().unwrap();
        assert_eq!(third.summary.added, Counts::default());
        assert_eq!(third.summary.removed, Counts::default());
        assert_eq!(third.summary.present, counts(2, 1, 1));
        assert_eq!(
            catalog.repository_tags(foo.id, 1).await.unwrap(),
            catalog.repository_tags(foo.id, 3).await.unwrap()
        );

        // The latest: the one before is served again, and its number is never used twice.
        publish(&catalog, &foo, &[("a", &two)], true).await.unwrap(); // 4
        delete(4).await.unwrap();
        assert_eq!(catalog.find_repository(foo.id).await.unwrap().unwrap().latest_version, 3);
        assert_eq!(publish(&catalog, &foo, &[("b", &two)], false).await.unwrap().number, 5);

        // The first: the next one's additions are everything that it holds.
        delete(0).await.unwrap();
        delete(1).await.unwrap();
        let third = catalog.find_version(foo.id, 3).await.unwrap().unwrap();
        assert_eq!((third.summary.added, third.summary.present), (counts(2, 1, 1), counts(2, 1, 1)));
        assert!(matches!(delete(1).await, Err(StorageError::NotFound { kind: "RepositoryVersion" })));
        delete(3).await.unwrap();
        assert!(matches!(delete(5).await, Err(StorageError::Invalid { .. })), "the only version was deleted");
    }
}

#[tokio::test]
async fn retention_spares_what_a_distribution_serves() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        for seed in ["1", "2", "3", "4"] {
            let image = record_image(&catalog, seed).await;
            publish(&catalog, &foo, &[("a", &image)], true).await.unwrap();
        }
        let tx = catalog.begin().await.unwrap();
        let fixed = NewDistribution {
            name: "fixed".into(),
            base_path: "fixed".into(),
            version: Some(VersionRef { repository: foo.id, number: 2 }),
            ..NewDistribution::default()
        };
        tx.create_distribution(uuid::Uuid::now_v7(), fixed).await.unwrap();
        let changes = storage::RepositoryChanges {
            retain_repo_versions: Some(Some(1)),
            ..storage::RepositoryChanges::default()
        };
        tx.update_repository(foo.id, changes).await.unwrap();
        tx.commit().await.unwrap();
        let left = catalog.list_versions(Some(foo.id), &ListQuery::default()).await.unwrap();
        assert_eq!(left.items.iter().map(|version| version.number).collect::<Vec<_>>(), [4, 2]);

        let tx = catalog.begin().await.unwrap();
        assert!(matches!(tx.delete_version(foo.id, 2).await, Err(StorageError::InUse { .. })));
        drop(tx);

        // The next version pushes the oldest out by itself.
        let image = record_image(&catalog, "5").await;
        publish(&catalog, &foo, &[("a", &image)], true).await.unwrap();
        let left = catalog.list_versions(Some(foo.id), &ListQuery::default()).await.unwrap();
        assert_eq!(left.items.iter().map(|version| version.number).collect::<Vec<_>>(), [5, 2]);
    }
}

#[tokio::test]
async fn content_is_listed_by_version() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        publish(&catalog, &foo, &[("a", &one)], true).await.unwrap();
        publish(&catalog, &foo, &[("b", &two)], true).await.unwrap();
        let of = |op, number| ListQuery {
            filter: Some(Filter::Field {
                field: "repository_version",
                op,
                value: FilterValue::Versions(vec![VersionName::Number { repository: foo.id, number }]),
            }),
            ..ListQuery::default()
        };
        let tags = async |op, number| -> Vec<String> {
            let page = catalog.list_tag_contents(&of(op, number)).await.unwrap();
            assert_eq!(page.total, page.items.len() as u64);
            page.items.into_iter().map(|tag| tag.name).collect()
        };
        assert_eq!(tags(Op::VersionPresent, 1).await, ["a"]);
        assert_eq!(tags(Op::VersionPresent, 2).await, ["b"]);
        assert_eq!(tags(Op::VersionAdded, 2).await, ["b"]);
        assert_eq!(tags(Op::VersionRemoved, 2).await, ["a"]);
        let blobs = catalog.list_blob_contents(&of(Op::VersionPresent, 1)).await.unwrap();
        assert!(blobs.items.iter().any(|blob| blob.digest == layer_of("one") && blob.size_bytes == 11));
        assert_eq!(blobs.total, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn syncs_at_the_same_time_record_the_same_content_once() {
    for Fixture { catalog, .. } in every_database().await {
        let mirror = async |number: usize| {
            let own = repository(&catalog, &format!("mirror-{number}")).await;
            let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
            publish(&catalog, &own, &[("a", &one), ("b", &two)], true).await.unwrap().summary.present
        };
        let published = futures::future::join_all((0..6).map(mirror)).await;
        assert!(published.iter().all(|present| *present == counts(4, 2, 2)), "{published:?}");
        let total = catalog.list_blob_contents(&ListQuery::default()).await.unwrap().total;
        assert_eq!(total, 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_with_retention_and_changing_the_repository_do_not_lock_each_other_out() {
    for Fixture { catalog, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let tx = catalog.begin().await.unwrap();
        let keep_one = storage::RepositoryChanges {
            retain_repo_versions: Some(Some(1)),
            ..storage::RepositoryChanges::default()
        };
        tx.update_repository(foo.id, keep_one).await.unwrap();
        tx.commit().await.unwrap();
        let publishing = async {
            for seed in 0..12 {
                let image = record_image(&catalog, &seed.to_string()).await;
                publish(&catalog, &foo, &[("a", &image)], true).await.unwrap();
            }
        };
        let labelling = async {
            for number in 0..40 {
                let tx = catalog.begin().await.unwrap();
                tx.set_label(Kind::Repository, foo.id, &format!("k{number}"), "v").await.unwrap();
                tx.commit().await.unwrap();
            }
        };
        tokio::join!(publishing, labelling);
        let repository = catalog.find_repository(foo.id).await.unwrap().unwrap();
        assert_eq!((repository.latest_version, repository.labels.len()), (12, 40));
        assert_eq!(catalog.list_versions(Some(foo.id), &ListQuery::default()).await.unwrap().total, 1);
    }
}
