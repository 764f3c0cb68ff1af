//! Filters that look beyond a row of their own: what holds content, what nothing holds, which worker lives.

use crate::fixture::{Fixture, every_database, layer_of, publish, record_image, repository};
use registry::Timestamp;
use registry::href::VersionName;
use storage::{Catalog, Filter, FilterValue, ListQuery, NewDistribution, Op, StorageError, VersionRef};
use uuid::Uuid;

fn by(field: &'static str, op: Op, value: FilterValue) -> ListQuery {
    ListQuery { filter: Some(Filter::Field { field, op, value }), ..ListQuery::default() }
}

async fn layer_id(catalog: &Catalog, seed: &str) -> Uuid {
    let digest = FilterValue::Text(layer_of(seed).to_string());
    let found = catalog.list_blob_contents(&by("digest", Op::Eq, digest)).await.unwrap();
    found.items[0].id
}

async fn repositories(catalog: &Catalog, op: Op, content: Uuid) -> Vec<String> {
    let found = catalog.list_repositories(&by("content", op, FilterValue::Id(content))).await.unwrap();
    found.items.into_iter().map(|repository| repository.name).collect()
}

async fn versions(catalog: &Catalog, repository: Uuid, query: ListQuery) -> Vec<i64> {
    let found = catalog.list_versions(Some(repository), &query).await.unwrap();
    found.items.into_iter().map(|version| version.number).collect()
}

#[tokio::test]
async fn what_holds_content_is_found() {
    for Fixture { catalog, .. } in every_database().await {
        let (foo, bar) = (repository(&catalog, "foo").await, repository(&catalog, "bar").await);
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        publish(&catalog, &foo, &[("a", &one)], true).await.unwrap();
        publish(&catalog, &foo, &[("b", &two)], true).await.unwrap();
        publish(&catalog, &bar, &[("b", &two)], true).await.unwrap();
        let (first, second) = (layer_id(&catalog, "one").await, layer_id(&catalog, "two").await);

        assert_eq!(repositories(&catalog, Op::HasHeld, first).await, ["foo"]);
        assert_eq!(repositories(&catalog, Op::Holds, first).await, Vec::<String>::new());
        assert_eq!(repositories(&catalog, Op::Holds, second).await, ["bar", "foo"]);

        let holding = |contents: &[Uuid]| by("content", Op::Holds, FilterValue::Ids(contents.to_vec()));
        assert_eq!(versions(&catalog, foo.id, holding(&[first])).await, [1]);
        assert_eq!(versions(&catalog, foo.id, holding(&[second])).await, [2]);
        assert_eq!(versions(&catalog, foo.id, holding(&[first, second])).await, [2, 1]);
        assert_eq!(versions(&catalog, foo.id, holding(&[])).await, Vec::<i64>::new());
        let one_of_foo = catalog.find_version(foo.id, 1).await.unwrap().unwrap();
        assert_eq!(catalog.find_version_by_id(one_of_foo.id).await.unwrap(), Some(one_of_foo));
        let named = FilterValue::Versions(vec![
            VersionName::Id(one_of_foo.id),
            VersionName::Number { repository: bar.id, number: 1 },
        ]);
        assert_eq!(versions(&catalog, foo.id, by("name", Op::In, named.clone())).await, [1]);
        assert_eq!(versions(&catalog, bar.id, by("name", Op::In, named)).await, [1]);

        let tx = catalog.begin().await.unwrap();
        let serving = |name: &str, repository, version| NewDistribution {
            name: name.into(),
            base_path: name.into(),
            labels: storage::Labels::new(),
            repository,
            version,
            private: false,
            description: None,
            hidden: false,
        };
        let fixed = VersionRef { repository: foo.id, number: 1 };
        tx.create_distribution(Uuid::now_v7(), serving("a/latest", Some(foo.id), None)).await.unwrap();
        tx.create_distribution(Uuid::now_v7(), serving("a/fixed", None, Some(fixed))).await.unwrap();
        tx.create_distribution(Uuid::now_v7(), serving("ab", None, None)).await.unwrap();
        tx.commit().await.unwrap();
        let distributions = async |query: ListQuery| -> Vec<String> {
            let found = catalog.list_distributions(&query).await.unwrap();
            found.items.into_iter().map(|distribution| distribution.name).collect()
        };
        let serves = |content| by("content", Op::Holds, FilterValue::Id(content));
        assert_eq!(distributions(serves(first)).await, ["a/fixed"]);
        assert_eq!(distributions(serves(second)).await, ["a/latest"]);
        let below = |text: &str| by("namespace", Op::Eq, FilterValue::Text(text.into()));
        assert_eq!(distributions(below("a")).await, ["a/fixed", "a/latest"]);
        assert_eq!(distributions(below("ab")).await, ["ab"]);
        let checkpoint = |flag| by("checkpoint", Op::Eq, FilterValue::Bool(flag));
        assert_eq!(distributions(checkpoint(true)).await, Vec::<String>::new());
        assert_eq!(distributions(checkpoint(false)).await.len(), 3);
    }
}

#[tokio::test]
async fn content_is_found_between_versions_and_by_whatever_names_them() {
    for Fixture { catalog, clock, .. } in every_database().await {
        let foo = repository(&catalog, "foo").await;
        let (one, two) = (record_image(&catalog, "one").await, record_image(&catalog, "two").await);
        publish(&catalog, &foo, &[("a", &one)], true).await.unwrap();
        publish(&catalog, &foo, &[("a", &one), ("b", &two)], true).await.unwrap();
        publish(&catalog, &foo, &[("b", &two)], true).await.unwrap();
        let tags = async |op, names: Vec<VersionName>| -> Vec<String> {
            let query = by("repository_version", op, FilterValue::Versions(names));
            let found = catalog.list_tag_contents(&query).await.unwrap();
            found.items.into_iter().map(|tag| tag.name).collect()
        };
        let number = |number| VersionName::Number { repository: foo.id, number };
        let second = VersionName::Id(catalog.find_version(foo.id, 2).await.unwrap().unwrap().id);
        assert_eq!(tags(Op::VersionPresent, vec![second]).await, ["b", "a"]);
        assert_eq!(tags(Op::VersionPresent, vec![VersionName::Latest(foo.id)]).await, ["b"]);
        assert_eq!(tags(Op::AddedBetween, vec![number(1), number(3)]).await, ["b"]);
        assert_eq!(tags(Op::RemovedBetween, vec![number(1), VersionName::Latest(foo.id)]).await, ["a"]);
        assert_eq!(tags(Op::AddedBetween, vec![number(0), second]).await, ["b", "a"]);
        for (name, shown) in [
            (VersionName::Id(Uuid::nil()), format!("prn:core.repositoryversion:{}", Uuid::nil())),
            (number(9), registry::href::version_href(foo.id, 9)),
        ] {
            let query =
                by("repository_version", Op::AddedBetween, FilterValue::Versions(vec![number(1), name]));
            let refused = catalog.list_tag_contents(&query).await.unwrap_err();
            let StorageError::Invalid { field: "added_between", message } = refused else {
                panic!("{refused}")
            };
            assert_eq!(message, format!("URI not found for repositoryversion: {shown}"));
        }

        // What no version holds, once it is old enough.
        record_image(&catalog, "lost").await;
        let orphans = async |moment: Timestamp| {
            let query = by("repository_version", Op::OrphanedSince, FilterValue::Time(moment));
            let found = catalog.list_blob_contents(&query).await.unwrap();
            found.items.into_iter().map(|blob| blob.digest).collect::<Vec<_>>()
        };
        assert_eq!(orphans(clock.now()).await, []);
        let found = orphans(clock.now().plus_seconds(60)).await;
        assert!(found.len() == 2 && found.contains(&layer_of("lost")), "{found:?}");
    }
}

#[tokio::test]
async fn workers_are_online_or_missing() {
    for Fixture { catalog, .. } in every_database().await {
        let worker = catalog.register_worker("1@here").await.unwrap();
        let listed = async |field, flag| {
            let found = catalog.list_workers(&by(field, Op::Eq, FilterValue::Bool(flag))).await.unwrap();
            found.items.into_iter().map(|worker| worker.id).collect::<Vec<_>>()
        };
        assert_eq!(
            (listed("online", true).await, listed("missing", false).await),
            (vec![worker], vec![worker])
        );
        assert_eq!((listed("online", false).await, listed("missing", true).await), (vec![], vec![]));
    }
}
