//! Pushes: sessions, what belongs to a repository before a version has it, and versions by difference.

use std::collections::{BTreeMap, HashSet};

use ::migrations::{Migrator, MigratorTrait};
use registry::{Digest, MediaType, RepositoryName};
use sea_orm::{ConnectionTrait, Statement};
use storage::{
    Catalog, Counts, DistributionChanges, NewDistribution, NewRepository, PushTarget, RepositoryChanges,
    StorageError, VersionRef,
};
use uuid::Uuid;

use crate::fixture::{
    Fixture, every_database, layer_of, publish, record_image, record_manifest, repository, store,
};

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

async fn target(catalog: &Catalog, text: &str) -> PushTarget {
    let tx = catalog.begin().await.unwrap();
    let target = tx.make_push_target(&name(text)).await.unwrap();
    tx.commit().await.unwrap();
    target
}

async fn pushed_repository(catalog: &Catalog, text: &str) -> Uuid {
    match target(catalog, text).await {
        PushTarget::Repository(id) => id,
        other => panic!("{other:?}"),
    }
}

async fn push(catalog: &Catalog, repository: Uuid, digest: &Digest, tag: Option<&str>) -> Option<i64> {
    let tag = tag.map(|tag| tag.parse().unwrap());
    let tx = catalog.begin().await.unwrap();
    let version = tx.publish_push(repository, digest, tag.as_ref()).await.unwrap();
    tx.commit().await.unwrap();
    version.map(|version| version.number)
}

async fn counts(catalog: &Catalog, repository: Uuid, number: i64) -> (Counts, Counts, Counts) {
    let summary = catalog.find_version(repository, number).await.unwrap().unwrap().summary;
    (summary.added, summary.removed, summary.present)
}

fn counted(blobs: i64, manifests: i64, tags: i64) -> Counts {
    Counts { blobs, manifests, tags }
}

#[tokio::test]
async fn the_first_push_makes_repository_and_distribution() {
    for Fixture { catalog, .. } in every_database().await {
        let made = pushed_repository(&catalog, "team/app").await;
        assert_eq!(pushed_repository(&catalog, "team/app").await, made);
        // Names within names.
        pushed_repository(&catalog, "team/app/cache").await;
        pushed_repository(&catalog, "team").await;
        let distribution = catalog.find_distribution_by_base_path("team/app").await.unwrap().unwrap();
        assert_eq!((distribution.repository, distribution.private), (Some(made), false));
        // Those can be changed, but the rule holds for everybody else's.
        let tx = catalog.begin().await.unwrap();
        let changes = DistributionChanges { private: Some(true), ..DistributionChanges::default() };
        tx.update_distribution(distribution.id, &changes).await.unwrap();
        let moved =
            DistributionChanges { base_path: Some("team/x".into()), ..DistributionChanges::default() };
        let refused = tx.update_distribution(distribution.id, &moved).await.unwrap_err();
        assert!(refused.to_string().contains("Overlaps with existing distribution"), "{refused}");
        drop(tx);

        // A repository that has the name already, and a distribution that serves nothing yet.
        let held = repository(&catalog, "held").await;
        assert_eq!(target(&catalog, "held").await, PushTarget::Repository(held.id));
        let tx = catalog.begin().await.unwrap();
        let new =
            NewDistribution { name: "e".into(), base_path: "early".into(), ..NewDistribution::default() };
        let early = tx.create_distribution(Uuid::now_v7(), new).await.unwrap();
        tx.commit().await.unwrap();
        let served = pushed_repository(&catalog, "early").await;
        let early = catalog.find_distribution(early.id).await.unwrap().unwrap();
        assert_eq!(early.repository, Some(served));
    }
}

#[tokio::test]
async fn mirrors_and_fixed_versions_take_no_push() {
    for Fixture { catalog, .. } in every_database().await {
        let synced = repository(&catalog, "synced").await;
        let image = record_image(&catalog, "a").await;
        publish(&catalog, &synced, &[("t", &image)], false).await.unwrap();
        assert_eq!(target(&catalog, "synced").await, PushTarget::Mirror);
        let tx = catalog.begin().await.unwrap();
        let refused = tx.publish_push(synced.id, &image, None).await.unwrap_err();
        assert!(matches!(refused, StorageError::Invalid { field: "repository", .. }), "{refused}");
        drop(tx);

        let fixed = pushed_repository(&catalog, "fixed").await;
        let held = catalog.find_distribution_by_base_path("fixed").await.unwrap().unwrap();
        let tx = catalog.begin().await.unwrap();
        let version = Some(Some(VersionRef { repository: fixed, number: 0 }));
        let changes = DistributionChanges { version, ..DistributionChanges::default() };
        tx.update_distribution(held.id, &changes).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(target(&catalog, "fixed").await, PushTarget::Fixed);
    }
}

/// What pushes make is what whole plans make.
#[tokio::test]
async fn versions_by_difference_are_right() {
    for Fixture { catalog, .. } in every_database().await {
        let own = pushed_repository(&catalog, "team/app").await;
        let (a, b) = (record_image(&catalog, "a").await, record_image(&catalog, "b").await);
        assert_eq!(push(&catalog, own, &a, Some("latest")).await, Some(1));
        assert_eq!(push(&catalog, own, &a, Some("latest")).await, None);
        assert_eq!(push(&catalog, own, &b, Some("latest")).await, Some(2));
        assert_eq!(counts(&catalog, own, 2).await, (counted(2, 1, 1), counted(0, 0, 1), counted(4, 2, 1)));
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{a}","size":3}},{{"mediaType":"{}","digest":"{b}","size":3}}]}}"#,
            MediaType::OCI_INDEX,
            MediaType::OCI_MANIFEST,
            MediaType::OCI_MANIFEST
        );
        let index = record_manifest(&catalog, index.as_bytes()).await;
        assert_eq!(push(&catalog, own, &index, Some("multi")).await, Some(3));
        assert_eq!(counts(&catalog, own, 3).await, (counted(0, 1, 1), counted(0, 0, 0), counted(4, 3, 2)));
        let tags: BTreeMap<String, Digest> = catalog
            .repository_tags(own, 3)
            .await
            .unwrap()
            .into_iter()
            .map(|(tag, digest)| (tag.to_string(), digest))
            .collect();
        assert_eq!(tags, BTreeMap::from([("latest".into(), b.clone()), ("multi".into(), index.clone())]));
        assert_eq!(catalog.levels_below(std::slice::from_ref(&index), 8).await.unwrap(), 2);
        assert_eq!(
            catalog.manifests_below(std::slice::from_ref(&index)).await.unwrap(),
            HashSet::from([a.clone(), b.clone()])
        );

        let tx = catalog.begin().await.unwrap();
        let refused = tx.publish_without_manifest(own, &a).await.unwrap_err();
        assert!(matches!(refused, StorageError::InUse { field: "manifest", .. }), "{refused}");
        let refused = tx.publish_without_blob(own, &layer_of("a")).await.unwrap_err();
        assert!(matches!(refused, StorageError::InUse { field: "blob", .. }), "{refused}");
        drop(tx);
        let tx = catalog.begin().await.unwrap();
        assert_eq!(tx.publish_without_manifest(own, &index).await.unwrap().unwrap().number, 4);
        assert_eq!(tx.publish_without_manifest(own, &a).await.unwrap().unwrap().number, 5);
        assert_eq!(tx.publish_without_manifest(own, &a).await.unwrap(), None);
        assert_eq!(tx.publish_without_tag(own, &"gone".parse().unwrap()).await.unwrap(), None);
        assert_eq!(tx.publish_without_tag(own, &"latest".parse().unwrap()).await.unwrap().unwrap().number, 6);
        tx.commit().await.unwrap();
        assert_eq!(counts(&catalog, own, 5).await, (counted(0, 0, 0), counted(2, 1, 0), counted(2, 1, 1)));
        assert_eq!(counts(&catalog, own, 6).await.2, counted(2, 1, 0));
        // A push whose parts are nowhere is refused by the catalog too.
        let dangling = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":3}}]}}"#,
            MediaType::OCI_INDEX,
            MediaType::OCI_MANIFEST,
            Digest::sha256_of(b"nowhere")
        );
        let dangling = record_manifest(&catalog, dangling.as_bytes()).await;
        let tx = catalog.begin().await.unwrap();
        let refused = tx.publish_push(own, &dangling, None).await.unwrap_err();
        assert!(matches!(refused, StorageError::BlobMissing(_)), "{refused}");
    }
}

#[tokio::test]
async fn pushed_blobs_belong_to_their_repository_for_a_time() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let (own, other) =
            (pushed_repository(&catalog, "team/app").await, pushed_repository(&catalog, "team/other").await);
        let blob = Digest::sha256_of(b"blob");
        let (_folder, store) = store().await;
        catalog.record_pushed_blob(&store, own, None, &blob, 4).await.unwrap();
        catalog.record_pushed_blob(&store, own, None, &blob, 4).await.unwrap();
        assert_eq!(catalog.find_pushed_blob(own, &blob).await.unwrap(), Some(4));
        assert_eq!(catalog.find_pushed_blob(other, &blob).await.unwrap(), None);
        assert_eq!(catalog.blobs_of(own, std::slice::from_ref(&blob)).await.unwrap()[&blob], 4);
        let places = catalog.find_names_with_blob(&blob, 10).await.unwrap();
        assert_eq!(places, [(name("team/app"), false)]);
        let served = catalog.find_served(&name("team/app")).await.unwrap().unwrap();
        assert_eq!(catalog.find_served_blob(&served, &blob).await.unwrap(), Some(4));
        // Whoever looks for orphans does not take it meanwhile.
        let orphans = |moment| storage::ListQuery {
            filter: Some(storage::Filter::Field {
                field: "repository_version",
                op: storage::Op::OrphanedSince,
                value: storage::FilterValue::Time(moment),
            }),
            ..storage::ListQuery::default()
        };
        clock.advance_seconds(3600);
        let found = catalog.list_blob_contents(&orphans(catalog.now())).await.unwrap();
        assert_eq!(found.total, 0);
        catalog.forget_old_pushes(catalog.now()).await.unwrap();
        assert_eq!(catalog.find_pushed_blob(own, &blob).await.unwrap(), None);
        assert_eq!(catalog.list_blob_contents(&orphans(catalog.now())).await.unwrap().total, 1);
        assert_eq!(catalog.find_names_with_blob(&blob, 10).await.unwrap(), []);
        let tx = catalog.begin().await.unwrap();
        assert!(tx.note_pushed_blob(own, &blob).await.unwrap());
        assert!(!tx.note_pushed_blob(own, &Digest::sha256_of(b"unknown")).await.unwrap());
        assert!(tx.forget_pushed_blob(own, &blob).await.unwrap());
        assert!(!tx.forget_pushed_blob(own, &blob).await.unwrap());
    }
}

#[tokio::test]
async fn sessions_are_counted_and_expire() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let own = pushed_repository(&catalog, "team/app").await;
        let day = |catalog: &Catalog| catalog.now().plus_seconds(-24 * 3600);
        let begin = async |catalog: &Catalog| {
            let tx = catalog.begin().await.unwrap();
            let begun = tx.create_upload(own, 2, tx.now().plus_seconds(-24 * 3600)).await.unwrap();
            tx.commit().await.unwrap();
            begun
        };
        let (one, two) = (begin(&catalog).await.unwrap(), begin(&catalog).await.unwrap());
        assert_eq!(begin(&catalog).await, None);
        assert_eq!(catalog.find_upload(one, day(&catalog)).await.unwrap().unwrap().repository, own);
        clock.advance_seconds(20 * 3600);
        catalog.touch_upload(one).await.unwrap();
        clock.advance_seconds(5 * 3600);
        assert!(catalog.find_upload(one, day(&catalog)).await.unwrap().is_some());
        assert_eq!(catalog.find_upload(two, day(&catalog)).await.unwrap(), None);
        // An expired one counts no more.
        let three = begin(&catalog).await.unwrap();
        assert_eq!(catalog.forget_old_pushes(day(&catalog)).await.unwrap(), [two]);
        let asked = HashSet::from([one, two, three]);
        assert_eq!(catalog.known_uploads(&asked).await.unwrap(), HashSet::from([one, three]));
        let (_folder, store) = store().await;
        catalog.record_pushed_blob(&store, own, Some(one), &Digest::sha256_of(b"x"), 1).await.unwrap();
        assert_eq!(catalog.known_uploads(&asked).await.unwrap(), HashSet::from([three]));
    }
}

/// A repository that gets a remote becomes a mirror at once.
#[tokio::test]
async fn a_remote_makes_a_mirror() {
    for Fixture { catalog, .. } in every_database().await {
        let own = pushed_repository(&catalog, "team/app").await;
        let tx = catalog.begin().await.unwrap();
        let new = storage::NewRemote {
            name: "r".into(),
            url: "http://127.0.0.1:1".into(),
            upstream_name: "x".into(),
            ..storage::NewRemote::default()
        };
        let remote = tx.create_remote(new).await.unwrap().id;
        let changes = RepositoryChanges { remote: Some(Some(remote)), ..RepositoryChanges::default() };
        tx.update_repository(own, changes).await.unwrap();
        tx.create_repository(NewRepository { name: "x".into(), ..NewRepository::default() }).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(target(&catalog, "team/app").await, PushTarget::Mirror);
        assert!(catalog.find_served(&name("team/app")).await.unwrap().unwrap().is_mirror);
    }
}

/// Manifests that were there before referrers could be listed are found to refer.
#[tokio::test]
async fn the_migration_reads_what_is_there() {
    for fixture in every_database().await {
        let catalog = &fixture.catalog;
        let subject = Digest::sha256_of(b"subject");
        let body = |artifact_type: &str| {
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{}",{artifact_type}"manifests":[],"subject":{{"mediaType":"{}","digest":"{subject}","size":7}}}}"#,
                MediaType::OCI_INDEX,
                MediaType::OCI_MANIFEST
            )
        };
        let typed =
            record_manifest(catalog, body(r#""artifactType":"application/vnd.example","#).as_bytes()).await;
        let plain = record_manifest(catalog, body("").as_bytes()).await;
        record_image(catalog, "unrelated").await;
        let database = sea_orm::Database::connect(fixture.database_url()).await.unwrap();
        let later = Migrator::migrations();
        let steps = later.iter().rev().position(|one| one.name() == "m0014_pushes").unwrap() + 1;
        Migrator::down(&database, Some(u32::try_from(steps).unwrap())).await.unwrap();
        Migrator::up(&database, None).await.unwrap();
        let sql = "SELECT digest, artifact_type FROM manifest WHERE subject IS NOT NULL";
        let rows = database.query_all_raw(Statement::from_string(database.get_database_backend(), sql)).await;
        let found: BTreeMap<String, Option<String>> = rows
            .unwrap()
            .iter()
            .map(|row| (row.try_get("", "digest").unwrap(), row.try_get("", "artifact_type").unwrap()))
            .collect();
        let expected = BTreeMap::from([
            (typed.to_string(), Some("application/vnd.example".to_owned())),
            (plain.to_string(), None),
        ]);
        assert_eq!(found, expected);
    }
}
